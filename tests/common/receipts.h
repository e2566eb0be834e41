/*
 * receipts.h - a receipt with something in every place, signed with a key of
 * the tests.
 */
#ifndef AG_TESTS_RECEIPTS_H
#define AG_TESTS_RECEIPTS_H

#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "common/check.h"
#include "crypt/sign.h"
#include "wire/receipt.h"

static const uint8_t RECEIPT_OPENING[RECEIPT_OPENING_BYTES] = "an opening";

static inline void
hash_text(const char *text, struct receipt_side *ret)
{
    ret->bytes = (int64_t)strlen(text);
    (void)crypto_hash_sha256(ret->sha256, (const uint8_t *)text, strlen(text));
}

/* Signs with the pair that `ctx` is the secret half of. */
static inline enum ag_err
receipt_sign_test(void *ctx, struct span message,
                  uint8_t out[RECEIPT_SIGNATURE_BYTES])
{
    (void)crypto_sign_detached(out, NULL, message.ptr, message.len, ctx);
    return AG_OK;
}

/* Static, since it is large; filled anew by each call. */
static inline struct receipt *
receipt_sample(const char *input, const char *output)
{
    static const struct receipt FIRST = {
        .time = "2026-11-29T03:00:00.000Z",
        .subject = "github.com/owner/repository#7 \"quoted\" \\ é",
        .format = "jsonl",
        .first_epoch = 3,
        .last_epoch = 4,
        .value_count = 100,
        .level = RECEIPT_LEVEL_DEFAULT,
        .rule_count = 537,
        .hits = 6,
        .tiers = {[RECEIPT_P0] = 3, [RECEIPT_RULE] = 2},
        .row_count = 2,
        .rows = {{"~0123456789abcdef", RECEIPT_P0, 3},
                 {"rule:github-token", RECEIPT_RULE, 2}},
        .unnamed = 1,
        .seq = 42,
    };
    static struct receipt r;
    struct receipt_side side;

    r = FIRST;
    hash_text(input, &side);
    receipt_seal(RECEIPT_OPENING, &side, r.input);
    hash_text(output, &r.output);
    memset(r.set_digest, 0x11, sizeof(r.set_digest));
    memset(r.rules_digest, 0x22, sizeof(r.rules_digest));
    memset(r.chain, 0x33, sizeof(r.chain));
    return &r;
}

/* Its line, by the key of this number. */
static inline void
receipt_line(struct receipt *r, uint8_t number, struct buf *out)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t pair[crypto_sign_SECRETKEYBYTES];

    memset(seed, number, sizeof(seed));
    (void)crypto_sign_seed_keypair(r->key, pair, seed);
    check_ok(receipt_put(r, receipt_sign_test, pair, out));
}

#endif
