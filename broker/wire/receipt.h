/*
 * receipt.h - the receipt of a redaction: a statement about one stream, its
 * text, and the signed line it travels in. No keys here: who signs and who
 * checks bring their own function.
 * Floor: wire. Depends on: wire/emit, wire/msg, libsodium (base64, SHA-256).
 *
 * The line is a DSSE envelope (Dead Simple Signing Envelope 1.0, of the
 * secure-systems-lab, which in-toto uses too) with one signature:
 *   {"payloadType":"application/vnd.auth-guard.receipt.v1+json",
 *    "payload":BASE64,"signatures":[{"keyid":FINGERPRINT,"sig":BASE64}]}
 * without a blank. Signed are the exact bytes of the payload, with its type, in
 * DSSE's PAE; there is no canonical form to be argued about. Of one statement
 * there is one spelling though, the one that receipt_put() writes: whatever
 * reads back as a statement but was spelt otherwise (another order, a blank, a
 * member twice, unused bits of base64) is refused.
 *
 * Times are RFC 3339, hashes SHA-256 or what is said there, in lower-case hex.
 *
 * Of the input it has no hash: with what came out, which may be public, that
 * would let anybody try out what stood in the place of a marker. It has
 * HMAC-SHA-256, keyed with 32 random bytes, over the input's SHA-256 and length
 * (u64le). The key, the opening, goes to who asked for the receipt, in hex.
 */
#ifndef AG_WIRE_RECEIPT_H
#define AG_WIRE_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"

enum {
    RECEIPT_HASH_BYTES = 32,
    RECEIPT_KEY_BYTES = 32, /* Ed25519 */
    RECEIPT_SIGNATURE_BYTES = 64,
    RECEIPT_SUBJECT_MAX_BYTES = 256,
    RECEIPT_NAME_MAX_BYTES = 255,
    RECEIPT_ROWS_MAX_COUNT = 32,      /* names; the rest is a number */
    RECEIPT_NAMES_MAX_BYTES = 1024,   /* of all names together */
    RECEIPT_PAYLOAD_MAX_BYTES = 5632, /* so that a line fits one message */
    RECEIPT_LINE_MAX_BYTES = 7936,    /* of a socket of 8 KiB */
    RECEIPT_PRINT_BYTES = 7 + 43 + 1, /* a fingerprint's text with its NUL */
    RECEIPT_OPENING_BYTES = 32,
    RECEIPT_FORMAT_MAX_BYTES = 15,
};

/* What was found, by how surely it is (redact/variants.h). */
enum receipt_tier {
    RECEIPT_P0,
    RECEIPT_P1,
    RECEIPT_P2,
    RECEIPT_RULE, /* by a rule: it looked like a secret */
    RECEIPT_TIER_COUNT,
};

struct receipt_side {
    int64_t bytes;
    uint8_t sha256[RECEIPT_HASH_BYTES];
};

struct receipt_row {
    char name[RECEIPT_NAME_MAX_BYTES + 1];
    int tier; /* enum receipt_tier */
    int64_t count;
};

enum receipt_level { /* of the rules */
    RECEIPT_LEVEL_KNOWN,
    RECEIPT_LEVEL_DEFAULT,
    RECEIPT_LEVEL_ALL,
    RECEIPT_LEVEL_COUNT,
};

/* Large: not for a stack. */
struct receipt {
    uint8_t key[RECEIPT_KEY_BYTES]; /* who signs */
    char time[CLOCK_TEXT_BYTES];
    char subject[RECEIPT_SUBJECT_MAX_BYTES + 1];
    char format[RECEIPT_FORMAT_MAX_BYTES + 1]; /* as which it was searched */
    uint8_t input[RECEIPT_HASH_BYTES];         /* sealed */
    struct receipt_side output;
    int64_t first_epoch; /* of the redaction sets in force meanwhile */
    int64_t last_epoch;
    int64_t value_count;                    /* in the last */
    uint8_t set_digest[RECEIPT_HASH_BYTES]; /* keyed by the vault */
    int level;                              /* enum receipt_level */
    int64_t rule_count;
    uint8_t rules_digest[RECEIPT_HASH_BYTES];
    int64_t hits;
    int64_t tiers[RECEIPT_TIER_COUNT];
    size_t row_count;
    struct receipt_row rows[RECEIPT_ROWS_MAX_COUNT];
    int64_t unnamed;  /* hits that no row counts */
    int64_t residual; /* hits of the second pass, over the output */
    int64_t seq;      /* of the row of the audit record */
    uint8_t chain[RECEIPT_HASH_BYTES]; /* its value in the chain */
};

/* Is it one line of text that a receipt may be about? Raises a sentence. */
AG_CHECK enum ag_err receipt_check_subject(struct span text);

/* "SHA256:" and the base64 of the hash of a public key, as OpenSSH has it. */
AG_NONNULL void receipt_print(const uint8_t key[RECEIPT_KEY_BYTES],
                              char out[RECEIPT_PRINT_BYTES]);

/* What stands for an input. */
AG_NONNULL void receipt_seal(const uint8_t opening[RECEIPT_OPENING_BYTES],
                             const struct receipt_side *input,
                             uint8_t out[RECEIPT_HASH_BYTES]);

/* SHA-256 of the statement but for its place on the record: what the record
 * keeps of it. Errors: AG_ELIMIT, AG_EINVAL, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err receipt_hash(const struct receipt *r,
                                             uint8_t out[RECEIPT_HASH_BYTES]);

/* Signs `message` with the key that r->key names. */
typedef enum ag_err (*receipt_sign_fn)(void *ctx, struct span message,
                                       uint8_t out[RECEIPT_SIGNATURE_BYTES]);

/* Appends the line, without a newline. Errors: AG_ELIMIT, AG_EINVAL, AG_ENOMEM,
 * those of `sign`. */
AG_CHECK enum ag_err receipt_put(const struct receipt *r, receipt_sign_fn sign,
                                 void *ctx, struct buf *out);

typedef bool (*receipt_check_fn)(const uint8_t key[RECEIPT_KEY_BYTES],
                                 struct span message,
                                 const uint8_t made[RECEIPT_SIGNATURE_BYTES]);

/*
 * Reads a line (without its newline) and checks that `key`, which it names,
 * signed it. Whose key that is is another question.
 * Errors: AG_ERECEIPT with a sentence; AG_ENEWER another version; AG_ENOMEM.
 *         *ret is undefined then.
 * Threads: safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err
receipt_get(struct span line, receipt_check_fn check, struct receipt *ret);

#endif
