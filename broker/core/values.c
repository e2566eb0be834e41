#include "core/values.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "core/holds.h"
#include "core/mint.h"
#include "core/promise.h"
#include "core/secrets.h"
#include "core/state.h"
#include "core/trust.h"
#include "profile/fields.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"
#include "store/tasks.h"
#include "store/tokens.h"
#include "store/uses.h"
#include "store/versions.h"

enum ag_err
secret_named(struct db_read *r, struct span name, struct secret_row *ret)
{
    enum ag_err err = secrets_find(r, name, ret);

    return err == AG_ENOTFOUND
               ? err_why(AG_ENOTFOUND,
                         "%.*s is not in the vault; see: auth-guard list",
                         (int)name.len, (const char *)name.ptr)
               : err;
}

enum ag_err
secret_name_free(struct span name)
{
    enum ag_err err = parse_name(name);

    return err == AG_OK && span_starts(name, span_str("auth-guard/"))
               ? err_why(AG_EDENIED, "names below auth-guard/ are the broker's "
                                     "own")
               : err;
}

enum ag_err
task_numbered(struct db_read *r, int64_t id, struct task_row *ret)
{
    enum ag_err err = tasks_get(r, id, ret);

    return err == AG_ENOTFOUND
               ? err_why(AG_ENOTFOUND,
                         "there is no task %lld; see: auth-guard task list",
                         (long long)id)
               : err;
}

enum ag_err
version_missing(const struct secret_row *row, int64_t number)
{
    return err_why(
        AG_ENOTFOUND,
        "%s has no value of version %lld; see: auth-guard versions %s",
        row->name, (long long)number, row->name);
}

/* Which of the profile's files: `adopt` notes it; others have the first. */
static size_t
file_index(const struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_int_t index = 0;

    if (row->detail == NULL || strcmp(row->detail, "{}") == 0 ||
        wjson_parse(span_str(row->detail), SECRET_DETAIL_MAX_BYTES, &detail) !=
            AG_OK) {
        return 0;
    }
    index = json_integer_value(json_object_get(detail, "file"));
    return index < 0 ? 0 : (size_t)index;
}

const struct profile_file *
value_file(const struct secret_row *row, const struct profile *profile)
{
    size_t index = 0;

    if (strcmp(row->profile, profile->name) != 0) {
        return NULL;
    }
    index = file_index(row);
    return index < profile->files.count ? &profile->files.items[index] : NULL;
}

const struct profile *
value_named(struct core *core, const struct secret_row *row)
{
    const struct profile *profile = NULL;

    return row->profile[0] != '\0' &&
                   profile_find(core->parts.profiles, row->profile, &profile) ==
                       AG_OK
               ? profile
               : NULL;
}

const struct profile *
value_profile(struct core *core, const struct secret_row *row,
              const struct profile_file **ret_file)
{
    const struct profile *profile = value_named(core, row);

    if (profile != NULL && !trust_stands(core, profile)) {
        profile = NULL;
    }
    if (ret_file != NULL) {
        *ret_file = profile != NULL ? value_file(row, profile) : NULL;
    }
    return profile;
}

/* What is secret is not declared: every long leaf is. */
#define UNDECLARED(format_)                                                    \
    [format_] = {                                                              \
        .format = (format_),                                                   \
    }
static const struct profile_file UNDECLARED_FILES[] = {
    UNDECLARED(FORMAT_OPAQUE), UNDECLARED(FORMAT_JSON),
    UNDECLARED(FORMAT_YAML),   UNDECLARED(FORMAT_INI),
    UNDECLARED(FORMAT_TOML),   UNDECLARED(FORMAT_ENV),
    UNDECLARED(FORMAT_NETRC),  UNDECLARED(FORMAT_PGPASS),
    UNDECLARED(FORMAT_URLS),   UNDECLARED(FORMAT_PEM),
    UNDECLARED(FORMAT_SQLITE),
};

