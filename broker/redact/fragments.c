#include "redact/fragments.h"

#include "redact/joint.h"
#include "redact/marks.h"
#include "redact/random_run.h"
#include "redact/strength.h"

enum {
    CELLS_RUN = FRAGMENT_MIN_BYTES - FRAGMENT_BLOCK_BYTES + 1,
    TRIGRAM_BYTES = 3,
    TRIGRAM_LOG2 = 17, /* bits of their bitmap */
    /* All blocks are marked, one in four has a cell: near a mark, up to three
     * bytes away, there is one. */
    CELL_EVERY = 4,
    BUCKETS_MIN_LOG2 = 6,
    BUCKETS_MAX_LOG2 = 13,
};

/* ---- building ---- */

struct build {
    struct matcher *m;
    size_t count;
    bool is_filling;
};

static uint64_t
trigram_of(const uint8_t *at)
{
    uint64_t word = (uint64_t)at[0] << 16 | (uint64_t)at[1] << 8 | at[2];

    return (word * SET_HASH_FACTOR) >> (64 - TRIGRAM_LOG2);
}

static uint64_t
block_of(const uint8_t *at)
{
    return set_hash(set_load_short(at, FRAGMENT_BLOCK_BYTES),
                    FRAGMENT_BLOCK_BYTES);
}

static void
set_mark(uint8_t *bitmap, uint64_t index)
{
    bitmap[index >> 3] = (uint8_t)(bitmap[index >> 3] | 1U << (index & 7));
}

/* A block that has a cell: counted, or put in its bucket, which by then is
 * filled from its end. */
static void
visit_cell(struct build *b, const uint8_t *at)
{
    struct set_fragments *f = &b->m->fragments;
    uint64_t hash = block_of(at);

    if (b->is_filling) {
        f->cells[--f->firsts[hash >> f->bucket_shift]] =
            (uint32_t)(at - b->m->bytes);
    } else if (f->firsts != NULL) {
        f->firsts[hash >> f->bucket_shift]++;
    }
    b->count++;
}

/* A block of a random run. */
static void
visit_block(struct build *b, struct span line, size_t at)
{
    struct set_fragments *f = &b->m->fragments;

    if (b->is_filling) {
        joint_put(f, line.ptr + at);
    }
    if (at % CELL_EVERY == 0) {
        visit_cell(b, line.ptr + at);
    }
}

static void
mark_line(struct set_fragments *f, struct span line)
{
    size_t i;

    for (i = 0; i + TRIGRAM_BYTES <= line.len; i++) {
        set_mark(f->trigrams, trigram_of(line.ptr + i));
    }
}

/* Of a JWT (RFC 7519) the signature: its claims are in others, and in its
 * placeholder, too. */
static struct span
secret_part(struct span line)
{
    const uint8_t *dot = NULL;

    if (span_starts(line, span_str("eyJ"))) {
        dot = memrchr(line.ptr, '.', line.len);
    }
    return dot == NULL ? line
                       : span_sub(line, (size_t)(dot + 1 - line.ptr), line.len);
}

static void
visit_line(struct build *b, struct span line)
{
    size_t done = 0; /* blocks before it were visited */
    size_t i;

    line = secret_part(line);
    if (span_starts(line, span_str("-----"))) {
        return; /* PEM armour */
    }
    if (b->is_filling) {
        mark_line(&b->m->fragments, line);
    }
    for (i = 0; i + FRAGMENT_MIN_BYTES <= line.len; i++) {
        if (!random_run_at(line.ptr + i)) {
            continue;
        }
        for (done = done > i ? done : i; done < i + CELLS_RUN; done++) {
            if (b->count < FRAGMENT_CELLS_MAX_COUNT) {
                visit_block(b, line, done);
            }
        }
    }
}

static bool
is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static size_t
visit_all(struct build *b, bool is_filling)
{
    size_t i;

    b->count = 0;
    b->is_filling = is_filling;
    for (i = 0; i < b->m->value_count; i++) {
        struct matcher_value v = set_value_of(b->m, i);
        struct span text = strength_trimmed(v.value);
        size_t from = 0;
        size_t at;

        /* A document's fields are values, the rest of it is none. */
        if (strength_of(v.value) != STRENGTH_FULL ||
            (v.flags & MATCHER_NO_LINES) != 0) {
            continue;
        }
        for (at = 0; at <= text.len; at++) {
            if (at == text.len || is_line_end(text.ptr[at])) {
                visit_line(b, span_sub(text, from, at - from));
                from = at + 1;
            }
        }
    }
    return b->count;
}

