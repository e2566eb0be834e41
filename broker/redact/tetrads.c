#include "redact/tetrads.h"

enum {
    PAIRS_BYTES = 65536 / 8,
    BITS_PER_MARK = 16, /* few bytes of ordinary text meet one by chance */
    MARKS_MIN_LOG2 = 14,
    MARKS_MAX_LOG2 = 21, /* in the second-level cache */
    /* Of more, most bits would be set: they aren't worth their memory. */
    TETRADS_MAX_COUNT = 1 << MARKS_MAX_LOG2,
};

static size_t
count_all(const struct matcher *m)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < m->entry_count; i++) {
        uint32_t ref = m->entries[i].ref;

        count += variant_len(set_form(ref), set_raw(m, ref));
    }
    return count;
}

static void
mark(uint8_t *bitmap, uint64_t index)
{
    bitmap[index >> 3] = (uint8_t)(bitmap[index >> 3] | 1U << (index & 7));
}

/* All of one form. The bytes before a part's first stay at its start. */
static void
mark_form(struct matcher *m, uint32_t ref)
{
    struct set_tetrads *g = &m->tetrads;
    struct variant_gen *gen = &m->scratch->gen;
    uint8_t *bytes = m->scratch->bytes;
    size_t kept = 0;
    size_t len;

    variant_begin(gen, set_form(ref), set_raw(m, ref));
    while ((len = variant_next(gen, bytes + kept, SCRATCH_BYTES - kept)) > 0) {
        size_t at;

        len += kept;
        for (at = 0; g->marks != NULL && at + TETRAD_BYTES <= len; at++) {
            mark(g->marks, tetrad_hash(tetrad_load(bytes + at), g->shift));
        }
        for (at = 0; at + 1 < len; at++) {
            mark(g->pairs, tetrad_pair(bytes[at], bytes[at + 1]));
        }
        kept = len < TETRAD_BYTES - 1 ? len : TETRAD_BYTES - 1;
        memmove(bytes, bytes + len - kept, kept);
    }
}

enum ag_err
tetrads_build(struct matcher *m)
{
    size_t count = count_all(m);
    uint32_t log2 =
        set_log2(count * BITS_PER_MARK, MARKS_MIN_LOG2, MARKS_MAX_LOG2);
    size_t marks_bytes;
    enum ag_err err;
    size_t i;

    marks_bytes = count > TETRADS_MAX_COUNT ? 0 : (size_t)1 << (log2 - 3);
    err = lockmem_init(PAIRS_BYTES + marks_bytes, &m->tetrad_store);
    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(m->tetrad_store.ptr != NULL); /* there are pairs */
    m->tetrads.pairs = m->tetrad_store.ptr;
    m->tetrads.marks = marks_bytes == 0 ? NULL : m->tetrads.pairs + PAIRS_BYTES;
    m->tetrads.shift = 64 - log2;
    for (i = 0; i < m->entry_count; i++) {
        if (!set_is_weak(m, m->entries[i].ref)) {
            mark_form(m, m->entries[i].ref);
        }
    }
    return AG_OK;
}