const struct profile_file *
value_fields(struct core *core, const struct secret_row *row,
             struct span content)
{
    const struct profile *profile = value_named(core, row);
    const struct profile_file *file =
        profile != NULL ? value_file(row, profile) : NULL;

    if (file == NULL || trust_stands(core, profile)) {
        return file;
    }
    return format_guess(content) != FORMAT_OPAQUE
               ? NULL
               : &UNDECLARED_FILES[file->format];
}

static enum ag_err
value_or_field(struct core *core, const struct secret_row *row,
               const char *field, struct secret *whole, struct secret **ret)
{
    AG_AUTO(secret) struct secret *owned = whole;
    const struct profile_file *file = NULL;
    enum file_format format = FORMAT_OPAQUE;

    if (field == NULL || field[0] == '\0') {
        *ret = AG_TAKE(owned);
        return AG_OK;
    }
    file = value_fields(core, row, secret_view(owned));
    format = file != NULL ? file->format : format_guess(secret_view(owned));
    return field_get(secret_view(owned), format, span_str(field), ret);
}

enum ag_err
value_of(struct core *core, struct db_read *r, const struct value_wish *wish,
         struct version_row *ret_version, struct secret **ret)
{
    AG_AUTO(secret) struct secret *whole = NULL;
    int64_t number = wish->number;
    enum ag_err err = AG_OK;

    if (number == 0 && mint_has_rule(wish->row)) {
        err = mint_version(r, wish->row, wish->task_id, &number);
        if (err != AG_OK) {
            return err;
        }
    }
    err = versions_value(r, wish->row->id, number, ret_version, &whole);
    if (err == AG_ENOTFOUND && wish->number == 0) {
        return err_why(AG_ENOTFOUND,
                       "%s has no current version; see: auth-guard versions %s",
                       wish->row->name, wish->row->name);
    }
    if (err == AG_ENOTFOUND) {
        return version_missing(wish->row, wish->number);
    }
    if (err != AG_OK) {
        return err;
    }
    return value_or_field(core, wish->row, wish->field, AG_TAKE(whole), ret);
}

