#include "redact/matcher_impl.h"

enum {
    STEP_FIRST_BYTES = 12, /* most comparisons end within these */
    STEP_BYTES = 16,       /* of two forms written anew side by side */
};

static size_t
common_prefix(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t i = 0;

    while (i + WORD_BYTES <= len && set_load(a + i) == set_load(b + i)) {
        i += WORD_BYTES;
    }
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* One stretch of a form against the text at `at`. True: decided. */
static bool
compare_part(struct span part, struct span text, size_t at,
             struct set_order *order)
{
    size_t left = text.len - at;
    size_t len = part.len < left ? part.len : left;
    size_t same = common_prefix(part.ptr, text.ptr + at, len);

    order->common = at + same;
    if (same < len) {
        order->sign = part.ptr[same] < text.ptr[at + same] ? -1 : 1;
        return true;
    }
    if (part.len > left) {
        order->sign = 1;
        order->is_open = true;
        return true;
    }
    return false;
}

struct set_order
set_compare(const struct matcher *m, uint32_t ref, struct span text,
            struct set_scratch *scratch)
{
    struct set_order order = {.sign = -1};
    struct span raw = set_raw(m, ref);
    size_t step = STEP_FIRST_BYTES;
    size_t at = 0;
    size_t len;

    if (set_form(ref) == VARIANT_RAW) {
        if (!compare_part(raw, text, 0, &order)) {
            order.is_whole = true;
        }
        return order;
    }
    variant_begin(&scratch->gen, set_form(ref), raw);
    for (;;) {
        len = variant_next(&scratch->gen, scratch->bytes, step);
        step = SCRATCH_BYTES;
        if (len == 0) {
            order.is_whole = true;
            return order;
        }
        if (compare_part(span_of(scratch->bytes, len), text, at, &order)) {
            return order;
        }
        at += len;
    }
}

static uint32_t
text_key(struct span text)
{
    uint8_t bytes[KEY_BYTES] = {0};
    uint32_t key;

    memcpy(bytes, text.ptr, text.len < KEY_BYTES ? text.len : KEY_BYTES);
    memcpy(&key, bytes, sizeof(key));
    return be32toh(key);
}

bool
entries_may_begin(const struct matcher *m, size_t index, struct span text)
{
    return text.len < KEY_BYTES || m->entries[index].key == text_key(text);
}

size_t
entries_upto(const struct matcher *m, struct span text,
             struct set_scratch *scratch)
{
    uint32_t key = text_key(text);
    bool is_short = text.len < KEY_BYTES;
    size_t from = 0;
    size_t to = m->entry_count;

    /* A text shorter than a key is smaller than every form it begins. */
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        const struct set_entry *e = &m->entries[mid];
        bool is_greater = e->key != key || is_short
                              ? e->key > key || (is_short && e->key == key)
                              : set_compare(m, e->ref, text, scratch).sign > 0;

        if (is_greater) {
            to = mid;
        } else {
            from = mid + 1;
        }
    }
    return from;
}

/* ---- sorting, in place: a copy would lie in memory that is not locked ---- */

static int
compare_forms(const struct matcher *m, uint32_t a, uint32_t b)
{
    struct set_scratch *first = &m->scratch[0];
    struct set_scratch *second = &m->scratch[1];

    variant_begin(&first->gen, set_form(a), set_raw(m, a));
    variant_begin(&second->gen, set_form(b), set_raw(m, b));
    for (;;) {
        size_t len_a = variant_next(&first->gen, first->bytes, STEP_BYTES);
        size_t len_b = variant_next(&second->gen, second->bytes, STEP_BYTES);
        size_t len = len_a < len_b ? len_a : len_b;
        size_t same = common_prefix(first->bytes, second->bytes, len);

        if (same < len) {
            return first->bytes[same] < second->bytes[same] ? -1 : 1;
        }
        if (len_a != len_b) {
            return len_a < len_b ? -1 : 1;
        }
        if (len_a == 0) {
            return 0;
        }
    }
}

