#include <sodium.h>

#include "redact/matcher_impl.h"

/*
 * How forms are looked for on behalf of a task. It chooses texts and may
 * measure, so no work may depend on how far a text agrees with a form: the only
 * question asked of a text is whether a whole block has the keyed hash of one.
 *
 * Of each form one stretch counts, its window: the last window_bytes() before
 * the form's most random run of characters ends, since what comes first is what
 * can be known (a prefix, the claims of a JWT, the public half of a key). Every
 * block of the window is marked, so one look in every stride meets it (as in
 * matcher.h, but with blocks about as long as windows). Where a block is
 * marked, the cells tell the starts of forms whose window's first block has
 * that hash: 24 bits, the window's place in its form and a part of the hash.
 */

enum {
    HASH_KEY_COUNT = 4,
    BITS_PER_MARK = 32,
    MARKS_MIN_LOG2 = 12,
    MARKS_MAX_LOG2 = 20,
    SECOND_BIT = 20, /* where of a hash a mark's other bit begins */
    BUCKETS_MAX_LOG2 = 20,
    CELL_BYTES = 3,
    AT_BITS = 14, /* of a cell; the rest is of the hash */
    /* With very many forms everything stays within the budget of locked memory,
     * and the search is slower. */
    CROWDED_ENTRY_COUNT = 20000,
    CROWDED_CELLS_PER_BUCKET = 16,
    NARROW_MAX_BYTES = 16, /* of a block that two loads cover */
    BLOCK_MAX_BYTES = 32,
};

_Static_assert(SET_AT_MAX_BYTES < 1 << AT_BITS, "a cell needs more bits");

/* Forms of at least min_bytes and fewer than the row above. */
static const struct {
    uint32_t min_bytes;
    uint32_t block_bytes;
} ROWS[WINDOWS_COUNT] = {{36, 32}, {20, 16}, {12, 10}, {8, 8}};

static size_t
row_of(size_t len)
{
    size_t i = 0;

    while (i < WINDOWS_COUNT && len < ROWS[i].min_bytes) {
        i++;
    }
    return i;
}

/* ---- the hash ---- */

__extension__ typedef unsigned __int128 product;

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
    product p = (product)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Of `len` bytes, whose ends two loads cover or four; all bits are good. */
static inline uint64_t
hash_of(const uint64_t *keys, const uint8_t *at, size_t len, bool is_wide)
{
    const uint8_t *last = at + len - WORD_BYTES;
    uint64_t hash;

    if (!is_wide) {
        return fold(set_load(at) ^ keys[0], set_load(last) ^ keys[1]);
    }
    hash = fold(set_load(at) ^ keys[0], set_load(at + WORD_BYTES) ^ keys[1]);
    return hash ^ fold(set_load(last - WORD_BYTES) ^ keys[2],
                       set_load(last) ^ keys[3]);
}

static inline uint64_t
block_hash(const struct matcher *m, const struct set_windows *w,
           const uint8_t *at)
{
    return hash_of(m->window_keys, at, w->block_bytes,
                   w->block_bytes > NARROW_MAX_BYTES);
}

/* A mark is two bits. */
static inline uint64_t
first_bit(uint64_t hash, unsigned int mark_shift)
{
    return hash >> mark_shift;
}

static inline uint64_t
second_bit(uint64_t hash, unsigned int mark_shift)
{
    return hash << SECOND_BIT >> mark_shift;
}

static void
set_mark(uint8_t *marks, uint64_t bit)
{
    marks[bit >> 3] |= (uint8_t)(1U << (bit & 7));
}

static inline uint32_t
bucket_of(const struct set_windows *w, uint64_t hash)
{
    return (uint32_t)hash >> w->bucket_shift;
}

static inline uint32_t
tag_of(uint64_t hash)
{
    return (uint32_t)hash & ((1U << (CELL_BYTES * 8 - AT_BITS)) - 1);
}

