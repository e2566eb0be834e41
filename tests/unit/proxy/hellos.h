/*
 * hellos.h - greetings of TLS clients, made by hand.
 */
#ifndef AG_TESTS_UNIT_PROXY_HELLOS_H
#define AG_TESTS_UNIT_PROXY_HELLOS_H

#include <string.h>

#include "common/check.h"

/* A greeting made by hand: `names` is the server_name extension's body. */
struct made {
    uint8_t bytes[1024];
    size_t len;
};

static inline void
put_bytes(struct made *m, const void *bytes, size_t len)
{
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

static inline void
put_number(struct made *m, size_t number, size_t width)
{
    for (size_t i = width; i > 0; i--) {
        m->bytes[m->len++] = (uint8_t)(number >> 8 * (i - 1));
    }
}

static inline void
put_name(struct made *ext, const char *name, size_t type)
{
    size_t len = strlen(name);

    put_number(ext, 0, 2);
    put_number(ext, len + 5, 2);
    put_number(ext, len + 3, 2);
    put_number(ext, type, 1);
    put_number(ext, len, 2);
    put_bytes(ext, name, len);
}

/* The message, with `ext` as its extensions. */
static inline struct made
message(const struct made *ext)
{
    struct made m = {0};

    put_number(&m, 1, 1);
    put_number(&m, 2 + 32 + 1 + 2 + 2 + 2 + 2 + ext->len, 3);
    put_number(&m, 0x0303, 2);
    m.len += 32;
    put_number(&m, 0, 1);
    put_number(&m, 2, 2);
    put_number(&m, 0x1301, 2);
    put_number(&m, 1, 1);
    put_number(&m, 0, 1);
    put_number(&m, ext->len, 2);
    put_bytes(&m, ext->bytes, ext->len);
    return m;
}

/* In records of `size` bytes. */
static inline struct made
records(const struct made *m, size_t size)
{
    struct made out = {0};

    for (size_t at = 0; at < m->len; at += size) {
        size_t len = m->len - at < size ? m->len - at : size;

        put_number(&out, 22, 1);
        put_number(&out, 0x0301, 2);
        put_number(&out, len, 2);
        put_bytes(&out, m->bytes + at, len);
    }
    return out;
}

static inline struct made
greeting(const char *name, size_t size)
{
    struct made ext = {0};
    struct made m;

    if (name != NULL) {
        put_name(&ext, name, 0);
    }
    m = message(&ext);
    return records(&m, size);
}

#endif
