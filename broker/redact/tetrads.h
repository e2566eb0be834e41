/*
 * tetrads.h - which four bytes in a row may be part of a form, from anywhere in
 * it: by this the views tell where they needn't be entered. Of weak values,
 * which they don't look for, there are none.
 * Floor: redact. Depends on: redact/matcher_impl.
 */
#ifndef AG_REDACT_TETRADS_H
#define AG_REDACT_TETRADS_H

#include "redact/matcher_impl.h"

enum {
    TETRAD_BYTES = 4,
};

AG_NONNULL static inline uint32_t
tetrad_load(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return le32toh(word);
}

static inline uint64_t
tetrad_hash(uint32_t tetrad, uint32_t shift)
{
    return (tetrad * SET_HASH_FACTOR) >> shift;
}

/* A set with so many forms that nearly all would be marked has no marks: all
 * four bytes may be some form's. */
AG_NONNULL static inline bool
tetrad_in(const struct set_tetrads *g, uint32_t tetrad)
{
    return g->marks == NULL || set_bit(g->marks, tetrad_hash(tetrad, g->shift));
}

AG_NONNULL static inline bool
tetrads_may_have(const struct matcher *set, uint32_t tetrad)
{
    return tetrad_in(&set->tetrads, tetrad) ||
           (set->base != NULL && tetrad_in(&set->base->tetrads, tetrad));
}

static inline uint64_t
tetrad_pair(uint8_t before, uint8_t behind)
{
    return (uint64_t)before << 8 | behind;
}

/* May these two follow each other in some form? */
AG_NONNULL static inline bool
tetrads_may_join(const struct matcher *set, uint8_t before, uint8_t behind)
{
    uint64_t pair = tetrad_pair(before, behind);

    return set_bit(set->tetrads.pairs, pair) ||
           (set->base != NULL && set_bit(set->base->tetrads.pairs, pair));
}

/* May this byte have another behind it in some form? */
AG_NONNULL static inline bool
tetrads_may_begin(const struct matcher *set, uint8_t c)
{
    const struct matcher *part;

    for (part = set; part != NULL; part = part->base) {
        const uint8_t *row = part->tetrads.pairs + tetrad_pair(c, 0) / 8;

        if ((set_load(row) | set_load(row + 8) | set_load(row + 16) |
             set_load(row + 24)) != 0) {
            return true;
        }
    }
    return false;
}

#endif
