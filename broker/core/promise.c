#include "core/promise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "core/allowed.h"
#include "core/holds.h"
#include "core/mint.h"
#include "core/places.h"
#include "core/promise_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "crypt/box.h"

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
    json_decref(p->downgraded);
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
    if (err == AG_ENOTFOUND ||
        (err == AG_OK && row->current_version == 0 && !mint_has_rule(row))) {
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
by_reference(const struct promising *m, const struct wish *wish)
{
    struct promises *p = m->p;
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
    err = promise_secret(db_tx_read(m->tx), name, wish->verb, &row);
    if (err == AG_OK) {
        err = promise_by_name(m, &row, wish->verb);
    }
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
    return promise_delivery(p, &delivery,
                            json_pack("{s:s, s:s, s:s, s:I, s:b, s:s}", "kind",
                                      verb_text(wish->verb), wish->key,
                                      wish->text, "secret", name, "version",
                                      (json_int_t)row.current_version, "watch",
                                      0, "grade", verb_text(wish->verb)));
}

/* ---- grants asked for by themselves ---- */

static enum ag_err
by_grant(const struct promising *m, const struct task_grant_request *wish)
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
    /* What a pattern's secrets allow is looked at when they are used. */
    if (err == AG_OK && strchr(wish->secret, '*') != NULL) {
        err = promise_by_pattern(m, wish->secret, verb);
    } else if (err == AG_OK) {
        err = promise_secret(db_tx_read(m->tx), wish->secret, verb, &row);
        err = err == AG_OK ? promise_by_name(m, &row, verb) : err;
    }
    if (err != AG_OK) {
        return err;
    }
    return promise_grant(m->p, wish->secret,
                         wish->field != NULL ? wish->field : "", verb,
                         wish->uses);
}

static enum ag_err
references(const struct promising *m)
{
    const struct task_request *request = m->request;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < request->env_count && err == AG_OK; i++) {
        const struct wish wish = {.ref = request->env[i].ref,
                                  .verb = VERB_ENV,
                                  .key = "var",
                                  .text = request->env[i].var};

        err = parse_env_name(span_str(wish.text));
        if (err == AG_OK) {
            err = by_reference(m, &wish);
        }
    }
    for (size_t i = 0; i < request->file_count && err == AG_OK; i++) {
        const struct wish wish = {.ref = request->files[i].ref,
                                  .verb = VERB_FILE,
                                  .key = "path",
                                  .text = request->files[i].path};

        err = by_reference(m, &wish);
    }
    return err;
}

static enum ag_err
all(const struct promising *m)
{
    const struct task_request *request = m->request;
    struct db_read *r = db_tx_read(m->tx);
    enum ag_err err = places_widen(m->core, m->tx, m->call, request);

    for (size_t i = 0; i < request->profile_count && err == AG_OK; i++) {
        err = promise_profile(m, request->profiles[i]);
    }
    if (err == AG_OK) {
        err = references(m);
    }
    for (size_t i = 0; i < request->proxy_count && err == AG_OK; i++) {
        err = promise_proxied(r, &request->proxies[i], m->p);
    }
    for (size_t i = 0; i < request->grant_count && err == AG_OK; i++) {
        err = by_grant(m, &request->grants[i]);
    }
    return err;
}

/* What may have leaked goes to no new task until the incident is closed. */
static enum ag_err
check_holds(struct core *core, struct db_read *r, const struct promises *p)
{
    int64_t ids[2 * TASK_DELIVERIES_MAX_COUNT];
    size_t count = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < p->delivery_count; i++) {
        ids[count++] = p->deliveries[i].secret_id;
    }
    for (size_t i = 0; i < p->proxied->count && count < AG_COUNT(ids); i++) {
        ids[count++] = p->proxied->items[i].secret_id;
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        AG_AUTO(secret_row) struct secret_row row = {0};

        err = holds_check(core->holds, ids[i], "");
        if (err == AG_EONHOLD && secrets_get(r, ids[i], &row) == AG_OK) {
            err = err_why(err,
                          "%s is on hold, since it may have leaked; see: "
                          "auth-guard incident list",
                          row.name);
        }
    }
    return err;
}

enum ag_err
promises_make(struct core *core, struct db_tx *tx, const struct call *call,
              const struct task_request *request, struct promises **ret)
{
    AG_AUTO(promises) struct promises *p = calloc(1, sizeof(*p));
    const struct promising m = {core, tx, call, request, p};
    enum ag_err err = AG_OK;

    if (p == NULL) {
        return AG_ENOMEM;
    }
    p->args = json_array();
    p->unset = json_array();
    p->urls = json_array();
    p->downgraded = json_object();
    if (p->args == NULL || p->unset == NULL || p->urls == NULL ||
        p->downgraded == NULL) {
        return AG_ENOMEM;
    }
    err =
        proxied_new(request->proxy_count + request->profile_count, &p->proxied);
    if (err == AG_OK) {
        p->proxied->count = 0; /* as they come */
        err = all(&m);
    }
    if (err == AG_OK) {
        err = check_holds(core, db_tx_read(tx), p);
    }
    if (err == AG_OK) {
        err = allowed_take(call, request, p->proxied);
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
