#include "redact/marks.h"
#include "redact/tokens.h"

enum {
    /* Bits of a bitmap for each mark in it: few looks at ordinary text meet
     * a mark by chance. */
    BITS_PER_BLOCK = 16,
    BITS_PER_HEAD = 32,
    BITMAP_MIN_LOG2 = 12,
    /* With very many values the bitmaps stay within the second-level cache
     * and the budget of locked memory, and the stride shrinks instead. */
    BITMAP_MAX_LOG2 = 22,
    HEADS_MAX_LOG2 = 21,
    QUADS_MAX_LOG2 = 19,
    CROWDED_ENTRY_COUNT = 20000,
    CROWDED_WINDOW_BYTES = 14,
    PAIRS_BYTES = 65536 / 8,
    /* A few forms of this class go with the next, shorter one, if that has
     * any: one pass over the text less. */
    FOLDED_CLASS = 1,
    FOLDED_MAX_COUNT = 512,
};

/* Forms of at least min_bytes and fewer than the row above. */
static const struct {
    uint32_t min_bytes;
    uint32_t block_bytes;
} CLASSES[CLASS_COUNT] = {{20, 8}, {12, 6}, {8, 4}, {4, 4}};

static size_t
class_of(const struct matcher *m, size_t len)
{
    size_t i = 0;

    while (i + 1 < CLASS_COUNT && len < CLASSES[i].min_bytes) {
        i++;
    }
    if (i == FOLDED_CLASS && m->is_folded) {
        return i + 1;
    }
    return i == CLASS_TOKENS - 1 && m->has_long_tokens ? CLASS_TOKENS : i;
}

static size_t
entry_len(const struct matcher *m, size_t index)
{
    uint32_t ref = m->entries[index].ref;

    return variant_len(set_form(ref), set_raw(m, ref));
}

/* A few forms of up to 11 bytes go with those of up to 7, if there are any: in
 * that pass they cost nothing, and the others keep their stride. */
static void
fold_tokens(struct matcher *m)
{
    struct set_class *from = &m->classes[CLASS_TOKENS - 1];
    struct set_class *to = &m->classes[CLASS_TOKENS];

    if (to->entry_count > 0 &&
        from->entry_count + to->entry_count <= TOKENS_MAX_COUNT) {
        m->has_long_tokens = true;
        to->entry_count += from->entry_count;
        from->entry_count = 0;
    }
}

static void
fold(struct matcher *m)
{
    struct set_class *from = &m->classes[FOLDED_CLASS];
    struct set_class *to = &m->classes[FOLDED_CLASS + 1];

    if (from->entry_count <= FOLDED_MAX_COUNT && to->entry_count > 0) {
        m->is_folded = true;
        to->entry_count += from->entry_count;
        from->entry_count = 0;
    }
}

/* How many forms each class has, and how much of their starts may be used:
 * as much as the shortest has. */
static void
measure(struct matcher *m)
{
    uint32_t cap = m->entry_count > CROWDED_ENTRY_COUNT ? CROWDED_WINDOW_BYTES
                                                        : WINDOW_MAX_BYTES;
    size_t i;

    for (i = 0; i < CLASS_COUNT; i++) {
        m->classes[i].block_bytes = CLASSES[i].block_bytes;
        m->classes[i].window_bytes = cap;
    }
    for (i = 0; i < m->entry_count; i++) {
        size_t len = entry_len(m, i);
        struct set_class *class = &m->classes[class_of(m, len)];

        class->entry_count++;
        if (len < class->window_bytes) {
            class->window_bytes = (uint32_t)len;
        }
    }
    fold_tokens(m);
    fold(m);
    for (i = 0; i < CLASS_COUNT; i++) {
        struct set_class *class = &m->classes[i];

        class->stride = class->window_bytes - class->block_bytes + 1;
        if (class->entry_count > 0 &&
            class->window_bytes > m->window_max_bytes) {
            m->window_max_bytes = class->window_bytes;
        }
    }
}

