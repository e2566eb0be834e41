#include "core/promise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "core/promise_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "crypt/box.h"
#include "profile/plan.h"

void
promises_free(struct promises *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->delivery_count; i++) {
        json_decref(p->described[i]);
    }
    proxied_release(p->proxied);
    json_decref(p->urls);
    json_decref(p->args);
    json_decref(p->unset);
    free(p);
}

enum ag_err
promise_grant(struct promises *p, const char *secret, const char *field,
              enum verb verb, int64_t uses)
{
    struct grant *grant = &p->grants[p->grant_count];

    if (p->grant_count == GRANTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a task may have %d grants at most",
                       GRANTS_MAX_COUNT);
    }
    if (strlen(field) >= sizeof(grant->field)) {
        return err_why(AG_EINVAL, "the field of %s is too long", secret);
    }
    (void)snprintf(grant->secret, sizeof(grant->secret), "%s", secret);
    (void)snprintf(grant->field, sizeof(grant->field), "%s", field);
    grant->verb = verb;
    grant->uses = uses;
    p->grant_count++;
    return AG_OK;
}

/* ---- secrets that must be there and may travel so far ---- */

enum ag_err
promise_secret(struct db_read *r, const char *name, enum verb verb,
               struct secret_row *row)
{
    enum ag_err err = parse_name(span_str(name));

    if (err == AG_OK) {
        err = secrets_find(r, span_str(name), row);
    }
    if (err == AG_ENOTFOUND || (err == AG_OK && row->current_version == 0)) {
        return err_why(AG_ENOTFOUND,
                       "%s is not in the vault; see: auth-guard list, or put "
                       "it there with adopt or put",
                       name);
    }
    if (err == AG_OK && !verb_allowed(verb, row->min_grade)) {
        return err_why(AG_EGRADE, "%s allows %s at worst, not %s", name,
                       grade_text(row->min_grade), verb_text(verb));
    }
    return err;
}

enum ag_err
promise_delivery(struct promises *p, const struct delivery *delivery,
                 json_t *described)
{
    if (described == NULL) {
        return AG_ENOMEM;
    }
    if (p->delivery_count == TASK_DELIVERIES_MAX_COUNT) {
        json_decref(described);
        return err_why(AG_ELIMIT, "a task may be given %d values at most",
                       TASK_DELIVERIES_MAX_COUNT);
    }
    p->deliveries[p->delivery_count] = *delivery;
    p->described[p->delivery_count] = described;
    p->delivery_count++;
    return AG_OK;
}

/* ---- by reference: --env and --file ---- */

struct wish {
    const char *ref;
    enum verb verb;
    const char *key;  /* "var" or "path" */
    const char *text; /* its value */
};

static enum ag_err
by_reference(struct db_read *r, const struct wish *wish, struct promises *p)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct delivery delivery = {.verb = wish->verb};
    struct reference ref = {0};
    char name[NAME_MAX_BYTES + 1];
    enum ag_err err = parse_reference(span_str(wish->ref), &ref);

    if (err != AG_OK) {
        return err;
    }
    if (ref.pointer.len >= sizeof(delivery.field)) {
        return err_why(AG_EINVAL, "the field in '%.80s' is too long",
                       wish->ref);
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)ref.name.len,
                   (const char *)ref.name.ptr);
    (void)snprintf(delivery.field, sizeof(delivery.field), "%.*s",
                   (int)ref.pointer.len, (const char *)ref.pointer.ptr);
    err = promise_secret(r, name, wish->verb, &row);
    if (err != AG_OK) {
        return err;
    }
    delivery.secret_id = row.id;
    delivery.version = row.current_version;
    err = promise_grant(p, name, delivery.field, wish->verb,
                        GRANT_USES_UNLIMITED);
    if (err != AG_OK) {
        return err;
    }
    return promise_delivery(
        p, &delivery,
        json_pack("{s:s, s:s, s:s, s:I, s:b}", "kind", verb_text(wish->verb),
                  wish->key, wish->text, "secret", name, "version",
                  (json_int_t)row.current_version, "watch", 0));
}

/* ---- by profile ---- */

