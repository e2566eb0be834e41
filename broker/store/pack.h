/*
 * pack.h - texts of a row packed into one body, which is then sealed whole: one
 * seal a row however many texts.
 * Floor: store. Depends on: base/buf.
 *
 * Body: for each text its length u32le and its bytes, in a fixed order per
 * table. Reading is strict: a text too long for its place or bytes left over
 * are AG_ECORRUPT. Failures stick; *_end() gives the first.
 */
#ifndef AG_STORE_PACK_H
#define AG_STORE_PACK_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    BODY_MAX_BYTES = 64 * 1024, /* texts of one row */
};

struct pack {
    struct buf *out;
    enum ag_err err;
};

AG_NONNULL void pack_text(struct pack *p, const char *text, size_t max_bytes);
AG_NONNULL void pack_bytes(struct pack *p, struct span bytes, size_t max_bytes);
/* NULL is packed as "{}". */
void pack_json(struct pack *p, const char *json, size_t max_bytes);

struct unpack {
    struct span rest;
    enum ag_err err;
};

/* Into an array of `size` bytes, with a NUL. */
AG_NONNULL void unpack_text(struct unpack *u, char *out, size_t size);
/* Borrowed from the body. */
AG_NONNULL struct span unpack_bytes(struct unpack *u);
/* A new string with a NUL; the caller's, freed with text_free(). */
AG_NONNULL void unpack_new(struct unpack *u, char **ret);
AG_CHECK AG_NONNULL enum ag_err unpack_end(struct unpack *u);

/* Wipes and frees; NULL is allowed. */
void text_free(char *text);

#endif
