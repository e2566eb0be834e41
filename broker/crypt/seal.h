/*
 * seal.h - authenticated encryption of one stored column.
 * Floor: crypt. Depends on: base/buf, base/secret, base/span, libsodium.
 *
 * Blob layout (bytes): version 1 | nonce 24 | ciphertext n | tag 16.
 * Source: XChaCha20-Poly1305 IETF, draft-irtf-cfrg-xchacha-03 section 2. The
 * nonce is random: 192 bits need no counter.
 *
 * Associated data (one encoding for all callers, so that a blob moved to
 * another vault, table, row, column or version does not open):
 *   "ag-seal\0" 8 | vault id 16 | row u64le | version u64le |
 *   table length u8 | table | column length u8 | column
 */
#ifndef AG_CRYPT_SEAL_H
#define AG_CRYPT_SEAL_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct secret;

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_OVERHEAD_BYTES = 1 + 24 + 16,
    SEAL_PLAIN_MAX_BYTES = 128 * 1024, /* one value or one row's metadata */
    SEAL_VAULT_ID_BYTES = 16,
    SEAL_WORD_MAX_BYTES = 48, /* name of a table or column */
};

/* The place a blob belongs to. row and version are 0 where there is none. */
struct seal_at {
    const uint8_t *vault_id; /* SEAL_VAULT_ID_BYTES */
    const char *table;
    const char *column;
    int64_t row;
    int64_t version;
};

/*
 * Appends the sealed `plain` (0 to SEAL_PLAIN_MAX_BYTES bytes) to `out`.
 * Errors: AG_EINVAL key length or a word of `at` too long; AG_ELIMIT plain or
 *         buffer; AG_ENOMEM. On error `out` is unchanged.
 * Threads: safe; no shared state. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err seal_make(const struct secret *key,
                                          const struct seal_at *at,
                                          struct span plain, struct buf *out);

/*
 * Opens `blob`, which must have been sealed for the same place.
 * Ownership: on AG_OK the caller owns *ret and frees it with secret_free().
 *            On error *ret is untouched.
 * Errors:    AG_EINVAL   key length or a word of `at`;
 *            AG_ELIMIT   plaintext would exceed SEAL_PLAIN_MAX_BYTES;
 *            AG_ECORRUPT too short, unknown version, or the tag does not match
 *                        (the sentence names table, row and column);
 *            AG_ENOMEM, AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err seal_open(const struct secret *key,
                                          const struct seal_at *at,
                                          struct span blob,
                                          struct secret **ret);

/* The same for what is no secret (names, details): appended to `out`, which
 * is unchanged on error. Give it a BUF_WIPE buffer all the same. */
AG_CHECK AG_NONNULL enum ag_err seal_open_buf(const struct secret *key,
                                              const struct seal_at *at,
                                              struct span blob,
                                              struct buf *out);

#endif
