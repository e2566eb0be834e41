#include "redact/rule_open.h"

#include <stdlib.h>
#include <string.h>

#include "redact/rule_find.h"

enum {
    HASH_BITS = 12,
    HASH_MASK = (1 << HASH_BITS) - 1,
    SHOWN_PART = 4, /* a quarter, as of known values */
};

struct entry {
    struct span keyword;
    const struct rule *rule;
};

struct rule_open {
    struct entry *entries; /* by the first byte, folded */
    size_t count;
    size_t cap;
    size_t firsts[257];
    size_t window;
    const struct rule *leads[RULES_MAX_COUNT]; /* rules with a lead */
    size_t lead_count;
    uint8_t pairs[(1 << HASH_BITS) / 8]; /* which two bytes begin a keyword */
};

static uint8_t
fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static unsigned
hash(const uint8_t *at)
{
    return (unsigned)(fold(at[0]) * 61 + fold(at[1])) & HASH_MASK;
}

enum ag_err
rule_open_new(struct rule_open **ret)
{
    struct rule_open *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        return AG_ENOMEM;
    }
    *ret = o;
    return AG_OK;
}

void
rule_open_free(struct rule_open *o)
{
    if (o != NULL) {
        free(o->entries);
        free(o);
    }
}

enum ag_err
rule_open_add(struct rule_open *o, const struct rule *rule)
{
    for (size_t i = 0; i < rule->keyword_count; i++) {
        struct span k = rule->keywords[i];

        if (o->count == o->cap) {
            size_t cap = o->cap == 0 ? 256 : 2 * o->cap;
            struct entry *more = reallocarray(o->entries, cap, sizeof(*more));

            if (more == NULL) {
                return AG_ENOMEM;
            }
            o->entries = more;
            o->cap = cap;
        }
        o->entries[o->count++] = (struct entry){.keyword = k, .rule = rule};
        o->pairs[hash(k.ptr) / 8] |= (uint8_t)(1U << hash(k.ptr) % 8);
    }
    if ((rule->flags & RULE_LEAD) != 0) {
        AG_ASSERT(o->lead_count < RULES_MAX_COUNT);
        o->leads[o->lead_count++] = rule;
    }
    if (rule->window > o->window) {
        o->window = rule->window;
    }
    return AG_OK;
}

static int
by_first(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    return fold(x->keyword.ptr[0]) - fold(y->keyword.ptr[0]);
}

void
rule_open_ready(struct rule_open *o)
{
    size_t at = 0;

    if (o->count > 0) {
        qsort(o->entries, o->count, sizeof(*o->entries), by_first);
    }
    for (size_t c = 0; c < 256; c++) {
        o->firsts[c] = at;
        while (at < o->count && fold(o->entries[at].keyword.ptr[0]) == c) {
            at++;
        }
    }
    o->firsts[256] = at;
}

/* Does `text` begin with the keyword, or is it a beginning of it? */
static bool
may_be(struct span keyword, struct span text)
{
    size_t len = keyword.len < text.len ? keyword.len : text.len;

    for (size_t i = 0; i < len; i++) {
        if (fold(keyword.ptr[i]) != fold(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

static size_t
less(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* What an occurrence at `at` says of a secret's first byte. */
static size_t
start_of(const struct rule *rule, size_t at, size_t run)
{
    size_t from = at > rule->lead_max ? at - rule->lead_max : 0;

    return (rule->flags & RULE_BLOCK) == 0 && from < run ? run : from;
}

/* Where the run of bytes without separators begins that ends the text. */
static size_t
run_start(const struct rule_open *o, struct span text)
{
    size_t least = text.len > o->window ? text.len - o->window : 0;
    size_t run = text.len;

    while (run > least && !rule_is_separator(text.ptr[run - 1])) {
        run--;
    }
    return run;
}

/* A keyword that is yet to come may have its secret's first bytes before it. */
static size_t
lead_start(const struct rule_open *o, struct span text)
{
    size_t result = text.len;

    for (size_t i = 0; i < o->lead_count; i++) {
        size_t from = text.len;

        while (from > 0 && text.len - from < o->leads[i]->lead_max &&
               rule_class_has(&o->leads[i]->lead, text.ptr[from - 1])) {
            from--;
        }
        result = less(result, from);
    }
    return result;
}

static size_t
look(const struct rule_open *o, struct span text, bool is_pause)
{
    size_t run = run_start(o, text);
    size_t result = is_pause ? text.len : lead_start(o, text);
    size_t at = text.len > o->window ? text.len - o->window : 0;

    for (; at < text.len; at++) {
        struct span rest = span_sub(text, at, text.len);
        size_t first = fold(text.ptr[at]);

        if (rest.len >= 2 &&
            (o->pairs[hash(rest.ptr) / 8] >> hash(rest.ptr) % 8 & 1) == 0) {
            continue;
        }
        for (size_t i = o->firsts[first]; i < o->firsts[first + 1]; i++) {
            const struct rule *rule = o->entries[i].rule;
            size_t from = start_of(rule, at, run);

            if (rest.len > rule->window ||
                !may_be(o->entries[i].keyword, rest)) {
                continue;
            }
            if (is_pause) {
                from = (rule->flags & RULE_CONTEXT) != 0
                           ? text.len
                           : from + rule->min_bytes / SHOWN_PART;
            }
            result = less(result, from);
        }
    }
    return result;
}

size_t
rule_open_from(const struct rule_open *o, struct span text)
{
    return look(o, text, false);
}

size_t
rule_open_pause(const struct rule_open *o, struct span text)
{
    return look(o, text, true);
}