static enum ag_err
take_bitmaps(struct matcher *m)
{
    uint32_t quads_log2 = set_log2(m->entry_count * BITS_PER_BLOCK,
                                   BITMAP_MIN_LOG2, QUADS_MAX_LOG2);
    size_t token_count = m->classes[CLASS_TOKENS].entry_count;
    bool has_tokens = token_count > 0 && token_count <= TOKENS_MAX_COUNT;
    size_t total = PAIRS_BYTES + (has_tokens ? TOKENS_TABLES_BYTES : 0);
    enum ag_err err;
    uint8_t *at;
    size_t i;

    for (i = 0; i < CLASS_COUNT; i++) {
        struct set_class *class = &m->classes[i];
        size_t count = class->entry_count;

        class->block_shift =
            64 - set_log2(count * class->stride * BITS_PER_BLOCK,
                          BITMAP_MIN_LOG2, BITMAP_MAX_LOG2);
        class->head_shift = 64 - set_log2(count * BITS_PER_HEAD,
                                          BITMAP_MIN_LOG2, HEADS_MAX_LOG2);
        if (count > 0) {
            total += (size_t)1 << (64 - class->block_shift - 3);
            total += (size_t)1 << (64 - class->head_shift - 3);
        }
    }
    total += (size_t)1 << (quads_log2 - 3);
    err = lockmem_init(total, &m->bitmaps);
    if (err != AG_OK) {
        return err;
    }
    at = m->bitmaps.ptr;
    m->pairs = at;
    at += PAIRS_BYTES;
    if (has_tokens) {
        m->tokens.tables = at;
        at += TOKENS_TABLES_BYTES;
    }
    m->quads = at;
    m->quad_shift = 64 - quads_log2;
    at += (size_t)1 << (quads_log2 - 3);
    for (i = 0; i < CLASS_COUNT; i++) {
        struct set_class *class = &m->classes[i];

        if (class->entry_count > 0) {
            class->blocks = at;
            at += (size_t)1 << (64 - class->block_shift - 3);
            class->heads = at;
            at += (size_t)1 << (64 - class->head_shift - 3);
        }
    }
    return AG_OK;
}

static void
set_mark(uint8_t *bitmap, uint64_t index)
{
    bitmap[index >> 3] |= (uint8_t)(1U << (index & 7));
}

/* *tokens: how many there were before. */
static void
mark_entry(struct matcher *m, size_t index, size_t *tokens)
{
    struct set_class *class = &m->classes[class_of(m, entry_len(m, index))];
    struct set_scratch *scratch = &m->scratch[0];
    uint32_t ref = m->entries[index].ref;
    uint64_t hash;
    size_t len;
    size_t i;

    variant_begin(&scratch->gen, set_form(ref), set_raw(m, ref));
    len = variant_next(&scratch->gen, scratch->bytes, class->window_bytes);
    AG_ASSERT(len == class->window_bytes);
    set_mark(m->pairs, (uint64_t)scratch->bytes[0] << 8 | scratch->bytes[1]);
    hash = set_hash(set_load_short(scratch->bytes, len), KEY_BYTES);
    marks_put(m->quads, hash, m->quad_shift);
    if (class == &m->classes[CLASS_TOKENS] && !set_is_weak(m, ref)) {
        m->has_strong_tokens = true;
    }
    if (class == &m->classes[CLASS_TOKENS] && m->tokens.tables != NULL) {
        tokens_put(&m->tokens, scratch->bytes, (*tokens)++, class->entry_count);
    }
    for (i = 0; i < class->stride; i++) {
        hash = set_hash(set_load_short(scratch->bytes + i, len - i),
                        class->block_bytes);
        marks_put(class->blocks, hash, class->block_shift);
        if (i == 0) {
            marks_put(class->heads, hash, class->head_shift);
        }
    }
}

size_t
bitmaps_count(const struct matcher *m, size_t *ret)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < CLASS_TOKENS; i++) {
        const struct set_class *class = &m->classes[i];

        count += class->entry_count;
        if (class->entry_count > 0 && class->window_bytes < *ret) {
            *ret = class->window_bytes;
        }
    }
    return count;
}

void
bitmaps_walk(struct matcher *m, size_t bytes,
             void (*visit)(struct matcher *m, const uint8_t *start))
{
    struct set_scratch *scratch = &m->scratch[0];
    size_t i;

    for (i = 0; i < m->entry_count; i++) {
        uint32_t ref = m->entries[i].ref;

        if (class_of(m, entry_len(m, i)) == CLASS_TOKENS) {
            continue;
        }
        variant_begin(&scratch->gen, set_form(ref), set_raw(m, ref));
        AG_ASSERT(variant_next(&scratch->gen, scratch->bytes, bytes) == bytes);
        visit(m, scratch->bytes);
    }
}

enum ag_err
bitmaps_build(struct matcher *m)
{
    enum ag_err err;
    size_t tokens = 0;
    size_t i;

    measure(m);
    err = take_bitmaps(m);
    if (err != AG_OK) {
        return err;
    }
    for (i = 0; i < m->entry_count; i++) {
        mark_entry(m, i, &tokens);
    }
    return AG_OK;
}