enum ag_err
value_by_reference(struct core *core, struct db_read *r, const char *text,
                   struct secret **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct version_row version = {0};
    struct reference ref = {0};
    char field[GRANT_FIELD_BYTES];
    enum ag_err err = parse_reference(span_str(text), &ref);

    if (err == AG_OK) {
        err = secret_named(r, ref.name, &row);
    }
    if (err == AG_OK && ref.pointer.len >= sizeof(field)) {
        err = err_why(AG_EINVAL, "the field of '%.80s' is too long", text);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(field, sizeof(field), "%.*s", (int)ref.pointer.len,
                   (const char *)ref.pointer.ptr);
    return value_of(core, r, &(struct value_wish){.row = &row, .field = field},
                    &version, ret);
}

/* The grant a task reads by, or AG_OK and NULL for an operator. */
static enum ag_err
read_right(const struct call *call, const struct secret_row *row,
           const struct get_request *request, const struct grant **ret)
{
    *ret = NULL;
    if (call->who == CALLER_PROOF && call->token == NULL) {
        return AG_OK;
    }
    if (call->who != CALLER_TASK || call->token == NULL) {
        return AG_EPROOF;
    }
    if (atomic_load(&call->token->revoked)) {
        return AG_EREVOKED; /* while this read waited for the writer */
    }
    if (request->version != 0) {
        return err_why(AG_ENOGRANT, "a task reads the current version only");
    }
    *ret = grant_find(call->token->grants->grants, call->token->grants->count,
                      row->name, request->field, VERB_READ);
    if (*ret == NULL) {
        return err_why(AG_ENOGRANT, "no grant lets this task read %s",
                       row->name);
    }
    if (!verb_allowed(VERB_READ, row->min_grade)) {
        return err_why(AG_EGRADE, "%s allows %s at worst, not read", row->name,
                       grade_text(row->min_grade));
    }
    return AG_OK;
}

/* From the shelf if it is there, else from the store and onto it. Either way
 * the secret's grade was checked for this version when it was first read. */
static enum ag_err
quick_value(struct core *core, const struct call *call,
            const struct get_request *request, struct shelf_item *item,
            struct secret **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    const struct grant *grant = NULL;
    struct version_row version = {0};
    enum ag_err err = shelf_get(core->shelf, item, ret);

    if (err != AG_ENOTFOUND) {
        return err;
    }
    err = store_read(core->store, &r);
    if (err == AG_OK) {
        err = secret_named(r, span_str(request->name), &row);
    }
    if (err == AG_OK) {
        err = read_right(call, &row, request, &grant);
    }
    if (err == AG_OK && mint_has_rule(&row)) {
        return AG_EBUSY; /* each task has its own, and it may have to be made */
    }
    if (err == AG_OK) {
        err = value_of(
            core, r, &(struct value_wish){.row = &row, .field = request->field},
            &version, &value);
    }
    if (err != AG_OK) {
        return err;
    }
    item->secret_id = row.id;
    item->version_id = version.id;
    item->version = version.number;
    shelf_put(core->shelf, item, value);
    *ret = AG_TAKE(value);
    return AG_OK;
}

/* Is this read one that needs no new row: the version's delivery is on record,
 * nothing is counted by the grant, and uses may be journalled? */
static bool
is_quick(struct core *core, const struct call *call,
         const struct get_request *request)
{
    const struct grant *grant = NULL;

    if (call->who != CALLER_TASK || call->token == NULL ||
        request->version != 0 ||
        atomic_load(&call->token->delivered_version_id) == 0 ||
        atomic_load(&call->token->delivered_epoch) >=
            store_epoch(core->store) ||
        atomic_load(&core->audit_strict)) {
        return false;
    }
    grant = grant_find(call->token->grants->grants, call->token->grants->count,
                       request->name, request->field, VERB_READ);
    return grant != NULL && grant->uses == GRANT_USES_UNLIMITED;
}

enum ag_err
core_secret_get_quick(struct core *core, const struct call *call,
                      const struct get_request *request, int64_t *ret_version,
                      struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct shelf_item item = {.name = request->name,
                              .field =
                                  request->field != NULL ? request->field : ""};
    struct use use = {.verb = VERB_READ};
    enum ag_err err = AG_EBUSY;

    if (!is_quick(core, call, request)) {
        return AG_EBUSY;
    }
    item.epoch = store_epoch(core->store);
    err = quick_value(core, call, request, &item, &value);
    if (err != AG_OK) {
        return err;
    }
    if (item.version_id != atomic_load(&call->token->delivered_version_id) ||
        holds_check(core->holds, item.secret_id, request->name) != AG_OK ||
        core_must_hide(core)) {
        return AG_EBUSY;
    }
    use.token_id = call->token->id;
    use.task_id = call->task_id;
    use.secret_id = item.secret_id;
    use.version = item.version;
    err = live_spend(call->token);
    if (err == AG_OK) {
        err = store_use(core->store, &use);
        if (err != AG_OK) {
            live_unspend(call->token);
            return err;
        }
        *ret_version = item.version;
        *ret = AG_TAKE(value);
    }
    return err;
}

/* Lease, exposure and record of one delivery in an answer. */
static enum ag_err
record_read(struct db_tx *tx, const struct call *call,
            const struct secret_row *row, const struct version_row *version,
            enum verb verb)
{
    AG_AUTO(lease_row)
    struct lease_row lease = {
        .task_id = call->task_id,
        .token_id = call->token != NULL ? call->token->id : 0,
        .secret_id = row->id,
        .version = version->number,
        .verb = verb,
        .expires_ms = call->token != NULL
                          ? atomic_load(&call->token->expires_ms)
                          : db_tx_now_ms(tx) + 1,
    };
    const struct exposure_row seen = {.secret_id = row->id,
                                      .version = version->number,
                                      .task_id = call->task_id,
                                      .verb = verb};
    enum ag_err err = AG_OK;

    if (call->task_id != 0) {
        err = leases_add(tx, &lease);
    }
    if (err == AG_OK) {
        err = exposure_note(tx, &seen, NULL);
    }
    if (err != AG_OK) {
        return err;
    }
    return core_note(
        tx, call, verb == VERB_READ ? AUDIT_SECRET_READ : AUDIT_SECRET_REVEALED,
        call->task_id, row->id,
        json_pack("{s:s, s:I, s:s}", "name", row->name, "version",
                  (json_int_t)version->number, "verb", verb_text(verb)));
}

/* Counts a use of a limited grant and a limited token in their rows; the token
 * in memory is counted last, by the caller. */
static enum ag_err
spend(struct db_tx *tx, const struct live_token *token,
      const struct grant *grant)
{
    AG_AUTO(grant_row) struct grant_row grant_row = {0};
    AG_AUTO(token_row) struct token_row token_row = {0};
    size_t index = (size_t)(grant - token->grants->grants);
    enum ag_err err = AG_OK;

    if (grant->uses != GRANT_USES_UNLIMITED) {
        err = grants_get(db_tx_read(tx), token->grants->ids[index], &grant_row);
        if (err == AG_OK && grant_row.uses_count >= grant_row.uses_max) {
            return err_why(AG_EUSEDUP, "the grant on %s has no uses left",
                           grant->secret);
        }
        grant_row.uses_count++;
        err = err == AG_OK ? grants_update(tx, &grant_row) : err;
    }
    if (err != AG_OK ||
        atomic_load(&token->uses_left) == GRANT_USES_UNLIMITED) {
        return err;
    }
    err = tokens_get(db_tx_read(tx), token->id, &token_row);
    if (err == AG_OK) {
        token_row.uses_count++;
        err = tokens_update(tx, &token_row);
    }
    return err;
}

void
reading_done(struct reading *reading)
{
    secret_row_done(&reading->row);
    secret_free(AG_TAKE(reading->value));
}

enum ag_err
value_read(struct core *core, struct db_tx *tx, const struct call *call,
           const struct get_request *request, struct reading *ret)
{
    struct db_read *r = db_tx_read(tx);
    enum ag_err err = secret_named(r, span_str(request->name), &ret->row);

    if (err == AG_OK) {
        err = read_right(call, &ret->row, request, &ret->grant);
    }
    /* By reading the next time (quick_value()) this version is known. */
    if (err == AG_OK && ret->grant != NULL) {
        err = holds_check(core->holds, ret->row.id, ret->row.name);
    }
    if (err == AG_OK && ret->grant != NULL) {
        err = promise_may_read(core, r, call->task_id, &ret->row);
    }
    if (err == AG_OK) {
        err = value_of(core, r,
                       &(struct value_wish){&ret->row, request->field,
                                            request->version, call->task_id},
                       &ret->version, &ret->value);
    }
    return err == AG_OK && ret->grant != NULL
               ? spend(tx, call->token, ret->grant)
               : err;
}

enum ag_err
core_secret_get(struct core *core, struct db_tx *tx, const struct call *call,
                const struct get_request *request, int64_t *ret_version,
                struct secret **ret)
{
    AG_AUTO(reading) struct reading reading = {0};
    enum ag_err err = value_read(core, tx, call, request, &reading);

    if (err == AG_OK) {
        err = record_read(tx, call, &reading.row, &reading.version,
                          reading.grant != NULL ? VERB_READ : VERB_REVEAL);
    }
    if (err == AG_OK && reading.grant != NULL) {
        err = live_spend(call->token);
    }
    if (err != AG_OK) {
        return err;
    }
    if (reading.grant != NULL) {
        atomic_store(&call->token->delivered_epoch, store_epoch(core->store));
        atomic_store(&call->token->delivered_version_id, reading.version.id);
    }
    *ret_version = reading.version.number;
    *ret = AG_TAKE(reading.value);
    return AG_OK;
}
