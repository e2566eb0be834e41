/* Making a set of fingerprints, where the values are. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "redact/lockmem.h"
#include "redact/pieces.h"
#include "redact/prints_impl.h"
#include "redact/rule_score.h"

enum {
    FORM_MAX_BYTES = MATCHER_PIECE_MAX_BYTES * VARIANT_GROWTH_MAX,
    ROWS_MAX_COUNT = PRINTS_FILE_MAX_BYTES / FORM_ROW_BYTES,
    NAMES_MAX_BYTES = PRINTS_VALUES_MAX_COUNT * (1 + MATCHER_NAME_MAX_BYTES),
    /* What looks drawn by chance (rule_score.h): of twenty characters of hex
     * nearly all have 300, of words hardly any. */
    ENTROPY_MIN = 275,
    EFFICIENCY_MAX = 240,
    AROUND_BYTES = 8,
    CUT_BYTES = 4,
    PLACES_MAX_COUNT = 256, /* of a form's end that are tried */
};

enum judged {
    NOT_YET,
    IS_RANDOM,
    IS_NONE,
};

struct prints_maker {
    uint8_t key[KEY_BYTES];
    struct lockmem form; /* one, while it is looked at */
    struct buf names;
    struct buf rows;
    size_t value_count;
    uint8_t judged[2 * MATCHER_PIECE_MAX_BYTES]; /* of a piece, by place */
    bool has_any; /* form of the value being added */
    enum prints_fate fate;
    enum ag_err err;
};

enum ag_err
prints_maker_new(struct prints_maker **ret)
{
    AG_AUTO(prints_maker) struct prints_maker *m = calloc(1, sizeof(*m));
    enum ag_err err = m == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        buf_init(&m->names, NAMES_MAX_BYTES, BUF_PLAIN);
        buf_init(&m->rows, (size_t)ROWS_MAX_COUNT * FORM_ROW_BYTES, BUF_PLAIN);
        randombytes_buf(m->key, sizeof(m->key));
        err = lockmem_init(FORM_MAX_BYTES, &m->form);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(m);
    }
    return err;
}

void
prints_maker_free(struct prints_maker *m)
{
    if (m != NULL) {
        lockmem_done(&m->form);
        buf_done(&m->names);
        buf_done(&m->rows);
        free(m);
    }
}

/* ---- what can be guessed ---- */

/* Letters and digits, or letters of both cases, and no blanks: of words that
 * are too short for a list of words nothing else tells. */
static bool
is_mixed(struct span text)
{
    bool lower = false;
    bool upper = false;
    bool digit = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c <= ' ') {
            return false;
        }
        lower = lower || (c >= 'a' && c <= 'z');
        upper = upper || (c >= 'A' && c <= 'Z');
        digit = digit || (c >= '0' && c <= '9');
    }
    return (int)lower + (int)upper + (int)digit > 1;
}

/* The value from `at` on, with what stands around it: an edge cuts words in
 * pieces that look like nothing. */
static bool
looks_random(struct span raw, size_t at)
{
    size_t from = at > AROUND_BYTES ? at - AROUND_BYTES : 0;
    size_t len = at - from + GRAM_BYTES + AROUND_BYTES;
    struct span gram = span_sub(raw, at, GRAM_BYTES);

    return is_mixed(gram) && rule_score_entropy(gram) >= ENTROPY_MIN &&
           rule_score_efficiency(span_sub(raw, from, len)) <= EFFICIENCY_MAX;
}

/* Asked for once per place: a value's forms lead to the same ones. */
static bool
is_random(struct prints_maker *m, struct span raw, size_t at)
{
    if (m->judged[at] == NOT_YET) {
        m->judged[at] = looks_random(raw, at) ? IS_RANDOM : IS_NONE;
    }
    return m->judged[at] == IS_RANDOM;
}

/* Hundredths of a bit per character of a value drawn from its alphabet. */
static uint32_t
bits_of(struct span raw)
{
    bool beyond_hex = false; /* one case of it */
    bool lower = false;
    bool upper = false;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];

        lower = lower || (c >= 'a' && c <= 'z');
        upper = upper || (c >= 'A' && c <= 'Z');
        beyond_hex =
            beyond_hex || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z');
    }
    return !beyond_hex ? 400 : lower && upper ? 595 : 500;
}

/* What of the value an extent of a form depends on: where it stands in the
 * value as it is, that; else as much less as the form is longer. A form of
 * base64 lacks up to two characters at each end. */
