#include "core/moves.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "caller/peer.h"
#include "core/detail.h"
#include "core/rotation.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "store/moves.h"
#include "store/versions.h"

/* ---- begin ---- */

static json_t *
facts_of(const struct move_request *q)
{
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
        q->name, "profile", q->profile != NULL ? q->profile : "", "path",
        q->path, "dev", (json_int_t)q->dev, "ino", (json_int_t)q->ino, "mode",
        (json_int_t)q->mode, "uid", (json_int_t)q->uid, "gid",
        (json_int_t)q->gid, "mtime_ns", (json_int_t)q->mtime_ns, "atime_ns",
        (json_int_t)q->atime_ns, "size_bytes", (json_int_t)q->size_bytes);
}

/* A second adopt of a file that is on its way already. */
static enum ag_err
same_path(const struct move_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *path = NULL;
    enum ag_err err =
        wjson_parse(span_str(row->detail), MOVE_DETAIL_MAX_BYTES, &detail);

    if (err != AG_OK) {
        return err;
    }
    path = json_string_value(json_object_get(detail, "path"));
    if (path != NULL && span_is(span_str(path), arg)) {
        return err_why(AG_EBUSY,
                       "move %lld of %s is not finished; run: auth-guard "
                       "status",
                       (long long)row->id, path);
    }
    return AG_OK;
}

/* The current version of the secret that goes back to its file. */
static enum ag_err
plan_release(struct db_tx *tx, const struct move_request *request,
             struct move_row *row, json_t **ret_facts)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err =
        secret_named(db_tx_read(tx), span_str(request->name), &secret);

    if (err == AG_OK && secret.current_version == 0) {
        err = err_why(AG_ENOTFOUND,
                      "%s has no current version; see: "
                      "auth-guard versions %s",
                      request->name, request->name);
    }
    if (err == AG_OK) {
        err = rotation_none_open(db_tx_read(tx), secret.id);
    }
    if (err != AG_OK) {
        return err;
    }
    row->secret_id = secret.id;
    row->version = secret.current_version;
    err = detail_of_secret(&secret, ret_facts);
    if (err == AG_OK) {
        (void)json_object_del(*ret_facts, "places"); /* not a file's fact */
    }
    return err;
}

