/*
 * marks.h - a set of blocks of bytes, and where in a text one of them may be: a
 * bitmap of hashes, looked at in steps as quick as the machine can.
 * Floor: redact. Depends on: redact/matcher_impl.
 *
 * What a hash marks in a bitmap of 2^(64 - shift) bits is two bits of the same
 * word, so that one load tells, and few are met by chance. One is told by the
 * hash's first 64 - shift bits, the other's place in the word by the next ones.
 */
#ifndef AG_REDACT_MARKS_H
#define AG_REDACT_MARKS_H

#include "base/attr.h"
#include "redact/matcher_impl.h"

enum {
    MARKS_WORD_LOG2 = 6,
    MARKS_WORD_MASK = 63,
    MARKED_MAX_COUNT = 256, /* many times what a text has by chance */
};

/* A bit of its own tells as much, and quicker, if there are four times as many:
 * that is a bitmap where is_single holds. */
AG_NONNULL static inline void
marks_put_single(uint8_t *bitmap, uint64_t hash, unsigned int shift)
{
    uint8_t *at = bitmap + (hash >> shift >> 3);

    *at = (uint8_t)(*at | 1U << (hash >> shift & 7));
}

AG_NONNULL static inline void
marks_put(uint8_t *bitmap, uint64_t hash, unsigned int shift)
{
    uint8_t *at =
        bitmap + (hash >> shift >> MARKS_WORD_LOG2) * sizeof(uint64_t);
    uint64_t word =
        set_load(at) | 1ULL << (hash >> shift & MARKS_WORD_MASK) |
        1ULL << (hash >> (shift - MARKS_WORD_LOG2) & MARKS_WORD_MASK);

    word = htole64(word);
    memcpy(at, &word, sizeof(word));
}

/* In bit 0: may it be marked? The other bits are noise. */
AG_NONNULL static inline uint64_t
marks_pair(const uint8_t *bitmap, uint64_t hash, unsigned int shift)
{
    uint64_t word =
        set_load(bitmap + (hash >> shift >> MARKS_WORD_LOG2) * sizeof(word));

    return word >> (hash >> shift & MARKS_WORD_MASK) &
           word >> (hash >> (shift - MARKS_WORD_LOG2) & MARKS_WORD_MASK);
}

AG_NONNULL static inline uint64_t
marks_single(const uint8_t *bitmap, uint64_t hash, unsigned int shift)
{
    uint64_t word =
        set_load(bitmap + (hash >> shift >> MARKS_WORD_LOG2) * sizeof(word));

    return word >> (hash >> shift & MARKS_WORD_MASK);
}

AG_NONNULL static inline bool
marks_has(const uint8_t *bitmap, uint64_t hash, unsigned int shift)
{
    return (marks_pair(bitmap, hash, shift) & 1) != 0;
}

/* How a text is looked at: `block_bytes` at every `stride`. */
struct marks {
    const uint8_t *bitmap;
    size_t stride;
    uint32_t shift;
    uint32_t block_bytes;
    bool is_single;
};

/* The first place from text[at] on, in steps of the stride, where a marked
 * block may be; `end` or behind it: there is none. A word is read at each, and
 * none is looked at from `end` on. */
AG_NONNULL size_t marks_next(const struct marks *m, const uint8_t *text,
                             size_t at, size_t end);

/* The same on machines that have nothing better. */
AG_NONNULL size_t marks_next_anywhere(const struct marks *m,
                                      const uint8_t *text, size_t at,
                                      size_t end);

/* Where in a text the marked blocks begin, in order. */
struct marked {
    size_t count;
    bool is_all; /* false: there are more */
    uint32_t at[MARKED_MAX_COUNT];
};

AG_NONNULL static inline void
marked_add(struct marked *m, size_t at)
{
    if (m->count == MARKED_MAX_COUNT || at > UINT32_MAX) {
        m->is_all = false;
        return;
    }
    m->at[m->count++] = (uint32_t)at;
}

#endif