typedef bool (*less_fn)(const struct matcher *m, struct set_entry a,
                        struct set_entry b);

static bool
is_less_number(const struct matcher *m, struct set_entry a, struct set_entry b)
{
    (void)m;
    return a.key != b.key ? a.key < b.key : a.ref < b.ref;
}

static bool
is_less_form(const struct matcher *m, struct set_entry a, struct set_entry b)
{
    int order = a.ref == b.ref ? 0 : compare_forms(m, a.ref, b.ref);

    return order == 0 ? a.ref < b.ref : order < 0;
}

static void
sift_down(const struct matcher *m, less_fn is_less, struct set_entry *e,
          size_t root, size_t count)
{
    struct set_entry moved = e[root];
    size_t child = 2 * root + 1;

    while (child < count) {
        if (child + 1 < count && is_less(m, e[child], e[child + 1])) {
            child++;
        }
        if (!is_less(m, moved, e[child])) {
            break;
        }
        e[root] = e[child];
        root = child;
        child = 2 * root + 1;
    }
    e[root] = moved;
}

static void
heap_sort(const struct matcher *m, less_fn is_less, struct set_entry *e,
          size_t count)
{
    size_t i;

    for (i = count / 2; i > 0; i--) {
        sift_down(m, is_less, e, i - 1, count);
    }
    for (i = count; i > 1; i--) {
        struct set_entry top = e[0];

        e[0] = e[i - 1];
        e[i - 1] = top;
        sift_down(m, is_less, e, 0, i - 1);
    }
}

/* The four bytes of a form that begin `depth` bytes behind its start. Padded
 * with zeros, so one whose last byte is zero may have ended. */
static uint32_t
key_at(const struct matcher *m, uint32_t ref, size_t depth)
{
    struct set_scratch *scratch = &m->scratch[0];
    size_t len;

    variant_begin(&scratch->gen, set_form(ref), set_raw(m, ref));
    len = variant_next(&scratch->gen, scratch->bytes, depth + KEY_BYTES);
    return text_key(
        span_of(scratch->bytes + depth, len < depth ? 0 : len - depth));
}

/*
 * Sorts entries whose forms are equal up to `depth`, by their keys at depth;
 * stretches of equal keys are then sorted by the next four bytes, and so on.
 * So forms are written anew once a level, not once a comparison. Where a form
 * may have ended, and deep down, they are compared whole.
 */
static void
sort_at(const struct matcher *m, struct set_entry *e, size_t count,
        size_t depth)
{
    size_t from;
    size_t to;

    heap_sort(m, is_less_number, e, count);
    for (from = 0; from < count; from = to) {
        uint32_t key = e[from].key;
        size_t i;

        for (to = from + 1; to < count && e[to].key == key; to++) {
        }
        if (to - from == 1) {
            continue;
        }
        if ((key & 0xff) == 0 ||
            depth + (size_t)(2 * KEY_BYTES) > SCRATCH_BYTES) {
            heap_sort(m, is_less_form, e + from, to - from);
            continue;
        }
        for (i = from; i < to; i++) {
            e[i].key = key_at(m, e[i].ref, depth + KEY_BYTES);
        }
        sort_at(m, e + from, to - from, depth + KEY_BYTES);
        for (i = from; i < to; i++) {
            e[i].key = key;
        }
    }
}

void
entries_sort(struct matcher *m)
{
    size_t kept = 0;
    size_t i;

    sort_at(m, m->entries, m->entry_count, 0);
    for (i = 0; i < m->entry_count; i++) {
        if (kept > 0 && m->entries[kept - 1].key == m->entries[i].key &&
            compare_forms(m, m->entries[kept - 1].ref, m->entries[i].ref) ==
                0) {
            continue;
        }
        m->entries[kept++] = m->entries[i];
    }
    m->entry_count = kept;
}