static enum ag_err
keep_path(json_t *facts, const struct move_request *request)
{
    /* The person may name another place; else it is where it came from. */
    if (request->path == NULL || request->path[0] == '\0') {
        return json_object_get(facts, "path") != NULL
                   ? AG_OK
                   : err_why(AG_EINVAL,
                             "%s did not come from a file; say where to put "
                             "it: --path FILE",
                             request->name);
    }
    return json_object_set_new(facts, "path", json_string(request->path)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
ticket_for(struct core *core, const struct call *call, enum ticket_kind kind,
           int64_t move_id, json_t *answer)
{
    const struct proc_facts *facts = peer_facts(call->peer);
    struct ticket what = {.kind = kind, .subject_id = move_id};
    char text[TICKET_TEXT_BYTES];
    enum ag_err err = AG_OK;

    if (facts == NULL) {
        return AG_EUNTRACED;
    }
    what.process = facts->self;
    err = tickets_issue(core->tickets, &what, clock_steady_ms(), text);
    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(answer, "ticket", json_string(text)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
set_id(json_t *object, int64_t id)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    return json_object_set_new(object, "id", json_string(text)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
plan(struct db_tx *tx, const struct call *call,
     const struct move_request *request, struct move_row *row,
     json_t **ret_facts)
{
    enum ag_err err = move_kind_parse(span_str(request->kind), &row->kind);

    if (err != AG_OK) {
        return err;
    }
    if (row->kind == MOVE_RELEASE) {
        if (call->who != CALLER_PROOF) {
            return AG_EPROOF;
        }
        err = plan_release(tx, request, row, ret_facts);
        return err == AG_OK ? keep_path(*ret_facts, request) : err;
    }
    if (request->path == NULL || request->path[0] != '/') {
        return err_why(AG_EINVAL, "path: must be absolute");
    }
    err = secret_name_free(span_str(request->name));
    if (err != AG_OK) {
        return err;
    }
    err = moves_open_each(db_tx_read(tx), same_path,
                          (void *)(uintptr_t)request->path);
    *ret_facts = facts_of(request);
    return err == AG_OK && *ret_facts == NULL ? AG_ENOMEM : err;
}

/* What a profile of the person's own says of the file counts only if trusted. */
static enum ag_err
check_profile(struct core *core, struct db_tx *tx,
              const struct move_request *request)
{
    const struct profile *profile = NULL;

    return request->profile != NULL && request->profile[0] != '\0'
               ? trust_find(core, db_tx_read(tx), request->profile, &profile)
               : AG_OK;
}

enum ag_err
core_move_begin(struct core *core, struct db_tx *tx, const struct call *call,
                const struct move_request *request, json_t **ret)
{
    AG_AUTO(move_row) struct move_row row = {0};
    AG_AUTO(wjson) json_t *facts = NULL;
    enum ag_err err = check_profile(core, tx, request);

    if (err == AG_OK) {
        err = plan(tx, call, request, &row, &facts);
    }
    if (err == AG_OK) {
        err = core_dump(facts, &row.detail);
    }
    if (err == AG_OK) {
        err = moves_add(tx, &row);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_MOVE_STARTED, 0, row.secret_id,
                        json_pack("{s:I, s:s, s:s, s:O?}", "move",
                                  (json_int_t)row.id, "kind", request->kind,
                                  "name", request->name, "path",
                                  json_object_get(facts, "path")));
    }
    if (err == AG_OK) {
        err = set_id(facts, row.id);
    }
    if (err == AG_OK) {
        err = ticket_for(core, call,
                         row.kind == MOVE_ADOPT ? TICKET_TAKE : TICKET_DELIVER,
                         row.id, facts);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(facts);
    }
    return err;
}

/* ---- open ones ---- */

struct listing {
    struct core *core;
    const struct call *call;
    json_t *items;
};

static enum ag_err
list_one(const struct move_row *row, void *arg)
{
    struct listing *listing = arg;
    AG_AUTO(wjson) json_t *item = NULL;
    enum ag_err err =
        wjson_parse(span_str(row->detail), MOVE_DETAIL_MAX_BYTES, &item);

    if (err == AG_OK) {
        err = set_id(item, row->id);
    }
    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(item, "kind",
                            json_string(move_kind_text(row->kind))) != 0 ||
        json_object_set_new(item, "state",
                            json_string(move_state_text(row->state))) != 0) {
        return AG_ENOMEM;
    }
    /* An adopt that never took its content has nothing to compare with. */
    if (row->has_digest) {
        err = ticket_for(listing->core, listing->call, TICKET_TAKE, row->id,
                         item);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_array_append(listing->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_moves_open(struct core *core, const struct call *call, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "moves");
    struct listing listing = {.core = core, .call = call};
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.items = json_object_get(answer, "moves");
    err = moves_open_each(r, list_one, &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- steps ---- */

static enum ag_err
find_move(struct db_tx *tx, const char *id, struct move_row *row)
{
    int64_t number = 0;
    enum ag_err err = core_parse_id(id, &number);

    return err == AG_OK ? moves_get(db_tx_read(tx), number, row) : err;
}

static enum ag_err
note_step(struct db_tx *tx, const struct call *call, enum audit_kind kind,
          const struct move_row *row, const char *step)
{
    return core_note(tx, call, kind, 0, row->secret_id,
                     json_pack("{s:I, s:s, s:s}", "move", (json_int_t)row->id,
                               "kind", move_kind_text(row->kind), "step",
                               step));
}

/* The file is in place and durable; the vault's copy goes, and with it all
 * versions: one that began to rotate meanwhile may work with another. */
static enum ag_err
commit_release(struct db_tx *tx, struct move_row *row)
{
    enum ag_err err = rotation_none_open(db_tx_read(tx), row->secret_id);

    if (err == AG_OK && row->state == MOVE_OPEN) {
        err = moves_step(tx, row, MOVE_TAKEN);
    }
    if (err == AG_OK) {
        err = moves_step(tx, row, MOVE_ERASING);
    }
    return err == AG_OK ? versions_release(tx, row->secret_id, row->version)
                        : err;
}

enum ag_err
core_move_commit(struct core *core, struct db_tx *tx, const struct call *call,
                 const char *id)
{
    AG_AUTO(move_row) struct move_row row = {0};
    enum ag_err err = find_move(tx, id, &row);

    (void)core;
    if (err != AG_OK) {
        return err;
    }
    if (row.kind == MOVE_RELEASE) {
        err = call->who == CALLER_PROOF ? commit_release(tx, &row) : AG_EPROOF;
    } else {
        err = moves_step(tx, &row, MOVE_ERASING);
        if (err == AG_OK) {
            err = versions_promote(tx, row.secret_id, row.version);
        }
    }
    return err == AG_OK
               ? note_step(tx, call, AUDIT_MOVE_STEP, &row, "committed")
               : err;
}

enum ag_err
core_move_done(struct core *core, struct db_tx *tx, const struct call *call,
               const char *id, const char *outcome)
{
    AG_AUTO(move_row) struct move_row row = {0};
    bool conflict = span_is(span_str(outcome), "conflict");
    enum ag_err err = find_move(tx, id, &row);

    (void)core;
    if (err == AG_OK && !conflict && !span_is(span_str(outcome), "erased") &&
        !span_is(span_str(outcome), "written")) {
        return err_why(AG_EINVAL, "outcome: erased, written or conflict");
    }
    if (err == AG_OK) {
        err = moves_step(tx, &row, conflict ? MOVE_CONFLICT : MOVE_DONE);
    }
    return err == AG_OK ? note_step(tx, call, AUDIT_MOVE_ENDED, &row, outcome)
                        : err;
}

enum ag_err
core_move_undo(struct core *core, struct db_tx *tx, const struct call *call,
               const char *id)
{
    AG_AUTO(move_row) struct move_row row = {0};
    enum ag_err err = find_move(tx, id, &row);

    (void)core;
    if (err != AG_OK) {
        return err;
    }
    /* Of an adopt the sealed copy goes; a release changed nothing yet. */
    if (row.kind == MOVE_ADOPT && row.state == MOVE_TAKEN) {
        err = versions_destroy(tx, row.secret_id, row.version);
    }
    if (err == AG_OK) {
        err = moves_step(tx, &row, MOVE_UNDONE);
    }
    return err == AG_OK ? note_step(tx, call, AUDIT_MOVE_ENDED, &row, "undone")
                        : err;
}