enum ag_err
fragments_build(struct matcher *m)
{
    struct set_fragments *f = &m->fragments;
    struct build b = {.m = m};
    size_t count = visit_all(&b, false);
    uint32_t marks = joint_measure(m, count * CELL_EVERY);
    uint32_t buckets = set_log2(count, BUCKETS_MIN_LOG2, BUCKETS_MAX_LOG2);
    size_t marks_bytes = (size_t)1 << (marks - 3);
    size_t trigram_bytes = (size_t)1 << (TRIGRAM_LOG2 - 3);
    size_t firsts_bytes = (((size_t)1 << buckets) + 1) * sizeof(*f->firsts);
    enum ag_err err;
    size_t i;

    if (m->value_count == 0) {
        return AG_OK;
    }
    err = lockmem_init(marks_bytes + trigram_bytes + firsts_bytes +
                           count * sizeof(*f->cells),
                       &m->fragment_store);
    if (err != AG_OK) {
        return err;
    }
    f->marks = m->fragment_store.ptr;
    f->trigrams = f->marks + marks_bytes;
    f->firsts = (uint32_t *)(void *)(f->trigrams + trigram_bytes);
    f->cells = f->firsts + ((size_t)1 << buckets) + 1;
    f->mark_shift = 64 - marks;
    f->bucket_shift = 64 - buckets;
    f->cell_count = visit_all(&b, false); /* of each bucket */
    for (i = 1; i <= (size_t)1 << buckets; i++) {
        f->firsts[i] += f->firsts[i - 1];
    }
    (void)visit_all(&b, true);
    joint_put_forms(m);
    return AG_OK;
}

/* ---- searching ---- */

struct search {
    const struct fragments_request *in;
    struct holes *holes;
    const struct matcher *part;
    struct marked *marked;
    size_t open; /* of the text; what is before it is decided */
};

/* Index of the value that has the byte m->bytes[at]. */
static uint32_t
value_at(const struct matcher *m, uint32_t at)
{
    size_t from = 0;
    size_t to = m->value_count;

    while (to - from > 1) {
        size_t mid = from + (to - from) / 2;

        if (m->values[mid].name_at <= at) {
            from = mid;
        } else {
            to = mid;
        }
    }
    return (uint32_t)from;
}

/* The byte `back` before the text; false: it isn't known. */
static bool
byte_before(const struct search *s, size_t back, uint8_t *ret)
{
    if (back > s->in->behind.len) {
        return false;
    }
    *ret = s->in->behind.ptr[s->in->behind.len - back];
    return true;
}

/* How many bytes before text[at] are those before `here` in its line. */
static size_t
same_before(const struct search *s, size_t at, struct span value, size_t here)
{
    size_t len = 0;

    while (len < here && !is_line_end(value.ptr[here - len - 1])) {
        uint8_t c;

        if (len < at) {
            c = s->in->text.ptr[at - len - 1];
        } else if (!byte_before(s, len - at + 1, &c)) {
            break;
        }
        if (c != value.ptr[here - len - 1]) {
            break;
        }
        len++;
    }
    return len;
}

static size_t
same_behind(const struct search *s, size_t at, struct span value, size_t here)
{
    size_t len = 0;

    while (at + len < s->in->text.len && here + len < value.len &&
           s->in->text.ptr[at + len] == value.ptr[here + len] &&
           !is_line_end(value.ptr[here + len])) {
        len++;
    }
    return len;
}

/* A value's block stands at text[at], perhaps. */
static void
look_at(struct search *s, size_t at, uint32_t cell)
{
    const struct fragments_request *in = s->in;
    uint32_t index = value_at(s->part, cell);
    struct span value = strength_trimmed(set_value_of(s->part, index).value);
    size_t here = (size_t)(s->part->bytes + cell - value.ptr);
    size_t before = same_before(s, at, value, here);
    size_t len = before + same_behind(s, at, value, here);
    size_t left; /* of the run's start: shown */
    size_t start;

    if (len < FRAGMENT_MIN_BYTES) {
        return;
    }
    left = random_run_in(span_sub(value, here - before, len));
    if (left == len) {
        return;
    }
    /* A value's own start is held as that of a form. */
    left = here == before ? 0 : left + FRAGMENT_SHOWN_BYTES;
    start = at + left > before ? at + left - before : 0;
    holes_add(s->holes, &(struct hole){.start = in->offset + start,
                                       .end = in->offset + at + len - before,
                                       .len = len,
                                       .part = s->part,
                                       .value = index,
                                       .form = VARIANT_FRAGMENT});
    if (at + len - before == in->text.len && start < s->open &&
        in->text.len - start <= in->most && here - before + len < value.len) {
        s->open = start;
    }
}

