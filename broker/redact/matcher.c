#include "redact/matcher.h"

#include <stdlib.h>

#include "base/secret.h"
#include "redact/matcher_impl.h"
#include "redact/strength.h"

static atomic_uint_fast64_t serials;
static atomic_bool without_looks;

struct build {
    struct matcher *m;
    const struct matcher_value *values;
    size_t value_count;
    size_t byte_count;
    size_t piece_count;
    size_t entry_count;
    uint32_t value; /* the one being walked */
    struct span source;
};

static enum ag_err
check_value(const struct matcher_value *v)
{
    if (v->value.len > MATCHER_VALUE_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a value to redact is longer than %d bytes",
                       (int)MATCHER_VALUE_MAX_BYTES);
    }
    if (v->name.len > MATCHER_NAME_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a name is longer than %d bytes",
                       (int)MATCHER_NAME_MAX_BYTES);
    }
    return AG_OK;
}

static bool
count_piece(void *ctx, struct span raw, bool is_line)
{
    struct build *b = ctx;
    unsigned int traits = escape_traits(raw);
    unsigned int form;
    size_t len;

    b->piece_count++;
    for (form = 0; form < VARIANT_COUNT; form++) {
        if (pieces_has_form((enum variant)form, raw, is_line, traits, &len)) {
            b->entry_count++;
        }
    }
    return b->piece_count < PIECES_MAX_COUNT;
}

/* First walk: how much room everything needs. */
static enum ag_err
count_all(struct build *b)
{
    enum ag_err err;
    size_t i;

    if (b->value_count > MATCHER_VALUES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d values to redact",
                       (int)MATCHER_VALUES_MAX_COUNT);
    }
    for (i = 0; i < b->value_count; i++) {
        const struct matcher_value *v = &b->values[i];

        err = check_value(v);
        if (err != AG_OK) {
            return err;
        }
        b->byte_count += v->name.len + v->value.len;
        if (strength_is_redacted(strength_of(v->value)) &&
            !pieces_walk(v->value, v->flags, count_piece, b)) {
            return err_why(AG_ELIMIT, "too many lines to redact");
        }
    }
    return b->byte_count > UINT32_MAX ? AG_ELIMIT : AG_OK;
}

static void *
carve(uint8_t **at, size_t bytes)
{
    void *ptr = *at;

    *at += (bytes + 15) & ~(size_t)15;
    return ptr;
}

static enum ag_err
take_room(struct build *b)
{
    struct matcher *m = b->m;
    size_t bytes = (b->value_count * sizeof(*m->values)) + b->byte_count +
                   (b->piece_count * sizeof(*m->pieces)) +
                   (b->entry_count * sizeof(*m->entries)) +
                   2 * sizeof(*m->scratch) + WINDOW_KEYS_BYTES +
                   (size_t)(6 * 16);
    enum ag_err err = lockmem_init(bytes, &m->store);
    uint8_t *at = m->store.ptr;

    if (err != AG_OK) {
        return err;
    }
    m->values = carve(&at, b->value_count * sizeof(*m->values));
    m->pieces = carve(&at, b->piece_count * sizeof(*m->pieces));
    m->entries = carve(&at, b->entry_count * sizeof(*m->entries));
    m->scratch = carve(&at, 2 * sizeof(*m->scratch));
    m->window_keys = carve(&at, WINDOW_KEYS_BYTES);
    m->bytes = carve(&at, b->byte_count);
    return AG_OK;
}

static uint32_t
key_of(struct build *b, enum variant form, struct span raw)
{
    uint8_t *out = b->m->scratch->bytes;
    uint32_t key;

    variant_begin(&b->m->scratch->gen, form, raw);
    AG_ASSERT(variant_next(&b->m->scratch->gen, out, KEY_BYTES) == KEY_BYTES);
    memcpy(&key, out, sizeof(key));
    return be32toh(key);
}

static bool
fill_piece(void *ctx, struct span raw, bool is_line)
{
    struct build *b = ctx;
    struct matcher *m = b->m;
    unsigned int traits = escape_traits(raw);
    uint32_t piece = (uint32_t)m->piece_count++;
    unsigned int form;
    size_t len;

    if (raw.len > m->longest_piece_bytes) {
        m->longest_piece_bytes = raw.len;
    }
    m->pieces[piece] = (struct set_piece){
        .at = (uint32_t)(raw.ptr - m->bytes),
        .value = (uint16_t)b->value,
        .len = (uint16_t)raw.len,
        .random_end = (uint16_t)windows_random_end(raw),
        .is_line = is_line,
    };
    for (form = 0; form < VARIANT_COUNT; form++) {
        if (!pieces_has_form((enum variant)form, raw, is_line, traits, &len)) {
            continue;
        }
        m->entries[m->entry_count++] = (struct set_entry){
            .key = key_of(b, (enum variant)form, raw),
            .ref = piece << FORM_BITS | form,
        };
        if (len > m->longest_bytes) {
            m->longest_bytes = len;
        }
    }
    return true;
}

static uint32_t
copy_bytes(struct matcher *m, size_t *at, struct span s)
{
    size_t here = *at;

    if (s.len > 0) {
        memcpy(m->bytes + here, s.ptr, s.len);
    }
    *at += s.len;
    return (uint32_t)here;
}