static const char *
plan_by_word(enum deliver_by by)
{
    switch (by) {
    case DELIVER_NONE:
        return "none";
    case DELIVER_ENV:
        return "env";
    case DELIVER_LINK:
        return "link";
    }
    return "none";
}

static enum ag_err
add_words(json_t *list, const struct strings *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (json_array_append_new(list, json_string(words->items[i])) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

/* Arguments are for the profile's own commands; the command line looks. */
static enum ag_err
add_run(const struct profile *profile, struct promises *p)
{
    AG_AUTO(wjson)
    json_t *entry = json_pack("{s:[], s:[]}", "commands", "args");
    enum ag_err err = add_words(p->unset, &profile->run->unset);

    if (entry == NULL) {
        return AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = add_words(json_object_get(entry, "commands"),
                        &profile->run->commands);
    }
    if (err == AG_OK) {
        err = add_words(json_object_get(entry, "args"), &profile->run->args);
    }
    if (err != AG_OK || profile->run->args.count == 0) {
        return err;
    }
    return json_array_append(p->args, entry) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
describe_file(const struct secret_row *row, const struct profile *profile,
              const struct delivery_plan *plan, const char *path, json_t **ret)
{
    json_t *item = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:s}", "kind", "file", "profile",
        profile->name, "secret", row->name, "version",
        (json_int_t)row->current_version, "name", plan->basename, "by",
        plan_by_word(plan->by), "watch", plan->watch, "mode", "0600");

    if (item == NULL) {
        return AG_ENOMEM;
    }
    if (plan->by == DELIVER_ENV &&
        (json_object_set_new(item, "var", json_string(plan->var)) != 0 ||
         json_object_set_new(item, "dir",
                             json_boolean(plan->points == POINTS_DIR)) != 0)) {
        json_decref(item);
        return AG_ENOMEM;
    }
    /* The file's own path if it was adopted from one, else the template. */
    if (plan->by == DELIVER_LINK &&
        json_object_set_new(
            item, "link", json_string(path != NULL ? path : plan->link)) != 0) {
        json_decref(item);
        return AG_ENOMEM;
    }
    *ret = item;
    return AG_OK;
}

static enum ag_err
check_holder(struct core *core, const struct secret_row *row)
{
    int64_t holder = running_holder(core->running, row->id);

    if (holder == 0) {
        return AG_OK;
    }
    return err_why(AG_EHELD,
                   "task %lld holds the login %s, which only one may refresh; "
                   "wait for it, or: auth-guard task end %lld",
                   (long long)holder, row->name, (long long)holder);
}

static enum ag_err
deliver_profile(struct core *core, const struct profile *profile,
                const struct secret_row *row, struct promises *p)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const struct profile_file *file = NULL;
    struct delivery_plan plan = {0};
    struct delivery delivery = {.secret_id = row->id,
                                .verb = VERB_FILE,
                                .profile = profile,
                                .version = row->current_version};
    const char *path = NULL;
    json_t *item = NULL;
    enum ag_err err =
        wjson_parse(span_str(row->detail != NULL ? row->detail : "{}"),
                    SECRET_DETAIL_MAX_BYTES, &detail);

    if (err != AG_OK) {
        return err;
    }
    (void)value_profile(core, row, &file);
    delivery.file_index =
        file != NULL ? (size_t)(file - profile->files.items) : 0;
    path = json_string_value(json_object_get(detail, "path"));
    err = delivery_plan(profile, delivery.file_index, path, &plan);
    if (err == AG_OK) {
        err = describe_file(row, profile, &plan, path, &item);
    }
    if (err != AG_OK) {
        return err;
    }
    delivery.watch = plan.watch;
    delivery.single_holder = plan.single_holder;
    return promise_delivery(p, &delivery, item);
}

