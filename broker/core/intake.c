#include "core/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/places.h"
#include "core/redaction.h"
#include "core/state.h"
#include "core/values.h"
#include "profile/conflict.h"
#include "profile/expand.h"
#include "store/exposure.h"
#include "store/leases.h"
#include "store/moves.h"
#include "store/versions.h"

/* ---- adopt ---- */

struct moving {
    struct core_job job;
    int64_t move_id;
    const struct secret *content;
    struct take_result result;
    int64_t secret_id;
};

static const char *
last_segment(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Which of a profile's files this path is, by its base name. */
static size_t
entry_of(const struct profile *profile, const char *path)
{
    const char *name = last_segment(path);

    for (size_t i = 0; i < profile->files.count; i++) {
        const struct profile_file *file = &profile->files.items[i];

        if (file->path != NULL && glob_match(last_segment(file->path), name)) {
            return i;
        }
        for (size_t k = 0; k < file->names.count; k++) {
            if (glob_match(file->names.items[k], name)) {
                return i;
            }
        }
    }
    return 0;
}

static enum ag_err
fill_from_profile(struct core *core, json_t *detail, struct secret_row *row)
{
    const char *name = json_string_value(json_object_get(detail, "profile"));
    const char *path = json_string_value(json_object_get(detail, "path"));
    const struct profile *profile = NULL;
    enum ag_err err = AG_OK;

    row->kind = SECRET_FILE;
    row->min_grade = GRADE_ENV;
    row->retain_count = SECRET_RETAIN_DEFAULT_COUNT;
    if (name == NULL || name[0] == '\0') {
        return AG_OK;
    }
    err = profile_find(core->parts.profiles, name, &profile);
    if (err == AG_OK) {
        err = secret_kind_parse(span_str(profile->kind), &row->kind);
    }
    if (err == AG_OK) {
        err = grade_parse(span_str(profile_grade_word(profile->min_grade)),
                          &row->min_grade);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(row->profile, sizeof(row->profile), "%s", name);
    err = places_seal(profile, detail);
    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(detail, "file",
                               json_integer((json_int_t)entry_of(
                                   profile, path != NULL ? path : ""))) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* Where the secret may go stays as it was sealed. */
static enum ag_err
keep_places(const struct secret_row *row, json_t *detail)
{
    static const char *const KEPT[] = {"places", "refresh"};
    AG_AUTO(wjson) json_t *before = NULL;
    enum ag_err err = detail_of_secret(row, &before);

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(KEPT); i++) {
        json_t *member = json_object_get(before, KEPT[i]);

        if (member != NULL && json_object_set(detail, KEPT[i], member) != 0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

/* The secret that the file becomes: made, or given the file's facts. */
static enum ag_err
secret_for(struct core *core, struct db_tx *tx, const struct move_row *move,
           struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *name = NULL;
    bool is_new = false;
    enum ag_err err =
        wjson_parse(span_str(move->detail), MOVE_DETAIL_MAX_BYTES, &detail);

    if (err != AG_OK) {
        return err;
    }
    name = json_string_value(json_object_get(detail, "name"));
    if (name == NULL) {
        return AG_ECORRUPT;
    }
    err = secrets_find(db_tx_read(tx), span_str(name), row);
    is_new = err == AG_ENOTFOUND;
    if (err != AG_OK && !is_new) {
        return err;
    }
    (void)snprintf(row->name, sizeof(row->name), "%s", name);
    if (is_new || row->current_version == 0) {
        err = fill_from_profile(core, detail, row);
    } else {
        err = keep_places(row, detail);
    }
    free(AG_TAKE(row->detail));
    if (err == AG_OK) {
        err = core_dump(detail, &row->detail);
    }
    if (err != AG_OK) {
        return err;
    }
    return is_new ? secrets_add(tx, row) : secrets_update(tx, row);
}

static enum ag_err
seal_pending(struct core *core, struct db_tx *tx, struct moving *m,
             struct move_row *move)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct version_row added = {0};
    struct version_new add = {.value = m->content,
                              .state = VERSION_PENDING,
                              .if_version = -1,
                              .maker = MAKER_OPERATOR};
    enum ag_err err = redaction_fits(m->content);

    if (err == AG_OK) {
        err = secret_for(core, tx, move, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    add.secret_id = row.id;
    err = versions_add(tx, &add, &added);
    if (err == AG_OK) {
        err = moves_digest(db_tx_read(tx), m->content, move->digest);
    }
    if (err != AG_OK) {
        return err;
    }
    move->has_digest = true;
    move->secret_id = row.id;
    move->version = added.number;
    err = moves_step(tx, move, MOVE_TAKEN);
    if (err == AG_OK) {
        err =
            core_note(tx, NULL, AUDIT_MOVE_STEP, 0, row.id,
                      json_pack("{s:I, s:s, s:s, s:I}", "move",
                                (json_int_t)move->id, "step", "sealed", "name",
                                row.name, "version", (json_int_t)added.number));
    }
    if (err == AG_OK) {
        err = redaction_add(core, &row, added.id, m->content);
    }
    m->secret_id = row.id;
    m->result.version = added.number;
    return err;
}

/* A check of a move that a crash left open: is this the file we sealed? */
static enum ag_err
compare(struct db_read *r, struct moving *m, const struct move_row *move)
{
    uint8_t digest[MOVE_DIGEST_BYTES];
    enum ag_err err = moves_digest(r, m->content, digest);

    m->result.version = move->version;
    m->result.changed =
        !move->has_digest ||
        !span_equal(span_of(digest, sizeof(digest)),
                    span_of(move->digest, sizeof(move->digest)));
    return err;
}

static enum ag_err
run_move(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct moving *m = (struct moving *)job;
    AG_AUTO(move_row) struct move_row move = {0};
    enum ag_err err = moves_get(db_tx_read(tx), m->move_id, &move);

    if (err != AG_OK) {
        return err;
    }
    if (move.kind == MOVE_ADOPT && move.state == MOVE_OPEN) {
        return seal_pending(core, tx, m, &move);
    }
    return compare(db_tx_read(tx), m, &move);
}

/* What was committed is read again and compared: a disk that lies is found
 * before the file goes. */
static enum ag_err
read_back(struct core *core, const struct moving *m)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = versions_value(r, m->secret_id, m->result.version, NULL, &value);
    }
    if (err == AG_OK && !secret_equal(value, m->content)) {
        err = err_why(AG_ECORRUPT, "what was stored does not read back; the "
                                   "file stays where it is");
    }
    return err;
}

enum ag_err
intake_move(struct core *core, const struct ticket *ticket,
            const struct secret *content, struct take_result *ret)
{
    struct moving m = {
        .job.run = run_move, .move_id = ticket->subject_id, .content = content};
    enum ag_err err = core_write_wait(core, &m.job);

    if (err == AG_OK && m.secret_id != 0) {
        err = read_back(core, &m);
    }
    if (err == AG_OK) {
        *ret = m.result;
    }
    return err;
}

/* ---- release ---- */

struct releasing {
    struct core_job job;
    int64_t move_id;
    struct secret *value;
};

static enum ag_err
run_release(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct releasing *rel = (struct releasing *)job;
    AG_AUTO(move_row) struct move_row move = {0};
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct exposure_row seen = {.verb = VERB_REVEAL};
    enum ag_err err = moves_get(db_tx_read(tx), rel->move_id, &move);

    (void)core;
    if (err == AG_OK &&
        (move.kind != MOVE_RELEASE || move.state != MOVE_OPEN)) {
        return AG_ETICKET;
    }
    if (err == AG_OK) {
        err = secrets_get(db_tx_read(tx), move.secret_id, &row);
    }
    if (err == AG_OK) {
        err = versions_value(db_tx_read(tx), row.id, move.version, NULL,
                             &rel->value);
    }
    if (err != AG_OK) {
        return err;
    }
    /* By its digest the file is known again after a crash. */
    err = moves_digest(db_tx_read(tx), rel->value, move.digest);
    move.has_digest = true;
    if (err == AG_OK) {
        err = moves_step(tx, &move, MOVE_TAKEN);
    }
    if (err != AG_OK) {
        return err;
    }
    seen.secret_id = row.id;
    seen.version = move.version;
    err = exposure_note(tx, &seen, NULL);
    if (err != AG_OK) {
        return err;
    }
    return core_note(tx, NULL, AUDIT_SECRET_REVEALED, 0, row.id,
                     json_pack("{s:s, s:I, s:s}", "name", row.name, "version",
                               (json_int_t)move.version, "by", "release"));
}

enum ag_err
intake_release(struct core *core, const struct ticket *ticket,
               struct secret **ret)
{
    struct releasing rel = {.job.run = run_release,
                            .move_id = ticket->subject_id};
    enum ag_err err = core_write_wait(core, &rel.job);

    if (err == AG_OK) {
        *ret = AG_TAKE(rel.value);
    }
    secret_free(rel.value);
    return err;
}
