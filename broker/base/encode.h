/*
 * encode.h - hex, base64 and base62 of public data and, where it says so, of
 * secrets (constant time in the content).
 * Floor: base. Depends on: base/buf, libsodium.
 */
#ifndef AG_BASE_ENCODE_H
#define AG_BASE_ENCODE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    ENCODE_CHECKSUM_CHARS = 6, /* 62^6 > 2^32 */
};

/* Lower-case hex; constant time. */
AG_CHECK AG_NONNULL enum ag_err encode_hex(struct span in, struct buf *out);
/* RFC 4648 section 4 with padding; constant time. */
AG_CHECK AG_NONNULL enum ag_err encode_base64(struct span in, struct buf *out);

/* Strict: padding required, no blanks. Errors: AG_EINVAL, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err decode_base64_secret(struct span in,
                                                     struct secret **ret);

/*
 * Crockford base32 (upper case, no padding), for secrets that people copy by
 * hand. Decoding takes either case, O for 0, I and L for 1, and nothing else;
 * bits left over must be zero. Errors: AG_EINVAL with a sentence, AG_ELIMIT,
 * those of secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err encode_base32_secret(struct span in,
                                                     struct secret **ret);
AG_CHECK AG_NONNULL enum ag_err decode_base32_secret(struct span in,
                                                     struct secret **ret);

/*
 * Exactly `digits` base62 characters (0-9A-Za-z), big-endian, of a number of
 * `in.len` bytes (at most 64) that must fit; and back into out_len bytes.
 * Constant time in the content; no NUL is added. Errors: AG_EINVAL.
 */
AG_CHECK AG_NONNULL enum ag_err encode_base62(struct span in, size_t digits,
                                              char *out);
AG_CHECK AG_NONNULL enum ag_err decode_base62(struct span in, uint8_t *out,
                                              size_t out_len);

/* The checksum of tokens of this kind (ours, GitHub's, npm's): CRC-32 (of
 * zlib, PNG, ISO 3309) in base62. Constant time in the content; no NUL. */
AG_NONNULL void encode_checksum(struct span in,
                                char out[ENCODE_CHECKSUM_CHARS]);

#endif
