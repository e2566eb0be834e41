#include "redact/joint.h"

#include "redact/fragments.h"

enum {
    /* Few looks at ordinary text meet one by chance: a bit for each, or where
     * that would leave the first cache, two (marks.h). */
    BITS_PER_SINGLE = 64,
    BITS_PER_PAIR = 24,
    MARKS_MIN_LOG2 = 14,
    SINGLES_MAX_LOG2 = 18,
    MARKS_MAX_LOG2 = 19,
    MARKS_MAX_FORMS_LOG2 = 22,
    /* Of more forms the marks would need too much memory. */
    FORMS_MAX_COUNT = 32 * 1024,
    FORM_SMALL_BYTES = 12, /* shorter ones are told by a smaller block */
    SMALL_BLOCK_BYTES = 4,
};

uint32_t
joint_measure(struct matcher *m, size_t block_count)
{
    struct set_fragments *f = &m->fragments;
    size_t least = FRAGMENT_MIN_BYTES;
    size_t form_count = bitmaps_count(m, &least);

    f->has_forms = form_count <= FORMS_MAX_COUNT;
    if (!f->has_forms) {
        least = FRAGMENT_MIN_BYTES;
    }
    f->block_bytes =
        least < FORM_SMALL_BYTES ? SMALL_BLOCK_BYTES : FRAGMENT_BLOCK_BYTES;
    f->stride = (uint32_t)least - f->block_bytes + 1;
    block_count += f->has_forms ? form_count * f->stride : 0;
    f->is_single = block_count * BITS_PER_SINGLE <= 1U << SINGLES_MAX_LOG2;
    return set_log2(
        block_count * (f->is_single ? BITS_PER_SINGLE : BITS_PER_PAIR),
        MARKS_MIN_LOG2, f->has_forms ? MARKS_MAX_FORMS_LOG2 : MARKS_MAX_LOG2);
}

static uint64_t
hash_of(const struct set_fragments *f, const uint8_t *block)
{
    return set_hash(set_load_short(block, f->block_bytes), f->block_bytes);
}

void
joint_put(struct set_fragments *f, const uint8_t *block)
{
    (f->is_single ? marks_put_single : marks_put)(f->marks, hash_of(f, block),
                                                  f->mark_shift);
}

static void
put_form(struct matcher *m, const uint8_t *start)
{
    size_t i;

    for (i = 0; i < m->fragments.stride; i++) {
        joint_put(&m->fragments, start + i);
    }
}

void
joint_put_forms(struct matcher *m)
{
    const struct set_fragments *f = &m->fragments;

    if (f->has_forms) {
        bitmaps_walk(m, f->stride + f->block_bytes - 1, put_form);
    }
}

bool
joint_has(const struct set_fragments *f, const uint8_t *block)
{
    uint64_t hash = hash_of(f, block);

    return f->is_single ? set_bit(f->marks, hash >> f->mark_shift)
                        : marks_has(f->marks, hash, f->mark_shift);
}
