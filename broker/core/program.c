/* Programs on record (rotation.h): a secret of the broker's own each, as trust
 * in profiles is; its value is the hash, its detail the rest. */
#include "rotate/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/secret.h"
#include "core/detail.h"
#include "core/rotation.h"
#include "core/rotation_plan.h"
#include "core/state.h"
#include "store/rotation_rules.h"
#include "store/versions.h"

#define PREFIX "auth-guard/program/"

enum {
    HEX_BYTES = 2 * PROGRAM_HASH_BYTES,
    NAME_MAX = 64,
    MS_PER_S = 1000,
    USERS_TOLD_COUNT = 3,
    USERS_TOLD_BYTES = USERS_TOLD_COUNT * (NAME_MAX_BYTES + 3),
};

static enum ag_err
full_name(const char *name, char out[NAME_MAX_BYTES + 1])
{
    if (parse_name(span_str(name)) != AG_OK || strchr(name, '/') != NULL ||
        strlen(name) > NAME_MAX) {
        return err_why(AG_EINVAL,
                       "a program's name is one word of "
                       "[a-z0-9._-], up to %d",
                       NAME_MAX);
    }
    (void)snprintf(out, NAME_MAX_BYTES + 1, PREFIX "%s", name);
    return AG_OK;
}

/* -1: no digit of a hash. */
static int
digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool
read_hash(struct span text, uint8_t out[PROGRAM_HASH_BYTES])
{
    if (text.len != HEX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < PROGRAM_HASH_BYTES; i++) {
        int high = digit((char)text.ptr[2 * i]);
        int low = digit((char)text.ptr[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum ag_err
none_on_record(const char *name)
{
    return err_why(AG_ENOTFOUND,
                   "no program %s is on record; see: auth-guard rotate program "
                   "list, and program add",
                   name);
}

enum ag_err
program_find(struct db_read *r, const char *name, struct program *ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(secret) struct secret *hash = NULL;
    struct program program = {.limit_ms = 0};
    const char *path = NULL;
    char full[NAME_MAX_BYTES + 1];
    enum ag_err err = full_name(name, full);

    if (err == AG_OK) {
        err = secrets_find(r, span_str(full), &row);
    }
    if (err == AG_ENOTFOUND) {
        return none_on_record(name);
    }
    if (err == AG_OK) {
        err = detail_of_secret(&row, &detail);
    }
    if (err == AG_OK) {
        err = versions_value(r, row.id, 0, NULL, &hash);
    }
    if (err != AG_OK) {
        return err;
    }
    path = json_string_value(json_object_get(detail, "path"));
    program.limit_ms = json_integer_value(json_object_get(detail, "limit_ms"));
    if (path == NULL || strlen(path) >= PROGRAM_PATH_BYTES ||
        !read_hash(secret_view(hash), program.hash)) {
        return err_why(AG_ECORRUPT, "the program %s on record can't be read",
                       name);
    }
    (void)snprintf(program.path, sizeof(program.path), "%s", path);
    *ret = program;
    return AG_OK;
}

static enum ag_err
check(const struct program_request *q)
{
    uint8_t hash[PROGRAM_HASH_BYTES];

    if (q->path[0] != '/' || strlen(q->path) >= PROGRAM_PATH_BYTES) {
        return err_why(AG_EINVAL, "path: absolute, shorter than %d bytes",
                       PROGRAM_PATH_BYTES);
    }
    if (!read_hash(span_str(q->sha256), hash)) {
        return err_why(AG_EINVAL, "sha256: 64 digits of 0-9 a-f");
    }
    return q->limit_s >= 1 && q->limit_s * MS_PER_S <= PROGRAM_LIMIT_MAX_MS
               ? AG_OK
               : err_why(AG_EINVAL, "limit_s: 1 to %d",
                         PROGRAM_LIMIT_MAX_MS / MS_PER_S);
}

static enum ag_err
keep(struct db_tx *tx, struct secret_row *row, const char *full,
     const struct program_request *q)
{
    AG_AUTO(wjson)
    json_t *detail = json_pack("{s:s, s:I}", "path", q->path, "limit_ms",
                               (json_int_t)q->limit_s * MS_PER_S);
    AG_AUTO(secret) struct secret *hash = NULL;
    struct version_row version = {0};
    struct version_new add = {
        .state = VERSION_CURRENT, .if_version = -1, .maker = MAKER_OPERATOR};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(full), row);

    if (detail == NULL) {
        return AG_ENOMEM;
    }
    if (err == AG_ENOTFOUND) {
        (void)snprintf(row->name, sizeof(row->name), "%s", full);
        row->kind = SECRET_OPAQUE;
        row->min_grade = GRADE_PROXY;
        err = secrets_add(tx, row);
    }
    if (err == AG_OK) {
        err = detail_set_secret(row, detail);
    }
    if (err == AG_OK) {
        err = secrets_update(tx, row);
    }
    if (err == AG_OK) {
        err = secret_from(span_str(q->sha256), &hash);
    }
    if (err != AG_OK) {
        return err;
    }
    add.secret_id = row->id;
    add.value = hash;
    return versions_add(tx, &add, &version);
}

enum ag_err
core_program_set(struct core *core, struct db_tx *tx, const struct call *call,
                 const struct program_request *request)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    char full[NAME_MAX_BYTES + 1];
    enum ag_err err = full_name(request->name, full);

    (void)core;
    if (err == AG_OK) {
        err = check(request);
    }
    if (err == AG_OK) {
        err = keep(tx, &row, full, request);
    }
    return err == AG_OK
               ? core_note(tx, call, AUDIT_PROGRAM_SET, 0, 0,
                           json_pack("{s:s, s:s, s:s, s:I}", "program",
                                     request->name, "path", request->path,
                                     "sha256", request->sha256, "limit_s",
                                     (json_int_t)request->limit_s))
               : err;
}

/* ---- removed ---- */

/* Whose rules start a program. */
struct users {
    struct db_read *r;
    const char *name;
    size_t count;
    char texts[USERS_TOLD_BYTES]; /* of the first of them */
};

static bool
starts(const struct rotation_plan *plan, const char *name)
{
    const char *program = plan->rotator->program_name != NULL
                              ? plan->rotator->program_name(plan->params)
                              : NULL;

    return (program != NULL && strcmp(program, name) == 0) ||
           (plan->notify != NULL && strcmp(plan->notify, name) == 0);
}

/* By a rule that can't be read nothing is started. */
static enum ag_err
note_user(const struct rotation_rule_row *rule, void *arg)
{
    struct users *users = arg;
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    AG_AUTO(secret_row) struct secret_row secret = {0};
    size_t len = strlen(users->texts);
    enum ag_err err = rotation_plan_read(rule->plan, &plan);

    if (err == AG_ECORRUPT || (err == AG_OK && !starts(&plan, users->name))) {
        return AG_OK;
    }
    if (err == AG_OK) {
        err = secrets_get(users->r, rule->secret_id, &secret);
    }
    if (err != AG_OK || secret.removed_ms != 0) {
        return err;
    }
    users->count++;
    if (users->count <= USERS_TOLD_COUNT) {
        (void)snprintf(users->texts + len, sizeof(users->texts) - len, "%s%s",
                       len > 0 ? ", " : "", secret.name);
    }
    return AG_OK;
}

static enum ag_err
check_unused(struct db_read *r, const char *name)
{
    struct users users = {.r = r, .name = name};
    enum ag_err err = rotation_rules_each(r, note_user, &users);

    return err == AG_OK && users.count > 0
               ? err_why(AG_ECONFLICT,
                         "%zu rule%s start%s %s; first auth-guard rotate rule "
                         "remove or set: %s%s",
                         users.count, users.count == 1 ? "" : "s",
                         users.count == 1 ? "s" : "", name, users.texts,
                         users.count > USERS_TOLD_COUNT ? ", …" : "")
               : err;
}

enum ag_err
core_program_remove(struct core *core, struct db_tx *tx,
                    const struct call *call, const char *name)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    char full[NAME_MAX_BYTES + 1];
    enum ag_err err = full_name(name, full);

    (void)core;
    if (err == AG_OK) {
        err = secrets_find(db_tx_read(tx), span_str(full), &row);
        err = err == AG_ENOTFOUND ? none_on_record(name) : err;
    }
    if (err == AG_OK) {
        err = check_unused(db_tx_read(tx), name);
    }
    if (err == AG_OK) {
        err = secrets_remove(tx, row.id);
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_PROGRAM_REMOVED, 0, 0,
                                    json_pack("{s:s}", "program", name))
                        : err;
}

struct listing {
    struct db_read *r;
    json_t *items;
};

static enum ag_err
list_one(const struct secret_row *row, void *arg)
{
    const struct listing *listing = arg;
    AG_AUTO(buf) struct buf hash = {0};
    struct program program = {.limit_ms = 0};
    const char *name = row->name + strlen(PREFIX);
    enum ag_err err = program_find(listing->r, name, &program);

    buf_init(&hash, HEX_BYTES + 1, BUF_PLAIN);
    if (err == AG_OK) {
        err = encode_hex(span_of(program.hash, sizeof(program.hash)), &hash);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_array_append_new(
               listing->items,
               json_pack("{s:s, s:s, s:s%, s:I}", "name", name, "path",
                         program.path, "sha256", (const char *)hash.ptr,
                         hash.len, "limit_s",
                         (json_int_t)(program.limit_ms / MS_PER_S))) == 0
               ? AG_OK
               : AG_ENOMEM;
}

enum ag_err
core_program_list(struct core *core, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "programs");
    struct listing listing = {.items = json_object_get(answer, "programs")};
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.r = r;
    err = secrets_each(r, span_str(PREFIX), list_one, &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
