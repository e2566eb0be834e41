/* Using a set of fingerprints. */
#include "redact/prints.h"

#include <stdlib.h>
#include <string.h>

#include "redact/prints_impl.h"

enum {
    FILTER_BITS = 18, /* 32 KiB: stays in the cache */
};

struct form_row {
    uint64_t extent;
    uint8_t print[PRINT_BYTES];
    uint32_t value;
    uint16_t len;
    uint16_t extent_at;
    uint8_t number; /* of the extent */
    uint8_t form;
};

struct prints {
    uint8_t key[KEY_BYTES];
    int64_t made_ms;
    size_t value_count;
    size_t form_count;
    size_t longest_bytes;
    struct span *names; /* in text */
    uint8_t *text;
    struct form_row *forms;
    uint8_t extents[(1U << FILTER_BITS) / 8]; /* is there one at all? */
};

const uint8_t PRINTS_EXTENTS[PRINTS_EXTENT_COUNT] = {20, 26,
                                                     PRINTS_EXTENT_MAX_BYTES};

uint64_t
prints_extent(const uint8_t key[KEY_BYTES], struct span extent)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t value = 0;

    (void)crypto_shorthash(out, extent.ptr, extent.len, key);
    for (size_t i = sizeof(out); i > 0; i--) {
        value = value << 8 | out[i - 1];
    }
    return value;
}

void
prints_whole(const uint8_t key[KEY_BYTES], struct span form,
             uint8_t out[PRINT_BYTES])
{
    (void)crypto_generichash(out, PRINT_BYTES, form.ptr, form.len, key,
                             KEY_BYTES);
}

void
prints_sum(struct span file, uint8_t out[SUM_BYTES])
{
    (void)crypto_generichash(out, SUM_BYTES, file.ptr, file.len, NULL, 0);
}

/* ---- reading the file ---- */

/* Takes numbers and bytes off the front; once something is missing, all is. */
struct reader {
    struct span left;
    bool bad;
};

static struct span
take(struct reader *r, size_t len)
{
    struct span part = span_sub(r->left, 0, len);

    r->bad = r->bad || part.len != len;
    r->left = span_sub(r->left, part.len, r->left.len);
    return part;
}

static uint64_t
take_number(struct reader *r, size_t len)
{
    struct span bytes = take(r, len);
    uint64_t value = 0;

    for (size_t i = bytes.len; i > 0; i--) {
        value = value << 8 | bytes.ptr[i - 1];
    }
    return value;
}

static enum ag_err
not_a_set(const char *why)
{
    return err_why(AG_ECORRUPT,
                   "this is no redaction set of auth-guard, or not all of it: "
                   "%s; export it anew",
                   why);
}

static void
copy_text(void *to, struct span from)
{
    if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
}

static bool
read_row(struct prints *p, struct reader *r, struct form_row *row)
{
    row->extent = take_number(r, 8);
    copy_text(row->print, take(r, PRINT_BYTES));
    row->value = (uint32_t)take_number(r, 4);
    row->len = (uint16_t)take_number(r, 2);
    row->extent_at = (uint16_t)take_number(r, 2);
    row->number = (uint8_t)take_number(r, 1);
    row->form = (uint8_t)take_number(r, 1);
    p->longest_bytes =
        row->len > p->longest_bytes ? row->len : p->longest_bytes;
    return !r->bad && row->value < p->value_count &&
           row->form < VARIANT_COUNT && row->len >= GRAM_FORM_MIN_BYTES &&
           row->number < PRINTS_EXTENT_COUNT &&
           (size_t)row->extent_at + PRINTS_EXTENTS[row->number] <= row->len;
}

static enum ag_err
read_forms(struct prints *p, struct reader *r)
{
    p->forms = calloc(p->form_count + 1, sizeof(*p->forms));
    if (p->forms == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < p->form_count; i++) {
        struct form_row *row = &p->forms[i];
        uint64_t bit = 0;

        if (!read_row(p, r, row) || (i > 0 && row->extent < row[-1].extent)) {
            return not_a_set("a form is not as it should be");
        }
        bit = row->extent >> (64 - FILTER_BITS);
        p->extents[bit / 8] |= (uint8_t)(1U << (bit % 8));
    }
    return r->left.len == 0 ? AG_OK : not_a_set("something follows its end");
}