static struct span
origin(struct span raw, struct span form, struct span extent)
{
    const uint8_t *same =
        extent.len == 0 ? NULL
                        : memmem(raw.ptr, raw.len, extent.ptr, extent.len);
    size_t at = (size_t)(extent.ptr - form.ptr) * raw.len / form.len;
    size_t len = extent.len * raw.len / (form.len + CUT_BYTES);

    return same != NULL ? span_of(same, extent.len) : span_sub(raw, at, len);
}

/* The shortest extent at `at` that is enough; false: none is. */
static bool
fits(struct prints_maker *m, struct span raw, struct span form, size_t at,
     size_t *ret_number)
{
    size_t reach = prints_reach(span_sub(form, at, form.len));

    for (size_t i = 0; i < PRINTS_EXTENT_COUNT && PRINTS_EXTENTS[i] <= reach;
         i++) {
        struct span part =
            origin(raw, form, span_sub(form, at, PRINTS_EXTENTS[i]));

        if (part.len * bits_of(raw) >= (size_t)PRINTS_BITS_MIN * 100) {
            *ret_number = i;
            return is_random(m, raw, (size_t)(part.ptr - raw.ptr));
        }
    }
    return false;
}

struct place {
    size_t at;
    size_t number; /* of the extent */
};

/* Of the places that any walk through the form meets the last one that can be
 * used: known prefixes are in front. */
static bool
find_place(struct prints_maker *m, struct span raw, struct span form,
           struct place *ret)
{
    struct gram_walk walk = {.at = 0};
    size_t places[PLACES_MAX_COUNT];
    size_t count = 0;
    size_t at = 0;

    while (gram_next(&walk, form, &at)) {
        places[count++ % PLACES_MAX_COUNT] = at;
    }
    for (size_t i = 0; i < count && i < PLACES_MAX_COUNT; i++) {
        at = places[(count - 1 - i) % PLACES_MAX_COUNT];
        if (fits(m, raw, form, at, &ret->number)) {
            ret->at = at;
            return true;
        }
    }
    return false;
}

/* ---- forms ---- */

static enum ag_err
add_row(struct prints_maker *m, struct span form, const struct place *place,
        enum variant variant)
{
    uint8_t print[PRINT_BYTES];
    const uint8_t tail[] = {
        (uint8_t)form.len,         (uint8_t)(form.len >> 8), (uint8_t)place->at,
        (uint8_t)(place->at >> 8), (uint8_t)place->number,   (uint8_t)variant,
    };
    struct span extent =
        span_sub(form, place->at, PRINTS_EXTENTS[place->number]);
    enum ag_err err = buf_add_u64le(&m->rows, prints_extent(m->key, extent));

    prints_whole(m->key, form, print);
    if (err == AG_OK) {
        err = buf_add(&m->rows, span_of(print, sizeof(print)));
    }
    if (err == AG_OK) {
        err = buf_add_u32le(&m->rows, (uint32_t)m->value_count);
    }
    return err == AG_OK ? buf_add(&m->rows, span_of(tail, sizeof(tail))) : err;
}

static enum ag_err
add_form(struct prints_maker *m, struct span raw, enum variant variant)
{
    struct variant_gen gen;
    struct place place = {.at = 0};
    struct span form;

    variant_begin(&gen, variant, raw);
    form = span_of(m->form.ptr, variant_next(&gen, m->form.ptr, m->form.len));
    sodium_memzero(&gen, sizeof(gen));
    if (span_find(form, '\n') < form.len || !find_place(m, raw, form, &place)) {
        return AG_OK;
    }
    m->has_any = true;
    return add_row(m, form, &place, variant);
}

/* The better of two: a value's parts may have several. */
static enum prints_fate
better(enum prints_fate a, enum prints_fate b)
{
    return a == PRINTS_TAKEN || b == PRINTS_TAKEN           ? PRINTS_TAKEN
           : a == PRINTS_GUESSABLE || b == PRINTS_GUESSABLE ? PRINTS_GUESSABLE
                                                            : PRINTS_SHORT;
}

