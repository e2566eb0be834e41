#include "redact/marks.h"

#include "base/cpu.h"

/* The fields where the compiler can keep them in registers. */
struct look {
    const uint8_t *bitmap;
    unsigned int drop_bits; /* of a word, that are not of the block */
    unsigned int shift;
    bool is_single;
};

/* In bit 0. */
static inline uint64_t
look_at(struct look l, const uint8_t *at)
{
    uint64_t hash = (set_load(at) << l.drop_bits) * SET_HASH_FACTOR;

    return l.is_single ? marks_single(l.bitmap, hash, l.shift)
                       : marks_pair(l.bitmap, hash, l.shift);
}

/* Four looks are under way at once, as none depends on another. */
AG_EACH_CPU size_t
next(const struct marks *m, const uint8_t *text, size_t at, size_t end,
     bool is_single)
{
    const struct look l = {m->bitmap, 64 - 8 * m->block_bytes, m->shift,
                           is_single};
    const size_t stride = m->stride;
    const uint8_t *here;
    const uint8_t *last;

    if (at >= end) {
        return at;
    }
    here = text + at;
    last = text + end;
    while ((size_t)(last - here) > 4 * stride) {
        uint64_t bits = look_at(l, here) | look_at(l, here + stride) |
                        look_at(l, here + 2 * stride) |
                        look_at(l, here + 3 * stride);

        if ((bits & 1) != 0) {
            break;
        }
        here += 4 * stride;
    }
    at = (size_t)(here - text);
    while (at < end && (look_at(l, text + at) & 1) == 0) {
        at += stride;
    }
    return at;
}

size_t
marks_next_anywhere(const struct marks *m, const uint8_t *text, size_t at,
                    size_t end)
{
    return m->is_single ? next(m, text, at, end, true)
                        : next(m, text, at, end, false);
}

AG_FOR_V3 static size_t
next_v3(const struct marks *m, const uint8_t *text, size_t at, size_t end)
{
    return m->is_single ? next(m, text, at, end, true)
                        : next(m, text, at, end, false);
}

size_t
marks_next(const struct marks *m, const uint8_t *text, size_t at, size_t end)
{
    return cpu_is_v3() ? next_v3(m, text, at, end)
                       : marks_next_anywhere(m, text, at, end);
}
