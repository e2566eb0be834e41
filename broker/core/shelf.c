#include "core/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
};

struct place {
    char key[SHELF_KEY_MAX_BYTES]; /* name, NUL, field, NUL */
    size_t key_len;                /* 0: empty */
    uint64_t epoch;
    int64_t secret_id;
    int64_t version_id;
    int64_t version;
    size_t sealed_len;
    uint8_t nonce[NONCE_BYTES];
    uint8_t sealed[SHELF_VALUE_MAX_BYTES + TAG_BYTES];
};

struct shelf {
    pthread_rwlock_t lock;
    struct secret *key; /* NULL while locked */
    struct place *places[SHELF_PLACES_COUNT];
};

enum ag_err
shelf_new(struct shelf **ret)
{
    struct shelf *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return AG_ENOMEM;
    }
    if (pthread_rwlock_init(&s->lock, NULL) != 0) {
        free(s);
        return AG_ENOMEM;
    }
    *ret = s;
    return AG_OK;
}

static void
clear(struct shelf *s)
{
    for (size_t i = 0; i < SHELF_PLACES_COUNT; i++) {
        free(s->places[i]);
        s->places[i] = NULL;
    }
    secret_free(AG_TAKE(s->key));
}

void
shelf_free(struct shelf *s)
{
    if (s == NULL) {
        return;
    }
    clear(s);
    (void)pthread_rwlock_destroy(&s->lock);
    free(s);
}

enum ag_err
shelf_open(struct shelf *s)
{
    struct secret *key = NULL;
    enum ag_err err = secret_new(KEY_BYTES, &key);

    if (err != AG_OK) {
        return err;
    }
    crypto_aead_xchacha20poly1305_ietf_keygen(secret_bytes(key));
    (void)pthread_rwlock_wrlock(&s->lock);
    clear(s);
    s->key = key;
    (void)pthread_rwlock_unlock(&s->lock);
    return AG_OK;
}

void
shelf_close(struct shelf *s)
{
    (void)pthread_rwlock_wrlock(&s->lock);
    clear(s);
    (void)pthread_rwlock_unlock(&s->lock);
}

/* The key of an item; 0 when it is too long for a place. */
static size_t
make_key(const struct shelf_item *item, char out[SHELF_KEY_MAX_BYTES])
{
    size_t name_len = strlen(item->name) + 1;
    size_t field_len = strlen(item->field) + 1;

    if (name_len + field_len > SHELF_KEY_MAX_BYTES) {
        return 0;
    }
    memcpy(out, item->name, name_len);
    memcpy(out + name_len, item->field, field_len);
    return name_len + field_len;
}

/* FNV-1a: names are the operator's, nobody gains by making them collide. */
static size_t
place_of(const char *key, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)key[i]) * 0x100000001b3ULL;
    }
    return (size_t)(hash % SHELF_PLACES_COUNT);
}

static void
fill(const struct shelf *s, struct place *p, const struct shelf_item *item,
     struct span value)
{
    randombytes_buf(p->nonce, sizeof(p->nonce));
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        p->sealed, NULL, value.ptr, value.len, (const uint8_t *)p->key,
        p->key_len, NULL, p->nonce, secret_view(s->key).ptr);
    p->sealed_len = value.len + TAG_BYTES;
    p->epoch = item->epoch;
    p->secret_id = item->secret_id;
    p->version_id = item->version_id;
    p->version = item->version;
}

void
shelf_put(struct shelf *s, const struct shelf_item *item,
          const struct secret *value)
{
    struct span bytes = secret_view(value);
    char key[SHELF_KEY_MAX_BYTES];
    size_t key_len = make_key(item, key);
    struct place **at = &s->places[place_of(key, key_len)];

    if (key_len == 0 || bytes.len > SHELF_VALUE_MAX_BYTES) {
        return;
    }
    (void)pthread_rwlock_wrlock(&s->lock);
    if (s->key != NULL && *at == NULL) {
        *at = calloc(1, sizeof(**at)); /* without it the shelf stays empty */
    }
    if (s->key != NULL && *at != NULL) {
        memcpy((*at)->key, key, key_len);
        (*at)->key_len = key_len;
        fill(s, *at, item, bytes);
    }
    (void)pthread_rwlock_unlock(&s->lock);
}

static enum ag_err
open_place(const struct shelf *s, const struct place *p,
           struct shelf_item *item, struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = secret_new(p->sealed_len - TAG_BYTES, &value);

    if (err != AG_OK) {
        return err;
    }
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            secret_bytes(value), NULL, NULL, p->sealed, p->sealed_len,
            (const uint8_t *)p->key, p->key_len, p->nonce,
            secret_view(s->key).ptr) != 0) {
        return AG_ENOTFOUND;
    }
    item->secret_id = p->secret_id;
    item->version_id = p->version_id;
    item->version = p->version;
    *ret = AG_TAKE(value);
    return AG_OK;
}

enum ag_err
shelf_get(struct shelf *s, struct shelf_item *item, struct secret **ret)
{
    char key[SHELF_KEY_MAX_BYTES];
    size_t key_len = make_key(item, key);
    const struct place *p = NULL;
    enum ag_err err = AG_ENOTFOUND;

    if (key_len == 0) {
        return AG_ENOTFOUND;
    }
    (void)pthread_rwlock_rdlock(&s->lock);
    p = s->places[place_of(key, key_len)];
    if (s->key != NULL && p != NULL && p->key_len == key_len &&
        span_equal(span_of(p->key, key_len), span_of(key, key_len)) &&
        p->epoch == item->epoch) {
        err = open_place(s, p, item, ret);
    }
    (void)pthread_rwlock_unlock(&s->lock);
    return err;
}
