/*
 * lanes.h - sixteen bytes compared at once, on any machine: gcc's and clang's
 * vectors, and what they lack.
 * Floor: redact. Depends on: nothing.
 */
#ifndef AG_REDACT_LANES_H
#define AG_REDACT_LANES_H

#include <stdint.h>
#include <string.h>

#include <endian.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    LANES = 16,
};

typedef int8_t lanes __attribute__((vector_size(LANES)));

/* A bit for each lane, which is 0 or -1. */
static inline uint64_t
lanes_bits(lanes c)
{
#ifdef __SSE2__
    return (uint64_t)(unsigned int)_mm_movemask_epi8((__m128i)c);
#else
    const uint64_t own = 0x8040201008040201ULL; /* of each lane its own bit */
    const uint64_t sum = 0x0101010101010101ULL;
    uint64_t words[2];

    memcpy(words, &c, sizeof(c));
    return ((le64toh(words[0]) & own) * sum) >> 56 |
           ((le64toh(words[1]) & own) * sum) >> 56 << 8;
#endif
}

#endif
