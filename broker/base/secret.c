#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/arena.h"

/* The handle lies outside the arena. Behind the value stands a canary. */
struct secret {
    uint8_t *ptr;
    size_t len;
};

enum {
    CANARY_BYTES = 8
};

static const uint8_t CANARY[CANARY_BYTES] = {0x9b, 0xe1, 0x37, 0xc4,
                                             0x0a, 0xd2, 0x58, 0xf6};

enum ag_err
secret_arena_open(size_t bytes)
{
    if (sodium_init() < 0) {
        return err_why(AG_EINTERNAL, "libsodium could not be started");
    }
    return arena_open(bytes);
}

enum secret_backing
secret_arena_backing(void)
{
    return arena_backing();
}

void
secret_arena_close(void)
{
    arena_close();
}

size_t
secret_arena_used_bytes(void)
{
    return arena_used_bytes();
}

enum ag_err
secret_new(size_t len, struct secret **ret)
{
    struct secret *s;
    enum ag_err err;

    if (len > SECRET_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a secret of %zu bytes is above %d", len,
                       SECRET_MAX_BYTES);
    }
    s = malloc(sizeof(*s));
    if (s == NULL) {
        return AG_ENOMEM;
    }
    err = arena_take(len + CANARY_BYTES, &s->ptr);
    if (err != AG_OK) {
        free(s);
        return err;
    }
    s->len = len;
    memcpy(s->ptr + len, CANARY, CANARY_BYTES);
    *ret = s;
    return AG_OK;
}

enum ag_err
secret_from(struct span bytes, struct secret **ret)
{
    struct secret *s;
    enum ag_err err = secret_new(bytes.len, &s);

    if (err != AG_OK) {
        return err;
    }
    if (bytes.len > 0) {
        memcpy(s->ptr, bytes.ptr, bytes.len);
    }
    *ret = s;
    return AG_OK;
}

void
secret_free(struct secret *s)
{
    if (s == NULL) {
        return;
    }
    AG_ASSERT(memcmp(s->ptr + s->len, CANARY, CANARY_BYTES) == 0);
    wipe(s->ptr, s->len + CANARY_BYTES);
    arena_give(s->ptr);
    s->ptr = NULL;
    free(s);
}

struct span
secret_view(const struct secret *s)
{
    return span_of(s->ptr, s->len);
}

uint8_t *
secret_bytes(struct secret *s)
{
    return s->ptr;
}

size_t
secret_len(const struct secret *s)
{
    return s->len;
}

void
secret_shrink(struct secret *s, size_t len)
{
    AG_ASSERT(len <= s->len);
    wipe(s->ptr + len, s->len - len + CANARY_BYTES);
    s->len = len;
    memcpy(s->ptr + len, CANARY, CANARY_BYTES);
}

bool
secret_equal(const struct secret *a, const struct secret *b)
{
    return secret_equal_span(a, secret_view(b));
}

bool
secret_equal_span(const struct secret *a, struct span b)
{
    return a->len == b.len &&
           (b.len == 0 || sodium_memcmp(a->ptr, b.ptr, b.len) == 0);
}

void
wipe(void *ptr, size_t len)
{
    if (len > 0) {
        sodium_memzero(ptr, len);
    }
}