static void
look_in_bucket(struct search *s, size_t at)
{
    const struct set_fragments *f = &s->part->fragments;
    const uint8_t *here = s->in->text.ptr + at;
    uint64_t bucket = block_of(here) >> f->bucket_shift;
    uint32_t i;

    for (i = f->firsts[bucket]; i < f->firsts[bucket + 1]; i++) {
        const uint8_t *block = s->part->bytes + f->cells[i];

        if (span_equal(span_of(block, FRAGMENT_BLOCK_BYTES),
                       span_of(here, FRAGMENT_BLOCK_BYTES))) {
            look_at(s, at, f->cells[i]);
        }
    }
}

/* A block is marked: one near it has a cell, if it is of a fragment. */
static void
look_near(struct search *s, size_t at)
{
    const struct set_fragments *f = &s->part->fragments;
    const uint8_t *text = s->in->text.ptr;
    size_t end = s->in->text.len;
    size_t to = at + CELL_EVERY;

    if (at > 0 && at + 1 + f->block_bytes <= end &&
        !joint_has(f, text + at - 1) && !joint_has(f, text + at + 1)) {
        return; /* a fragment has others beside it */
    }
    at = at < CELL_EVERY - 1 ? 0 : at - (CELL_EVERY - 1);
    for (; at < to && at + FRAGMENT_BLOCK_BYTES <= end; at++) {
        look_in_bucket(s, at);
    }
}

/* A block is marked: for whoever looks for forms, too. */
static void
look_both(struct search *s, size_t at)
{
    marked_add(s->marked, at);
    look_near(s, at);
}

/* Any twelve bytes have a block at a multiple of the stride; so has the start
 * of any form. */
static void
look_at_blocks(struct search *s)
{
    const struct set_fragments *f = &s->part->fragments;
    const struct marks m = {.bitmap = f->marks,
                            .stride = f->stride,
                            .shift = f->mark_shift,
                            .block_bytes = f->block_bytes,
                            .is_single = f->is_single};
    const uint8_t *text = s->in->text.ptr;
    size_t len = s->in->text.len;
    size_t end = len < WORD_BYTES ? 0 : len - WORD_BYTES + 1;
    size_t at = 0;

    while ((at = marks_next(&m, text, at, end)) < end) {
        look_both(s, at);
        at += f->stride;
    }
    if (at + f->block_bytes <= len && joint_has(f, text + at)) {
        look_both(s, at);
    }
}

/* How far back from the text's end every three bytes are some value's. */
static size_t
tail_of(const struct search *s)
{
    const uint8_t *trigrams = s->part->fragments.trigrams;
    uint8_t last[TRIGRAM_BYTES] = {0};
    size_t len = 0;

    while (len < FRAGMENT_MIN_BYTES) {
        uint8_t c;

        if (len < s->in->text.len) {
            c = s->in->text.ptr[s->in->text.len - len - 1];
        } else if (!byte_before(s, len - s->in->text.len + 1, &c)) {
            break;
        }
        last[2] = last[1];
        last[1] = last[0];
        last[0] = c;
        if (len + 1 >= TRIGRAM_BYTES && !set_bit(trigrams, trigram_of(last))) {
            break;
        }
        len++;
    }
    return len;
}

static void
search_in(struct search *s, const struct matcher *part, struct marked *marked)
{
    size_t tail;

    s->part = part;
    s->marked = marked;
    marked->count = 0;
    marked->is_all = part->fragments.has_forms;
    if (part->fragments.marks == NULL) {
        return;
    }
    look_at_blocks(s);
    tail = s->in->is_at_end ? 0 : tail_of(s);
    if (tail > FRAGMENT_SHOWN_BYTES) {
        size_t held = tail - FRAGMENT_SHOWN_BYTES;
        size_t open = held < s->in->text.len ? s->in->text.len - held : 0;

        s->open = open < s->open ? open : s->open;
    }
}

size_t
fragments_find(const struct fragments_request *request, struct holes *holes)
{
    struct search s = {
        .in = request, .holes = holes, .open = request->text.len};

    search_in(&s, request->set, &request->marked[0]);
    if (request->set->base != NULL) {
        search_in(&s, request->set->base, &request->marked[1]);
    }
    return request->is_at_end ? request->text.len : s.open;
}