/* "codex", or "codex=codex/work" for another secret than the profile's own. */
static enum ag_err
by_profile(struct core *core, struct db_read *r, const char *text,
           struct promises *p)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    const struct profile *profile = NULL;
    char name[NAME_MAX_BYTES + 1];
    const char *equals = strchr(text, '=');
    const char *secret = NULL;
    enum ag_err err = AG_OK;

    (void)snprintf(name, sizeof(name), "%.*s",
                   equals != NULL ? (int)(equals - text) : NAME_MAX_BYTES,
                   text);
    err = trust_find(core, r, name, &profile);
    if (err != AG_OK) {
        return err;
    }
    secret = equals != NULL ? equals + 1 : profile->secret;
    err = promise_secret(r, secret, VERB_FILE, &row);
    if (err == AG_OK && profile->single_holder) {
        err = check_holder(core, &row);
    }
    if (err == AG_OK) {
        err = promise_grant(p, row.name, "", VERB_FILE, GRANT_USES_UNLIMITED);
    }
    if (err == AG_OK) {
        err = deliver_profile(core, profile, &row, p);
    }
    return err == AG_OK ? add_run(profile, p) : err;
}

/* ---- grants asked for by themselves ---- */

static enum ag_err
by_grant(struct db_read *r, const struct task_grant_request *wish,
         struct promises *p)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum verb verb = VERB_READ;
    enum ag_err err = verb_parse(span_str(wish->verb), &verb);

    if (err == AG_OK && verb == VERB_REVEAL) {
        err = err_why(AG_EINVAL, "'reveal' is the operator's own and is never "
                                 "granted");
    }
    if (err == AG_OK) {
        err = parse_name_pattern(span_str(wish->secret));
    }
    /* A pattern is looked at when it is used; a name is checked now. */
    if (err == AG_OK && strchr(wish->secret, '*') == NULL) {
        err = promise_secret(r, wish->secret, verb, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    return promise_grant(p, wish->secret,
                         wish->field != NULL ? wish->field : "", verb,
                         wish->uses);
}

static enum ag_err
references(struct db_read *r, const struct task_request *request,
           struct promises *p)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < request->env_count && err == AG_OK; i++) {
        const struct wish wish = {.ref = request->env[i].ref,
                                  .verb = VERB_ENV,
                                  .key = "var",
                                  .text = request->env[i].var};

        err = parse_env_name(span_str(wish.text));
        if (err == AG_OK) {
            err = by_reference(r, &wish, p);
        }
    }
    for (size_t i = 0; i < request->file_count && err == AG_OK; i++) {
        const struct wish wish = {.ref = request->files[i].ref,
                                  .verb = VERB_FILE,
                                  .key = "path",
                                  .text = request->files[i].path};

        err = by_reference(r, &wish, p);
    }
    return err;
}

enum ag_err
promises_make(struct core *core, struct db_read *r,
              const struct task_request *request, struct promises **ret)
{
    AG_AUTO(promises) struct promises *p = calloc(1, sizeof(*p));
    enum ag_err err = AG_OK;

    if (p == NULL) {
        return AG_ENOMEM;
    }
    p->args = json_array();
    p->unset = json_array();
    p->urls = json_array();
    if (p->args == NULL || p->unset == NULL || p->urls == NULL) {
        return AG_ENOMEM;
    }
    err = proxied_new(request->proxy_count, &p->proxied);
    if (err == AG_OK) {
        p->proxied->count = 0; /* as they come */
    }
    for (size_t i = 0; i < request->profile_count && err == AG_OK; i++) {
        err = by_profile(core, r, request->profiles[i], p);
    }
    if (err == AG_OK) {
        err = references(r, request, p);
    }
    for (size_t i = 0; i < request->proxy_count && err == AG_OK; i++) {
        err = promise_proxied(r, &request->proxies[i], p);
    }
    for (size_t i = 0; i < request->grant_count && err == AG_OK; i++) {
        err = by_grant(r, &request->grants[i], p);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(p);
    }
    return err;
}

enum ag_err
promise_spill_key(struct core *core, json_t *answer)
{
    AG_AUTO(buf) struct buf text = {0};
    uint8_t key[BOX_PUBLIC_BYTES];
    AG_AUTO(secret) struct secret *seed = NULL;
    enum ag_err err = core_key(core, KDF_SPILL, &seed);

    buf_init(&text, 64, BUF_PLAIN);
    if (err == AG_OK) {
        err = box_public(seed, key);
    }
    if (err == AG_OK) {
        err = encode_base64(span_of(key, sizeof(key)), &text);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(
               answer, "spill_key",
               json_stringn((const char *)text.ptr, text.len)) == 0
               ? AG_OK
               : AG_ENOMEM;
}