/* Second walk: copies values, writes pieces and entries. */
static void
fill_all(struct build *b)
{
    struct matcher *m = b->m;
    size_t at = 0;
    size_t i;

    for (i = 0; i < b->value_count; i++) {
        const struct matcher_value *v = &b->values[i];
        struct set_value *own = &m->values[m->value_count++];
        enum strength strength = strength_of(v->value);
        size_t value_at;

        *own = (struct set_value){
            .id = v->id,
            .name_at = copy_bytes(m, &at, v->name),
            .value_len = (uint32_t)v->value.len,
            .name_len = (uint8_t)v->name.len,
            .flags = (uint8_t)v->flags,
            .is_weak = strength == STRENGTH_TOKEN,
        };
        value_at = copy_bytes(m, &at, v->value);
        b->value = (uint32_t)i;
        if (strength_is_redacted(strength)) {
            enum matcher_cut cut = pieces_cut(v->value);
            size_t line_ends = pieces_line_ends(v->value);

            m->cut = cut > m->cut ? cut : m->cut;
            m->line_ends = line_ends > m->line_ends ? line_ends : m->line_ends;
            (void)pieces_walk(span_of(m->bytes + value_at, v->value.len),
                              v->flags, fill_piece, b);
        }
    }
}

static enum ag_err
build(struct matcher *base, const struct matcher_value *values, size_t count,
      struct matcher **ret)
{
    AG_AUTO(matcher) struct matcher *m = calloc(1, sizeof(*m));
    struct build b = {.m = m, .values = values, .value_count = count};
    enum ag_err err;

    if (m == NULL) {
        return AG_ENOMEM;
    }
    atomic_init(&m->refs, 1);
    m->serial = atomic_fetch_add(&serials, 1) + 1;
    m->has_looks = !atomic_load(&without_looks);
    m->base = base == NULL ? NULL : matcher_ref(base);
    err = count_all(&b);
    if (err == AG_OK) {
        err = take_room(&b);
    }
    if (err != AG_OK) {
        return err;
    }
    fill_all(&b);
    entries_sort(m);
    err = bitmaps_build(m);
    if (err == AG_OK) {
        err = windows_build(m);
    }
    if (err == AG_OK && m->has_looks) {
        err = fragments_build(m);
    }
    if (err == AG_OK && m->has_looks) {
        err = tetrads_build(m);
    }
    if (err != AG_OK) {
        return err;
    }
    wipe(m->scratch, 2 * sizeof(*m->scratch));
    *ret = AG_TAKE(m);
    return AG_OK;
}

enum ag_err
matcher_build(const struct matcher_value *values, size_t count,
              struct matcher **ret)
{
    return build(NULL, values, count, ret);
}

enum ag_err
matcher_extend(struct matcher *base, const struct matcher_value *values,
               size_t count, struct matcher **ret)
{
    AG_ASSERT(base->base == NULL);
    return build(base, values, count, ret);
}

void
matcher_enable_looks(bool enabled)
{
    atomic_store(&without_looks, !enabled);
}

struct matcher *
matcher_ref(struct matcher *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void
matcher_unref(struct matcher *m)
{
    if (m == NULL || atomic_fetch_sub(&m->refs, 1) != 1) {
        return;
    }
    matcher_unref(m->base);
    lockmem_done(&m->store);
    lockmem_done(&m->bitmaps);
    lockmem_done(&m->window_store);
    lockmem_done(&m->fragment_store);
    lockmem_done(&m->tetrad_store);
    free(m);
}

size_t
matcher_count(const struct matcher *m)
{
    return m->value_count + (m->base == NULL ? 0 : m->base->value_count);
}

struct matcher_value
matcher_value_at(const struct matcher *m, size_t index)
{
    size_t before = m->base == NULL ? 0 : m->base->value_count;

    AG_ASSERT(index < before + m->value_count);
    return index < before ? set_value_of(m->base, index)
                          : set_value_of(m, index - before);
}

struct matcher *
matcher_base(struct matcher *m)
{
    return m->base == NULL ? m : m->base;
}

size_t
matcher_longest_bytes(const struct matcher *m)
{
    size_t below = m->base == NULL ? 0 : m->base->longest_bytes;

    return m->longest_bytes > below ? m->longest_bytes : below;
}

enum matcher_cut
matcher_cut(const struct matcher *m)
{
    return m->base != NULL && m->base->cut > m->cut ? m->base->cut : m->cut;
}

size_t
matcher_line_ends(const struct matcher *m)
{
    size_t below = m->base == NULL ? 0 : m->base->line_ends;

    return m->line_ends > below ? m->line_ends : below;
}

size_t
matcher_locked_bytes(const struct matcher *m)
{
    return m->store.len + m->bitmaps.len + m->window_store.len +
           m->fragment_store.len + m->tetrad_store.len +
           (m->base == NULL ? 0 : matcher_locked_bytes(m->base));
}

size_t
matcher_entry_count(const struct matcher *m)
{
    return m->entry_count + (m->base == NULL ? 0 : m->base->entry_count);
}
