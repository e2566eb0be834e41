/*
 * token.h - the text form of tokens, accessors and tickets: made, checked,
 * hashed.
 * Floor: crypt. Depends on: crypt/kdf, base/encode, base/secret.
 *
 * Text (53 characters): prefix 4 | 43 base62 digits of 256 random bits | 6
 * base62 digits of a checksum, zero-padded, both big-endian. The checksum is
 * the CRC-32 (of zlib, PNG, ISO 3309) of the first 47 characters: scanners can
 * tell a token from a look-alike, and a cut or mistyped one is refused before
 * any look-up.
 */
#ifndef AG_CRYPT_TOKEN_H
#define AG_CRYPT_TOKEN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum token_kind {
    TOKEN_TASK,     /* agt_: may use */
    TOKEN_ACCESSOR, /* aga_: may look up and revoke; not a secret */
    TOKEN_PASS,     /* agx_: a single-use ticket */
};

enum {
    TOKEN_RAW_BYTES = 32,
    TOKEN_PREFIX_CHARS = 4,
    TOKEN_CHARS = TOKEN_PREFIX_CHARS + 43 + 6,
    TOKEN_TEXT_BYTES = TOKEN_CHARS + 1, /* with a NUL */
    TOKEN_HASH_BYTES = 32,
};

/* A new random token as text (TOKEN_CHARS, no NUL). Errors: those of
 * secret_new(). */
AG_CHECK AG_NONNULL enum ag_err token_new(enum token_kind kind,
                                          struct secret **ret);

/* The same into an array, with a NUL: for accessors, which are no secrets. */
AG_NONNULL void token_new_text(enum token_kind kind,
                               char out[TOKEN_TEXT_BYTES]);

/* The text of given random bytes (TOKEN_RAW_BYTES, asserted), with a NUL. */
AG_NONNULL void token_text(enum token_kind kind, struct span raw,
                           char out[TOKEN_TEXT_BYTES]);

/*
 * The random bytes of a text; strict, and in constant time for texts of the
 * right length and prefix. `raw` is written on AG_OK only; wipe it.
 * Errors: AG_ETOKEN with a sentence (cut, too long, another kind, a character,
 *         the checksum).
 */
AG_CHECK AG_NONNULL enum ag_err token_parse(enum token_kind kind,
                                            struct span text,
                                            uint8_t raw[TOKEN_RAW_BYTES]);

/* token_parse(), then the hash under which the token is stored: kdf_hash(key,
 * prefix | random bytes), key being the subkey KDF_TOKEN. Errors: AG_ETOKEN. */
AG_CHECK AG_NONNULL enum ag_err token_hash(const struct secret *key,
                                           enum token_kind kind,
                                           struct span text,
                                           uint8_t out[TOKEN_HASH_BYTES]);

/*
 * A renewal: the text that takes the place of `text`. The first half of its
 * random bytes stays, so that all texts of one token can be told from all
 * others (token_line_hash()); the other 128 bits are new.
 * Errors: AG_ETOKEN; those of secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err
token_next(enum token_kind kind, struct span text, struct secret **ret);

/* The hash of what a text shares with those it took the place of: kdf_hash(key,
 * prefix | first half). Errors: AG_ETOKEN. */
AG_CHECK AG_NONNULL enum ag_err token_line_hash(const struct secret *key,
                                                enum token_kind kind,
                                                struct span text,
                                                uint8_t out[TOKEN_HASH_BYTES]);

#endif
