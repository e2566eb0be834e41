#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "caller/peer.h"

struct core_settings
core_settings_of(struct core *core)
{
    struct core_settings copy;

    (void)pthread_mutex_lock(&core->settings_lock);
    copy = core->settings;
    (void)pthread_mutex_unlock(&core->settings_lock);
    return copy;
}

enum ag_err
core_need_open(struct core *core)
{
    switch (atomic_load(&core->state)) {
    case VAULT_ABSENT:
        return AG_ENOVAULT;
    case VAULT_LOCKED:
        return AG_ELOCKED;
    case VAULT_OPEN:
        return AG_OK;
    }
    return AG_EINTERNAL;
}

enum ag_err
core_set_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];
    json_t *value = NULL;

    if (wall_ms == 0) {
        value = json_null();
    } else {
        clock_text(wall_ms, text);
        value = json_string(text);
    }
    return json_object_set_new(object, key, value) == 0 ? AG_OK : AG_ENOMEM;
}

void
core_set_keyring(struct core *core, struct keyring *fresh)
{
    struct keyring *before = atomic_exchange(&core->keyring, fresh);

    /* After the exchange: whoever has the new number has the new keys. */
    (void)atomic_fetch_add(&core->keyring_count, 1);
    if (before != NULL) {
        keyring_lock(before);
    }
    keyring_free(core->retired);
    core->retired = before;
}

uint64_t
core_keyring_number(struct core *core)
{
    return atomic_load(&core->keyring_count);
}

enum ag_err
core_token_hash(struct core *core, enum token_kind kind, struct span text,
                uint8_t out[TOKEN_HASH_BYTES])
{
    struct keyring *keyring = atomic_load(&core->keyring);

    return keyring != NULL ? keyring_token_hash(keyring, kind, text, out)
                           : AG_ELOCKED;
}

enum ag_err
core_token_line(struct core *core, enum token_kind kind, struct span text,
                uint8_t out[TOKEN_HASH_BYTES])
{
    struct keyring *keyring = atomic_load(&core->keyring);

    return keyring != NULL ? keyring_token_line(keyring, kind, text, out)
                           : AG_ELOCKED;
}

enum ag_err
core_key(struct core *core, enum kdf_key purpose, struct secret **ret)
{
    struct keyring *keyring = atomic_load(&core->keyring);

    return keyring != NULL ? keyring_key(keyring, purpose, ret) : AG_ELOCKED;
}

enum ag_err
core_dump(const json_t *tree, char **ret)
{
    AG_AUTO(buf) struct buf text = {0};
    char *copy = NULL;
    enum ag_err err = AG_OK;

    buf_init(&text, WJSON_MAX_BYTES, BUF_PLAIN);
    err = wjson_dump(tree, &text);
    if (err != AG_OK) {
        return err;
    }
    copy = buf_cstr(&text) != NULL ? strdup(buf_cstr(&text)) : NULL;
    if (copy == NULL) {
        return AG_ENOMEM;
    }
    *ret = copy;
    return AG_OK;
}

/* Who asked, in every row that a caller caused. */
static enum ag_err
add_caller(json_t *body, const struct call *call)
{
    json_t *caller =
        json_pack("{s:s, s:I}", "class", caller_class_name(call->who), "pid",
                  (json_int_t)peer_pid(call->peer));

    if (caller == NULL) {
        return AG_ENOMEM;
    }
    if (peer_facts(call->peer) != NULL) {
        const struct proc_facts *facts = peer_facts(call->peer);

        if (json_object_set_new(caller, "sid", json_integer(facts->sid)) != 0 ||
            json_object_set_new(caller, "name", json_string(facts->name)) !=
                0) {
            json_decref(caller);
            return AG_ENOMEM;
        }
    }
    return json_object_set_new(body, "by", caller) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_note(struct db_tx *tx, const struct call *call, enum audit_kind kind,
          int64_t task_id, int64_t secret_id, json_t *body)
{
    AG_AUTO(wjson) json_t *owned = body;
    struct audit_event event = {
        .kind = kind, .task_id = task_id, .secret_id = secret_id};
    char *text = NULL;
    enum ag_err err = AG_OK;

    if (owned == NULL) {
        return AG_ENOMEM;
    }
    if (call != NULL) {
        event.token_id = call->token != NULL ? call->token->id : 0;
        err = add_caller(owned, call);
        if (err != AG_OK) {
            return err;
        }
    }
    err = core_dump(owned, &text);
    if (err != AG_OK) {
        return err;
    }
    event.json = span_str(text);
    err = audit_append(tx, &event, NULL);
    free(text);
    return err;
}

enum ag_err
core_parse_id(const char *text, int64_t *ret)
{
    uint64_t id = 0;
    enum ag_err err = parse_u64(span_str(text), INT64_MAX, &id);

    if (err != AG_OK || id == 0) {
        return err_why(AG_EINVAL,
                       "'%.40s' is not an id; see: auth-guard task "
                       "list",
                       text);
    }
    *ret = (int64_t)id;
    return AG_OK;
}