/* ---- where a form's window is ---- */

enum kind {
    KIND_NONE, /* ends a run */
    KIND_MARK, /* belongs to it and tells nothing */
    KIND_LOWER,
    KIND_UPPER,
    KIND_DIGIT,
};

static enum kind
kind_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z') {
        return KIND_LOWER;
    }
    if (c >= 'A' && c <= 'Z') {
        return KIND_UPPER;
    }
    if (c >= '0' && c <= '9') {
        return KIND_DIGIT;
    }
    return c != '\0' && strchr("+/_-.~=", c) != NULL ? KIND_MARK : KIND_NONE;
}

/* The end of the most random run: the one with most changes between lower,
 * upper and digit; of nearly equal ones the last. */
size_t
windows_random_end(struct span raw)
{
    enum kind last = KIND_NONE;
    size_t changes = 0;
    size_t most = 0;
    size_t end = raw.len;

    for (size_t i = 0; i <= raw.len; i++) {
        enum kind kind = i < raw.len ? kind_of(raw.ptr[i]) : KIND_NONE;

        if (kind == KIND_NONE && changes > 0 && changes >= most - most / 4) {
            end = i;
        }
        if (kind == KIND_NONE) {
            most = changes > most ? changes : most;
            changes = 0;
        } else if (kind != KIND_MARK && last > KIND_MARK && kind != last) {
            changes++;
        }
        if (kind != KIND_MARK) {
            last = kind;
        }
    }
    return end;
}

/* Where the window of a form of `len` bytes begins. Near enough for cores: it
 * only has to be within the form. */
static size_t
window_at(enum variant form, struct span raw, size_t end, size_t len)
{
    size_t window = ROWS[row_of(len)].min_bytes;
    size_t at;

    end = end < raw.len ? variant_len(form, span_sub(raw, 0, end)) : len;
    end = end < len ? end : len;
    at = end > window ? end - window : 0;
    return at < SET_AT_MAX_BYTES ? at : SET_AT_MAX_BYTES;
}

/* ---- building ---- */

/* One entry's window, written anew into the first scratch. */
struct window {
    struct set_windows *w; /* NULL: not looked for */
    uint32_t ref;
    size_t at;
};

static struct window
window_of(struct matcher *m, size_t index)
{
    uint32_t ref = m->entries[index].ref;
    const struct set_piece *piece = &m->pieces[ref >> FORM_BITS];
    struct span raw = set_raw(m, ref);
    size_t len = variant_len(set_form(ref), raw);
    size_t row = row_of(len);
    struct window one = {.ref = ref};

    if (!m->values[piece->value].is_weak && row < WINDOWS_COUNT) {
        one.w = &m->windows[row];
        one.at = window_at(set_form(ref), raw, piece->random_end, len);
    }
    return one;
}

static const uint8_t *
write_window(struct matcher *m, struct window one)
{
    struct set_scratch *scratch = m->scratch;
    size_t wanted = one.w->block_bytes + one.w->stride - 1;
    size_t len;

    variant_begin(&scratch->gen, set_form(one.ref), set_raw(m, one.ref));
    variant_skip(&scratch->gen, one.at);
    len = variant_next(&scratch->gen, scratch->bytes, wanted);
    AG_ASSERT(len == wanted);
    return scratch->bytes;
}

static uint32_t
log2_for(size_t wanted, uint32_t least, uint32_t most)
{
    uint32_t log2 = least;

    while (log2 < most && (size_t)1 << log2 < wanted) {
        log2++;
    }
    return log2;
}

static size_t
firsts_bytes(const struct set_windows *w)
{
    return (((size_t)1 << (32 - w->bucket_shift)) + 1) * sizeof(*w->firsts);
}

static size_t
marks_bytes(const struct set_windows *w)
{
    return (size_t)1 << (64 - w->mark_shift - 3);
}

