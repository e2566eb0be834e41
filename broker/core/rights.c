/* Leases, wraps and roles: the smaller rights beside tokens (tokens.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "core/holds.h"
#include "core/issue.h"
#include "core/secrets.h"
#include "core/state.h"
#include "core/tokens.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/leases.h"
#include "store/roles.h"
#include "store/tasks.h"
#include "store/tokens.h"
#include "store/versions.h"
#include "store/wraps.h"

/* ---- leases ---- */

struct lease_listing {
    struct db_read *read;
    json_t *items;
};

static enum ag_err
list_lease(const struct lease_row *row, void *arg)
{
    struct lease_listing *listing = arg;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    char id[24];
    char task[24];
    enum ag_err err = secrets_get(listing->read, row->secret_id, &secret);

    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(id, sizeof(id), "%lld", (long long)row->id);
    (void)snprintf(task, sizeof(task), "%lld", (long long)row->task_id);
    item = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "id", id, "task", task,
                     "secret", secret.name, "version", (json_int_t)row->version,
                     "verb", verb_text(row->verb), "reason",
                     end_reason_text(row->end_reason));
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "created", row->created_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "expires_at", row->expires_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "ended", row->ended_ms);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_array_append(listing->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum {
    LEASES_LIST_MAX_COUNT = 200, /* of one task, newest first */
};

enum ag_err
core_leases_list(struct core *core, const struct call *call, const char *task,
                 json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "leases");
    struct lease_listing listing = {0};
    int64_t id = call->who == CALLER_TASK ? call->task_id : 0;
    enum ag_err err = AG_OK;

    if (task != NULL && call->who != CALLER_TASK) {
        err = core_parse_id(task, &id);
    }
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.read = r;
    listing.items = json_object_get(answer, "leases");
    err = id != 0 ? leases_of_task_each(r, id, LEASES_LIST_MAX_COUNT,
                                        list_lease, &listing)
                  : leases_live_each(r, list_lease, &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
core_lease_revoke(struct core *core, struct db_tx *tx, const struct call *call,
                  const char *id)
{
    AG_AUTO(lease_row) struct lease_row row = {0};
    int64_t number = 0;
    enum ag_err err = core_parse_id(id, &number);

    (void)core;
    if (err == AG_OK) {
        err = leases_get(db_tx_read(tx), number, &row);
    }
    if (err == AG_OK && call->who == CALLER_TASK &&
        row.task_id != call->task_id) {
        err = AG_ENOTFOUND;
    }
    if (err == AG_OK) {
        err = leases_end(tx, number, END_REVOKED);
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_LEASE_ENDED, row.task_id,
                                    row.secret_id, json_object())
                        : err;
}

/* ---- wraps ---- */

/* What a reference names, read as `get` reads it. */
static enum ag_err
wrapped_value(struct core *core, struct db_tx *tx, const struct call *call,
              const char *ref_text, struct reading *ret)
{
    char name[NAME_MAX_BYTES + 1];
    char field[GRANT_FIELD_BYTES];
    const struct get_request request = {.name = name, .field = field};
    struct reference ref = {0};
    enum ag_err err = parse_reference(span_str(ref_text), &ref);

    if (err == AG_OK && ref.pointer.len >= sizeof(field)) {
        err = err_why(AG_EINVAL, "the field in '%.80s' is too long", ref_text);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)ref.name.len,
                   (const char *)ref.name.ptr);
    (void)snprintf(field, sizeof(field), "%.*s", (int)ref.pointer.len,
                   (const char *)ref.pointer.ptr);
    return value_read(core, tx, call, &request, ret);
}

static enum ag_err
note_wrap(struct db_tx *tx, const struct call *call, const struct wrap_row *row)
{
    const struct exposure_row seen = {.secret_id = row->secret_id,
                                      .version = row->version,
                                      .task_id = call->task_id,
                                      .verb = VERB_READ};
    enum ag_err err =
        row->secret_id != 0 ? exposure_note(tx, &seen, NULL) : AG_OK;

    return err == AG_OK
               ? core_note(tx, call, AUDIT_WRAPPED, call->task_id,
                           row->secret_id,
                           json_pack("{s:I}", "wrap", (json_int_t)row->id))
               : err;
}

/* A fresh token for the wrap, its hash in the row. */
static enum ag_err
wrap_token(struct core *core, struct wrap_row *row, struct secret **ret)
{
    AG_AUTO(secret) struct secret *text = NULL;
    enum ag_err err = token_new(TOKEN_PASS, &text);

    if (err == AG_OK) {
        err = core_token_hash(core, TOKEN_PASS, secret_view(text), row->hash);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(text);
    }
    return err;
}

static enum ag_err
wrap_answer(const struct secret *text, int64_t expires_ms, json_t **ret)
{
    AG_AUTO(wjson)
    json_t *answer =
        json_pack("{s:s%}", "token", (const char *)secret_view(text).ptr,
                  secret_len(text));
    enum ag_err err = answer != NULL
                          ? core_set_time(answer, "expires_at", expires_ms)
                          : AG_ENOMEM;

    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
core_wrap_make(struct core *core, struct db_tx *tx, const struct call *call,
               const struct wrap_request *request, json_t **ret)
{
    AG_AUTO(reading) struct reading reading = {0};
    AG_AUTO(secret) struct secret *text = NULL;
    AG_AUTO(wjson) json_t *answer = NULL;
    struct wrap_row row = {.task_id = call->task_id};
    int64_t max_ms = core_settings_of(core).wrap_ttl_max_ms;
    int64_t ttl_ms = request->ttl_ms;
    enum ag_err err = AG_OK;

    if ((request->ref == NULL) == (request->value == NULL)) {
        return err_why(AG_EINVAL, "give either ref or text");
    }
    row.expires_ms =
        db_tx_now_ms(tx) + (ttl_ms != 0 && ttl_ms < max_ms ? ttl_ms : max_ms);
    if (request->ref != NULL) {
        err = wrapped_value(core, tx, call, request->ref, &reading);
        row.secret_id = reading.row.id;
        row.version = reading.version.number;
    }
    if (err == AG_OK) {
        err = wrap_token(core, &row, &text);
    }
    if (err == AG_OK) {
        err = wraps_add(tx, &row,
                        request->ref != NULL ? reading.value : request->value);
    }
    if (err == AG_OK) {
        err = note_wrap(tx, call, &row);
    }
    if (err == AG_OK) {
        err = wrap_answer(text, row.expires_ms, &answer);
    }
    if (err == AG_OK && reading.grant != NULL) {
        err = live_spend(call->token);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* What a task wrapped ends with it, as its tokens do. */
static enum ag_err
check_maker(struct db_tx *tx, const struct wrap_row *row)
{
    AG_AUTO(task_row) struct task_row task = {0};
    enum ag_err err = row->task_id == 0
                          ? AG_OK
                          : tasks_get(db_tx_read(tx), row->task_id, &task);

    return err == AG_OK && task.ended_ms != 0
               ? err_why(AG_EREVOKED, "the task that made this wrap has ended")
               : err;
}

/* Whoever opens it may have no grant, so the secret is not named. */
static enum ag_err
check_hold(struct core *core, const struct wrap_row *row)
{
    return row->secret_id != 0
               ? holds_check(core->holds, row->secret_id, "what is wrapped")
               : AG_OK;
}

/*
 * A second opening is an alarm: the row that says so must be kept, so the job
 * succeeds and *ret_outcome carries the refusal. A hold is an error, and the
 * wrap stays closed until it is over.
 */
enum ag_err
core_wrap_open(struct core *core, struct db_tx *tx, const struct call *call,
               const char *token, struct secret **ret, enum ag_err *ret_outcome)
{
    AG_AUTO(secret) struct secret *value = NULL;
    uint8_t hash[TOKEN_HASH_BYTES];
    struct wrap_row row = {0};
    enum ag_err err = core_token_hash(core, TOKEN_PASS, span_str(token), hash);
    enum ag_err outcome = AG_OK;

    if (err != AG_OK) {
        return err;
    }
    outcome = wraps_open(tx, hash, &row, &value);
    if (outcome != AG_OK && outcome != AG_EUNWRAPPED &&
        outcome != AG_EEXPIRED) {
        return outcome;
    }
    if (outcome == AG_OK) {
        outcome = check_maker(tx, &row);
    }
    if (outcome == AG_OK) {
        err = check_hold(core, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    err = core_note(tx, call,
                    outcome == AG_EUNWRAPPED ? AUDIT_UNWRAP_ALARM
                                             : AUDIT_UNWRAPPED,
                    row.task_id, row.secret_id,
                    json_pack("{s:I, s:s, s:I}", "wrap", (json_int_t)row.id,
                              "outcome", err_code(outcome), "attempts",
                              (json_int_t)row.attempts_count));
    if (err != AG_OK) {
        return err;
    }
    *ret_outcome = outcome;
    *ret = outcome == AG_OK ? AG_TAKE(value) : NULL;
    return AG_OK;
}

/* ---- roles ---- */

/* A service's token when nobody says for how long: a season, then somebody
 * looks at it again. */
static const int64_t ROLE_TTL_MS = 90LL * 24 * 3600 * 1000;

/* The role's row, its token, and the bond between them. */
static enum ag_err
role_rows(struct core *core, struct db_tx *tx, struct role_row *row,
          int64_t ttl_ms, struct issued *ret)
{
    AG_AUTO(grant_set) struct grant_set *none = NULL;
    struct issue what = {.unbound = true, .uses = GRANT_USES_UNLIMITED};
    enum ag_err err = grant_set_new(NULL, NULL, 0, &none);

    if (err == AG_OK) {
        err = roles_add(tx, row);
    }
    if (err != AG_OK) {
        return err;
    }
    what.role = (int)row->kind;
    what.role_id = row->id;
    what.grants = none;
    what.expires_ms = db_tx_now_ms(tx) + (ttl_ms > 0 ? ttl_ms : ROLE_TTL_MS);
    what.max_ms = what.expires_ms;
    err = issue_row(core, tx, &what, ret);
    return err == AG_OK ? roles_bind(tx, row->id, ret->token.id) : err;
}

enum ag_err
core_role_create(struct core *core, struct db_tx *tx, const struct call *call,
                 const struct role_request *request, json_t **ret)
{
    AG_AUTO(issued) struct issued issued = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    struct role_row row = {0};
    enum ag_err err = role_kind_parse(span_str(request->kind), &row.kind);

    if (err == AG_OK) {
        err = parse_name(span_str(request->name));
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(row.name, sizeof(row.name), "%s", request->name);
    err = role_rows(core, tx, &row, request->ttl_ms, &issued);
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_ROLE_CREATED, 0, 0,
                        json_pack("{s:s, s:s}", "name", request->name, "kind",
                                  request->kind));
    }
    if (err == AG_OK) {
        err = issued_answer(&issued, &answer);
    }
    if (err == AG_OK) {
        err = issue_live(core, &issued);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
core_role_remove(struct core *core, struct db_tx *tx, const struct call *call,
                 const char *name)
{
    struct role_row row = {0};
    enum ag_err err = roles_find(db_tx_read(tx), span_str(name), &row);

    if (err == AG_ENOTFOUND) {
        return err_why(AG_ENOTFOUND,
                       "there is no role %s; see: auth-guard role list", name);
    }
    if (err == AG_OK) {
        err = roles_end(tx, row.id, END_REVOKED);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_ROLE_ENDED, 0, 0,
                        json_pack("{s:s}", "name", name));
    }
    if (err == AG_OK) {
        err = live_revoke_family(core->live, 0, row.token_id);
    }
    return err;
}

static enum ag_err
list_role(const struct role_row *row, void *arg)
{
    json_t *item = json_pack("{s:s, s:s}", "name", row->name, "kind",
                             role_kind_text(row->kind));
    enum ag_err err = item != NULL
                          ? core_set_time(item, "created", row->created_ms)
                          : AG_ENOMEM;

    if (err != AG_OK) {
        json_decref(item);
        return err;
    }
    return json_array_append_new(arg, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_roles_list(struct core *core, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "roles");
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    err = roles_live_each(r, list_role, json_object_get(answer, "roles"));
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