/* They stand in markers, perhaps on a terminal. */
static bool
is_printable(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < ' ' || name.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* `text` is where they are kept: no longer than what is left of the file. */
static enum ag_err
read_names(struct prints *p, struct reader *r)
{
    size_t used = 0;

    p->names = calloc(p->value_count + 1, sizeof(*p->names));
    p->text = malloc(r->left.len + 1);
    if (p->names == NULL || p->text == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < p->value_count; i++) {
        struct span name = take(r, take_number(r, 1));

        if (r->bad || !is_printable(name)) {
            return not_a_set("a name is not as it should be");
        }
        copy_text(p->text + used, name);
        p->names[i] = span_of(p->text + used, name.len);
        used += name.len;
    }
    return AG_OK;
}

/* What the counts say has to be there, before memory is had for it. */
static enum ag_err
read_head(struct prints *p, struct reader *r)
{
    uint8_t sum[SUM_BYTES];
    struct span magic = take(r, MAGIC_BYTES);

    if (magic.len == MAGIC_BYTES && !span_is(magic, PRINTS_MAGIC) &&
        span_starts(magic, span_of(PRINTS_MAGIC, MAGIC_BYTES - 1))) {
        return err_why(AG_ENEWER, "this redaction set was written by a newer "
                                  "auth-guard; upgrade this one");
    }
    if (!span_is(magic, PRINTS_MAGIC) ||
        r->left.len < HEAD_BYTES - MAGIC_BYTES + SUM_BYTES) {
        return not_a_set("it does not begin like one");
    }
    r->left.len -= SUM_BYTES;
    prints_sum(span_of(magic.ptr, MAGIC_BYTES + r->left.len), sum);
    if (!span_equal(span_of(sum, SUM_BYTES),
                    span_of(r->left.ptr + r->left.len, SUM_BYTES))) {
        return not_a_set("its checksum differs");
    }
    copy_text(p->key, take(r, KEY_BYTES));
    p->made_ms = (int64_t)take_number(r, 8);
    p->value_count = (size_t)take_number(r, 4);
    p->form_count = (size_t)take_number(r, 4);
    if (p->value_count > PRINTS_VALUES_MAX_COUNT ||
        p->value_count > r->left.len ||
        p->form_count > r->left.len / FORM_ROW_BYTES) {
        return not_a_set("its counts are too large");
    }
    return AG_OK;
}

enum ag_err
prints_load(struct span file, struct prints **ret)
{
    AG_AUTO(prints) struct prints *p = calloc(1, sizeof(*p));
    struct reader r = {.left = file};
    enum ag_err err = p == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        err = read_head(p, &r);
    }
    if (err == AG_OK) {
        err = read_names(p, &r);
    }
    if (err == AG_OK) {
        err = read_forms(p, &r);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(p);
    }
    return err;
}

void
prints_free(struct prints *p)
{
    if (p != NULL) {
        free(p->names);
        free(p->text);
        free(p->forms);
        free(p);
    }
}

/* ---- asking it ---- */

size_t
prints_value_count(const struct prints *p)
{
    return p->value_count;
}

size_t
prints_form_count(const struct prints *p)
{
    return p->form_count;
}

int64_t
prints_made_ms(const struct prints *p)
{
    return p->made_ms;
}

size_t
prints_longest_bytes(const struct prints *p)
{
    return p->longest_bytes;
}

struct span
prints_name(const struct prints *p, uint32_t value)
{
    return p->names[value];
}

struct prints_form
prints_form_at(const struct prints *p, size_t number)
{
    const struct form_row *row = &p->forms[number];

    return (struct prints_form){.value = row->value,
                                .len = row->len,
                                .extent_at = row->extent_at,
                                .form = (enum variant)row->form};
}

size_t
prints_reach(struct span text)
{
    size_t len = 0;

    while (len < text.len && len < PRINTS_EXTENT_MAX_BYTES &&
           text.ptr[len] > ' ') {
        len++;
    }
    return len;
}

size_t
prints_find(const struct prints *p, const uint8_t *at, size_t number,
            size_t *ret_first)
{
    uint64_t key = prints_extent(p->key, span_of(at, PRINTS_EXTENTS[number]));
    uint64_t bit = key >> (64 - FILTER_BITS);
    size_t lo = 0;
    size_t hi = p->form_count;
    size_t end = 0;

    if ((p->extents[bit / 8] >> (bit % 8) & 1) == 0) {
        return 0;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->forms[mid].extent < key) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    end = lo;
    while (end < p->form_count && p->forms[end].extent == key) {
        end++;
    }
    *ret_first = lo;
    return end - lo;
}

bool
prints_is(const struct prints *p, size_t number, struct span text)
{
    uint8_t print[PRINT_BYTES];

    prints_whole(p->key, text, print);
    return span_equal(span_of(print, PRINT_BYTES),
                      span_of(p->forms[number].print, PRINT_BYTES));
}