/* Of one row; `count` cells are to fit. */
static void
measure(struct set_windows *w, size_t row, bool is_crowded)
{
    size_t count = w->cell_count;
    size_t wanted;

    w->block_bytes = ROWS[row].block_bytes;
    w->stride = is_crowded ? 1 : ROWS[row].min_bytes - w->block_bytes + 1;
    wanted = count * w->stride * BITS_PER_MARK;
    w->mark_shift = 64 - log2_for(wanted, MARKS_MIN_LOG2,
                                  MARKS_MAX_LOG2 - (is_crowded ? 1 : 0));
    wanted = is_crowded ? count / CROWDED_CELLS_PER_BUCKET : count;
    w->bucket_shift = 32 - log2_for(wanted, 1, BUCKETS_MAX_LOG2);
}

static enum ag_err
take_room(struct matcher *m)
{
    size_t total = 0;
    uint8_t *at;
    enum ag_err err;

    for (size_t i = 0; i < WINDOWS_COUNT; i++) {
        struct set_windows *w = &m->windows[i];

        measure(w, i, m->entry_count > CROWDED_ENTRY_COUNT);
        total += w->cell_count == 0 ? 0
                                    : firsts_bytes(w) + marks_bytes(w) +
                                          w->cell_count * CELL_BYTES;
    }
    if (total == 0) {
        return AG_OK;
    }
    err = lockmem_init(total, &m->window_store);
    at = m->window_store.ptr;
    for (size_t i = 0; err == AG_OK && i < WINDOWS_COUNT; i++) {
        struct set_windows *w = &m->windows[i];

        if (w->cell_count > 0) {
            w->marks = at;
            at += marks_bytes(w);
            w->firsts = (uint32_t *)(void *)at;
            at += firsts_bytes(w);
        }
    }
    for (size_t i = 0; err == AG_OK && i < WINDOWS_COUNT; i++) {
        m->windows[i].cells = at; /* behind all that is aligned */
        at += m->windows[i].cell_count * CELL_BYTES;
    }
    return err;
}

/* Marks every block, and counts the first one in the bucket before its own. */
static void
mark_window(struct matcher *m, struct window one)
{
    const uint8_t *bytes = write_window(m, one);

    for (size_t i = 0; i < one.w->stride; i++) {
        uint64_t hash = block_hash(m, one.w, bytes + i);

        set_mark(one.w->marks, first_bit(hash, one.w->mark_shift));
        set_mark(one.w->marks, second_bit(hash, one.w->mark_shift));
        if (i == 0) {
            one.w->firsts[bucket_of(one.w, hash) + 1]++;
        }
    }
}

/* Each cell moves its bucket's first on, in the end to the next bucket's. */
static void
put_cell(struct matcher *m, struct window one)
{
    uint64_t hash = block_hash(m, one.w, write_window(m, one));
    uint32_t index = one.w->firsts[bucket_of(one.w, hash)]++;
    uint32_t cell = htole32(tag_of(hash) << AT_BITS | (uint32_t)one.at);

    memcpy(one.w->cells + (size_t)index * CELL_BYTES, &cell, CELL_BYTES);
}

static void
count_window(struct matcher *m, struct window one)
{
    one.w->cell_count++;
    m->reach_bytes = one.at > m->reach_bytes ? one.at : m->reach_bytes;
}

static void
each_window(struct matcher *m, void (*visit)(struct matcher *, struct window))
{
    for (size_t i = 0; i < m->entry_count; i++) {
        struct window one = window_of(m, i);

        if (one.w != NULL) {
            visit(m, one);
        }
    }
}

static void
sum_buckets(struct set_windows *w)
{
    size_t count = (size_t)1 << (32 - w->bucket_shift);

    for (size_t i = 0; i < count; i++) {
        w->firsts[i + 1] += w->firsts[i];
    }
}

