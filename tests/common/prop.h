/*
 * prop.h - seeded randomness for property tests: PROP_SEED repeats a failure,
 * PROP_RUNS scales.
 */
#ifndef AG_TESTS_PROP_H
#define AG_TESTS_PROP_H

#include <sodium.h>

#include "common/check.h"

enum {
    PROP_BLOCK_BYTES = 1024
};

static struct {
    uint64_t seed;
    uint64_t block;
    uint8_t bytes[PROP_BLOCK_BYTES];
    size_t at;
} prop = {.at = PROP_BLOCK_BYTES};

/* Call first; prints the seed. Returns the number of runs to do. */
static inline uint64_t
prop_begin(uint64_t runs)
{
    if (sodium_init() < 0) {
        abort();
    }
    randombytes_buf(&prop.seed, sizeof(prop.seed));
    prop.seed = check_env("PROP_SEED", prop.seed);
    (void)fprintf(stderr, "PROP_SEED=%llu\n", (unsigned long long)prop.seed);
    return check_env("PROP_RUNS", runs);
}

static inline void
prop_bytes(void *out, size_t len)
{
    uint8_t *to = out;

    for (size_t i = 0; i < len; i++) {
        if (prop.at == PROP_BLOCK_BYTES) {
            uint64_t seed[randombytes_SEEDBYTES / 8] = {prop.seed, prop.block};

            randombytes_buf_deterministic(prop.bytes, PROP_BLOCK_BYTES,
                                          (const unsigned char *)seed);
            prop.block++;
            prop.at = 0;
        }
        to[i] = prop.bytes[prop.at++];
    }
}

/* 0 to below - 1. */
static inline size_t
prop_below(size_t below)
{
    uint64_t value;

    prop_bytes(&value, sizeof(value));
    return below == 0 ? 0 : (size_t)(value % below);
}

#endif