static bool
add_piece(void *ctx, struct span raw, bool is_line)
{
    struct prints_maker *m = ctx;
    struct place place = {.at = 0};
    unsigned int traits = 0;
    size_t len = 0;

    memset(m->judged, NOT_YET, raw.len);
    if (raw.len < GRAM_FORM_MIN_BYTES || !find_place(m, raw, raw, &place)) {
        m->fate =
            better(m->fate, raw.len < GRAM_FORM_MIN_BYTES ? PRINTS_SHORT
                                                          : PRINTS_GUESSABLE);
        return true;
    }
    m->fate = PRINTS_TAKEN;
    traits = escape_traits(raw);
    for (int i = 0; m->err == AG_OK && i < VARIANT_COUNT; i++) {
        enum variant form = (enum variant)i;

        if (pieces_has_form(form, raw, is_line, traits, &len) &&
            len >= GRAM_FORM_MIN_BYTES) {
            m->err = add_form(m, raw, form);
        }
    }
    return m->err == AG_OK;
}

enum ag_err
prints_maker_add(struct prints_maker *m, const struct matcher_value *value,
                 enum prints_fate *ret)
{
    const uint8_t name_len = (uint8_t)value->name.len;

    if (value->value.len > MATCHER_VALUE_MAX_BYTES ||
        value->name.len > MATCHER_NAME_MAX_BYTES ||
        m->value_count == PRINTS_VALUES_MAX_COUNT) {
        return AG_ELIMIT;
    }
    m->err = AG_OK;
    m->fate = PRINTS_SHORT;
    m->has_any = false;
    (void)pieces_walk(value->value, value->flags, add_piece, m);
    wipe(m->form.ptr, m->form.len);
    if (m->err != AG_OK) {
        return m->err;
    }
    if (m->has_any) {
        m->err = buf_add_byte(&m->names, name_len);
        if (m->err == AG_OK) {
            m->err = buf_add(&m->names, value->name);
        }
        m->value_count++;
    } else {
        m->fate = m->fate == PRINTS_TAKEN ? PRINTS_GUESSABLE : m->fate;
    }
    if (m->err == AG_OK) {
        *ret = m->fate;
    }
    return m->err;
}

/* ---- the file ---- */

static uint64_t
extent_of(const uint8_t *row)
{
    uint64_t value = 0;

    for (size_t i = 8; i > 0; i--) {
        value = value << 8 | row[i - 1];
    }
    return value;
}

/* By extent, then by the rest, so that the same forms stand together. */
static int
by_extent(const void *a, const void *b)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    uint64_t x = extent_of(left);
    uint64_t y = extent_of(right);
    size_t i = 0;

    if (x != y) {
        return x < y ? -1 : 1;
    }
    while (i + 1 < FORM_ROW_BYTES && left[i] == right[i]) {
        i++;
    }
    return (int)left[i] - (int)right[i];
}

/* The same form under two names (of one value's variants, or of two secrets
 * with one value) is kept once. */
static size_t
sort_rows(struct prints_maker *m)
{
    size_t count = m->rows.len / FORM_ROW_BYTES;
    size_t kept = 0;

    if (count > 0) {
        qsort(m->rows.ptr, count, FORM_ROW_BYTES, by_extent);
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *row = m->rows.ptr + i * FORM_ROW_BYTES;
        uint8_t *last = m->rows.ptr + (kept - 1) * FORM_ROW_BYTES;

        if (kept == 0 || !span_equal(span_of(row, 8 + PRINT_BYTES),
                                     span_of(last, 8 + PRINT_BYTES))) {
            memmove(m->rows.ptr + kept * FORM_ROW_BYTES, row, FORM_ROW_BYTES);
            kept++;
        }
    }
    buf_truncate(&m->rows, kept * FORM_ROW_BYTES);
    return kept;
}

enum ag_err
prints_maker_write(struct prints_maker *m, int64_t made_ms, struct buf *out)
{
    uint8_t sum[SUM_BYTES];
    size_t before = out->len;
    size_t form_count = sort_rows(m);
    enum ag_err err = buf_add_str(out, PRINTS_MAGIC);

    if (err == AG_OK) {
        err = buf_add(out, span_of(m->key, KEY_BYTES));
    }
    if (err == AG_OK) {
        err = buf_add_u64le(out, (uint64_t)made_ms);
    }
    if (err == AG_OK) {
        err = buf_add_u32le(out, (uint32_t)m->value_count);
    }
    if (err == AG_OK) {
        err = buf_add_u32le(out, (uint32_t)form_count);
    }
    if (err == AG_OK) {
        err = buf_add(out, buf_view(&m->names));
    }
    if (err == AG_OK) {
        err = buf_add(out, buf_view(&m->rows));
    }
    if (err == AG_OK) {
        prints_sum(span_sub(buf_view(out), before, out->len), sum);
        err = buf_add(out, span_of(sum, sizeof(sum)));
    }
    return err;
}