static void
put_back_firsts(struct set_windows *w)
{
    size_t count = (size_t)1 << (32 - w->bucket_shift);

    memmove(w->firsts + 1, w->firsts, count * sizeof(*w->firsts));
    w->firsts[0] = 0;
}

static void
each_row(struct matcher *m, void (*visit)(struct set_windows *))
{
    for (size_t i = 0; i < WINDOWS_COUNT; i++) {
        if (m->windows[i].cell_count > 0) {
            visit(&m->windows[i]);
        }
    }
}

enum ag_err
windows_build(struct matcher *m)
{
    enum ag_err err;

    randombytes_buf(m->window_keys, WINDOW_KEYS_BYTES);
    each_window(m, count_window);
    m->reach_bytes += BLOCK_MAX_BYTES;
    err = take_room(m);
    if (err != AG_OK) {
        return err;
    }
    each_window(m, mark_window);
    each_row(m, sum_buckets);
    each_window(m, put_cell);
    each_row(m, put_back_firsts);
    return AG_OK;
}

/* ---- looking ---- */

static void
add_start(uint64_t *starts, size_t start)
{
    starts[start % STARTS_COUNT / 64] |= 1ULL << (start % 64);
}

/* What is looked for, and where. */
struct looking {
    const struct matcher *m;
    const struct set_windows *w;
    struct span text;
    uint64_t *starts;
};

/* The forms whose window begins at `at`. */
static void
add_forms(const struct looking *l, size_t at)
{
    const struct set_windows *w = l->w;
    uint64_t hash = block_hash(l->m, w, l->text.ptr + at);
    uint32_t bucket = bucket_of(w, hash);

    for (uint32_t i = w->firsts[bucket]; i < w->firsts[bucket + 1]; i++) {
        uint32_t cell = 0;
        size_t before;

        memcpy(&cell, w->cells + (size_t)i * CELL_BYTES, CELL_BYTES);
        cell = le32toh(cell);
        before = cell & ((1U << AT_BITS) - 1);
        if (cell >> AT_BITS == tag_of(hash) && before <= at) {
            add_start(l->starts, at - before);
        }
    }
}

static void
look_closer(const struct looking *l, size_t block)
{
    for (size_t i = 0; i < l->w->stride && i <= block; i++) {
        add_forms(l, block - i);
    }
}

/* At the blocks from `from` to before `end`. Inlined for both widths. */
static inline __attribute__((always_inline)) void
look(const struct looking *l, size_t from, size_t end, bool is_wide)
{
    const uint64_t *all = l->m->window_keys;
    const uint64_t keys[HASH_KEY_COUNT] = {all[0], all[1], all[2], all[3]};
    const uint8_t *text = l->text.ptr;
    const uint8_t *marks = l->w->marks;
    const size_t len = l->w->block_bytes;
    const size_t stride = l->w->stride;
    const unsigned int shift = l->w->mark_shift;

    for (size_t at = from; at < end; at += stride) {
        uint64_t hash = hash_of(keys, text + at, len, is_wide);

        if (__builtin_expect(set_bit(marks, first_bit(hash, shift)), 0) &&
            set_bit(marks, second_bit(hash, shift))) {
            look_closer(l, at);
        }
    }
}

void
windows_find(const struct matcher *m, struct span text, size_t from,
             size_t upto, uint64_t *starts)
{
    for (size_t i = 0; i < WINDOWS_COUNT; i++) {
        const struct set_windows *w = &m->windows[i];
        struct looking l = {.m = m, .w = w, .text = text};
        size_t first = from;
        size_t end = 0;

        if (w->marks == NULL || text.len < w->block_bytes) {
            continue;
        }
        l.starts = starts;
        end = text.len - w->block_bytes + 1;
        end = upto < end ? upto : end;
        first = (from + w->stride - 1) / w->stride * w->stride;
        if (w->block_bytes > NARROW_MAX_BYTES) {
            look(&l, first, end, true);
        } else {
            look(&l, first, end, false);
        }
    }
}
