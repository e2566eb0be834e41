#include "crypt/keyring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"

struct keyring {
    pthread_rwlock_t lock; /* write: open and lock; read: every use */
    enum keyring_state state;
    uint8_t vault_id[KEYRING_VAULT_ID_BYTES];
    struct secret *root;
    struct secret *keys[KDF_KEY_END];
};

static void
keyring_move(struct keyring *kr, enum keyring_state state)
{
    switch (state) {
    case KEYRING_LOCKED:
        AG_ASSERT(kr->state == KEYRING_OPEN);
        break;
    case KEYRING_OPEN:
        AG_ASSERT(kr->state == KEYRING_LOCKED);
        break;
    }
    kr->state = state;
}

enum ag_err
keyring_new(const uint8_t vault_id[KEYRING_VAULT_ID_BYTES],
            struct keyring **ret)
{
    struct keyring *kr = calloc(1, sizeof(*kr));

    if (kr == NULL || pthread_rwlock_init(&kr->lock, NULL) != 0) {
        free(kr);
        return AG_ENOMEM;
    }
    kr->state = KEYRING_LOCKED;
    memcpy(kr->vault_id, vault_id, sizeof(kr->vault_id));
    *ret = kr;
    return AG_OK;
}

static void
drop_keys(struct secret **root, struct secret *keys[KDF_KEY_END])
{
    secret_free(AG_TAKE(*root));
    for (size_t i = 0; i < KDF_KEY_END; i++) {
        secret_free(AG_TAKE(keys[i]));
    }
}

void
keyring_free(struct keyring *kr)
{
    if (kr == NULL) {
        return;
    }
    keyring_lock(kr);
    (void)pthread_rwlock_destroy(&kr->lock);
    free(kr);
}

static enum ag_err
derive_all(const struct secret *root, struct secret **ret_root,
           struct secret *keys[KDF_KEY_END])
{
    enum ag_err err = secret_from(secret_view(root), ret_root);

    for (int i = KDF_WRAP; err == AG_OK && i < KDF_KEY_END; i++) {
        err = kdf_subkey(root, (enum kdf_key)i, &keys[i]);
    }
    return err;
}

enum ag_err
keyring_open(struct keyring *kr, const struct secret *root)
{
    struct secret *copy = NULL;
    struct secret *keys[KDF_KEY_END] = {NULL};
    enum ag_err err = derive_all(root, &copy, keys);

    if (err == AG_OK) {
        (void)pthread_rwlock_wrlock(&kr->lock);
        if (kr->state == KEYRING_LOCKED) {
            kr->root = AG_TAKE(copy);
            memcpy(kr->keys, keys, sizeof(keys));
            memset(keys, 0, sizeof(keys));
            keyring_move(kr, KEYRING_OPEN);
        } else {
            err = err_why(AG_EINVAL, "the keyring is open already");
        }
        (void)pthread_rwlock_unlock(&kr->lock);
    }
    drop_keys(&copy, keys);
    return err;
}

void
keyring_lock(struct keyring *kr)
{
    (void)pthread_rwlock_wrlock(&kr->lock);
    if (kr->state == KEYRING_OPEN) {
        drop_keys(&kr->root, kr->keys);
        keyring_move(kr, KEYRING_LOCKED);
    }
    (void)pthread_rwlock_unlock(&kr->lock);
}

enum keyring_state
keyring_state(struct keyring *kr)
{
    enum keyring_state state;

    (void)pthread_rwlock_rdlock(&kr->lock);
    state = kr->state;
    (void)pthread_rwlock_unlock(&kr->lock);
    return state;
}

const uint8_t *
keyring_vault_id(const struct keyring *kr)
{
    return kr->vault_id;
}

/*
 * Holds the keys still and lends one; end_use() lets go. NULL, and nothing to
 * end, when the keyring is locked.
 */
static const struct secret *
begin_use(struct keyring *kr, enum kdf_key purpose)
{
    AG_ASSERT(purpose >= KDF_WRAP && purpose < KDF_KEY_END);
    (void)pthread_rwlock_rdlock(&kr->lock);
    if (kr->state == KEYRING_LOCKED) {
        (void)pthread_rwlock_unlock(&kr->lock);
        return NULL;
    }
    return kr->keys[purpose];
}

