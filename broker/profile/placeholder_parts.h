/*
 * placeholder_parts.h - what the files of placeholder.h share.
 * Floor: profile. Depends on: profile/code, profile/fill.
 */
#ifndef AG_PROFILE_PLACEHOLDER_PARTS_H
#define AG_PROFILE_PLACEHOLDER_PARTS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/code.h"
#include "profile/fill.h"

struct profile_shape;
struct secret;

/* What a placeholder is made under. */
struct making {
    const struct secret *key;
    uint64_t id;
};

enum {
    /* A base62 number of 128 bits takes as many characters. */
    NUMBER_CHARS = 22,
    /* Behind the number where a text is base64: its last character's unused
     * bits must be zero, which those of 'A' always are. */
    BASE64_LAST = 'A',
};

/* '=' at the end, which base64 has and no letter of it is: up to two. */
size_t text_padding(struct span text);

/* Prefix, length and alphabet are as the shape says. A JWT fits none. */
AG_NONNULL bool shape_fits(const struct profile_shape *s, struct span value);

/* Its values may end in '='. */
AG_NONNULL bool shape_has_padding(const struct profile_shape *s);

/* header.payload.signature, base64url without padding, the payload a JSON
 * object? Errors: AG_EINVAL it is not; AG_EMEMLOCK, AG_ENOMEM, AG_ELIMIT. */
AG_CHECK enum ag_err jwt_payload(struct span text, struct secret **ret);
AG_CHECK AG_NONNULL enum ag_err jwt_make(const struct making *m,
                                         struct span real,
                                         const struct secret *payload,
                                         struct buf *out);

/* "-----BEGIN …": a private key or another thing in armour. */
bool key_is_armour(struct span text);
AG_CHECK AG_NONNULL enum ag_err key_make(const struct making *m,
                                         struct span real, struct buf *out);
/* Errors: AG_ENOTFOUND; AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err key_read(const struct secret *key,
                                         struct span text, uint64_t *ret_id);

/* base64(user:password)? Errors: AG_EINVAL it is not; AG_EMEMLOCK, AG_ENOMEM,
 * AG_ELIMIT. */
AG_CHECK enum ag_err basic_open(struct span text, struct secret **ret);
AG_CHECK AG_NONNULL enum ag_err
basic_make(const struct making *m, const struct secret *pair, struct buf *out);
AG_NONNULL bool basic_read(const struct secret *key, struct span text,
                           uint64_t *ret_id);

/* Without a shape: each letter and digit by its class, or as hex. */
AG_CHECK AG_NONNULL enum ag_err plain_make(const struct making *m,
                                           struct span real, struct buf *out);

/* Every grammar that a number at the end of `text` may have, before `text`
 * ends or its checksum does. CODE_OWN: as the scan asks, about one word. */
AG_NONNULL bool number_read(const struct secret *key, struct span text,
                            enum code_check check, uint64_t *ret_id);

/* A look-alike without an id: every letter and digit another, no digit 0; of a
 * `number` the letters stay. */
AG_CHECK AG_NONNULL enum ag_err dummy_make(const struct making *m,
                                           struct span real, bool number,
                                           struct buf *out);

#endif