static void
end_use(struct keyring *kr)
{
    (void)pthread_rwlock_unlock(&kr->lock);
}

enum ag_err
keyring_key(struct keyring *kr, enum kdf_key purpose, struct secret **ret)
{
    const struct secret *key = begin_use(kr, purpose);
    enum ag_err err = AG_OK;

    if (key == NULL) {
        return AG_ELOCKED;
    }
    err = secret_from(secret_view(key), ret);
    end_use(kr);
    return err;
}

enum ag_err
keyring_root(struct keyring *kr, const struct secret **ret)
{
    if (begin_use(kr, KDF_WRAP) == NULL) {
        return AG_ELOCKED;
    }
    *ret = kr->root;
    end_use(kr);
    return AG_OK;
}

enum ag_err
keyring_hash(struct keyring *kr, enum kdf_key purpose, struct span data,
             uint8_t out[KDF_HASH_BYTES])
{
    const struct secret *key = begin_use(kr, purpose);

    if (key == NULL) {
        return AG_ELOCKED;
    }
    kdf_hash(key, data, out);
    end_use(kr);
    return AG_OK;
}

enum ag_err
keyring_token_hash(struct keyring *kr, enum token_kind kind, struct span text,
                   uint8_t out[TOKEN_HASH_BYTES])
{
    const struct secret *key = begin_use(kr, KDF_TOKEN);
    enum ag_err err;

    if (key == NULL) {
        return AG_ELOCKED;
    }
    err = token_hash(key, kind, text, out);
    end_use(kr);
    return err;
}

enum ag_err
keyring_token_line(struct keyring *kr, enum token_kind kind, struct span text,
                   uint8_t out[TOKEN_HASH_BYTES])
{
    const struct secret *key = begin_use(kr, KDF_TOKEN);
    enum ag_err err;

    if (key == NULL) {
        return AG_ELOCKED;
    }
    err = token_line_hash(key, kind, text, out);
    end_use(kr);
    return err;
}

static struct seal_at
own_place(const struct keyring *kr, const struct seal_at *at)
{
    struct seal_at own = *at;

    own.vault_id = kr->vault_id;
    return own;
}

enum ag_err
keyring_data_wrap(struct keyring *kr, const struct seal_at *at,
                  const struct secret *data_key, struct buf *wrapped)
{
    struct seal_at own = own_place(kr, at);
    const struct secret *key;
    enum ag_err err;

    if (secret_len(data_key) != KEYRING_DATA_KEY_BYTES) {
        return err_why(AG_EINVAL, "a data key has %d bytes",
                       KEYRING_DATA_KEY_BYTES);
    }
    key = begin_use(kr, KDF_WRAP);
    if (key == NULL) {
        return AG_ELOCKED;
    }
    err = seal_make(key, &own, secret_view(data_key), wrapped);
    end_use(kr);
    return err;
}

enum ag_err
keyring_data_new(struct keyring *kr, const struct seal_at *at,
                 struct buf *wrapped, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    enum ag_err err = secret_new(KEYRING_DATA_KEY_BYTES, &key);

    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(secret_bytes(key), KEYRING_DATA_KEY_BYTES);
    err = keyring_data_wrap(kr, at, key, wrapped);
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(key);
    return AG_OK;
}

enum ag_err
keyring_data_open(struct keyring *kr, const struct seal_at *at,
                  struct span wrapped, struct secret **ret)
{
    struct seal_at own = own_place(kr, at);
    const struct secret *key = begin_use(kr, KDF_WRAP);
    enum ag_err err;

    if (key == NULL) {
        return AG_ELOCKED;
    }
    err =
        wrapped.len == KEYRING_WRAPPED_BYTES
            ? seal_open(key, &own, wrapped, ret)
            : err_why(AG_ECORRUPT, "the key of %s row %lld has a wrong length",
                      at->table, (long long)at->row);
    end_use(kr);
    return err;
}

enum ag_err
keyring_data_rewrap(struct keyring *old_ring, struct keyring *new_ring,
                    const struct seal_at *at, struct span wrapped,
                    struct buf *out)
{
    AG_AUTO(secret) struct secret *key = NULL;
    enum ag_err err = keyring_data_open(old_ring, at, wrapped, &key);

    return err != AG_OK ? err : keyring_data_wrap(new_ring, at, key, out);
}
