#include "redact/rule_open.h"

#include <stdlib.h>
#include <string.h>

#include "redact/rule_find.h"

enum {
    CODE_COUNT = 64,
    PAIR_COUNT = CODE_COUNT * CODE_COUNT,
    NEAR_BYTES = 256, /* most rules' windows are shorter */
    SHOWN_PART = 4,   /* a quarter, as of known values */
};

struct entry {
    struct span keyword;
    const struct rule *rule;
    size_t number; /* of the rule */
};

struct rule_open {
    struct entry *entries; /* by the codes of their first two bytes */
    size_t count;
    size_t cap;
    size_t rule_count;
    size_t window;
    const struct rule *leads[RULES_MAX_COUNT]; /* rules with a lead */
    size_t lead_count;
    bool has_block;
    uint8_t codes[256]; /* of each byte: see code() */
    uint32_t firsts[PAIR_COUNT + 1];
    /* Which pairs begin a keyword: of any rule, of one with a long window, of
     * one that finds blocks. */
    uint8_t near[PAIR_COUNT];
    uint8_t far[PAIR_COUNT];
    uint8_t block[PAIR_COUNT];
};

static uint8_t
fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Letters in any case and digits have codes of their own, the rest shares. */
static unsigned
code(uint8_t c)
{
    c = fold(c);
    return c >= 'a' && c <= 'z'   ? (unsigned)(c - 'a')
           : c >= '0' && c <= '9' ? (unsigned)(c - '0' + 26)
                                  : 36U + c % 28U;
}

static inline unsigned
pair(const struct rule_open *o, const uint8_t *at)
{
    return (unsigned)o->codes[at[0]] * CODE_COUNT + o->codes[at[1]];
}

enum ag_err
rule_open_new(struct rule_open **ret)
{
    struct rule_open *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        return AG_ENOMEM;
    }
    for (unsigned c = 0; c < sizeof(o->codes); c++) {
        o->codes[c] = (uint8_t)code((uint8_t)c);
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
        o->entries[o->count++] =
            (struct entry){.keyword = k, .rule = rule, .number = o->rule_count};
        o->near[pair(o, k.ptr)] = 1;
        if (rule->window > NEAR_BYTES) {
            o->far[pair(o, k.ptr)] = 1;
        }
        if ((rule->flags & RULE_BLOCK) != 0) {
            o->block[pair(o, k.ptr)] = 1;
            o->has_block = true;
        }
    }
    if ((rule->flags & RULE_LEAD) != 0) {
        AG_ASSERT(o->lead_count < RULES_MAX_COUNT);
        o->leads[o->lead_count++] = rule;
    }
    if (rule->window > o->window) {
        o->window = rule->window;
    }
    o->rule_count++;
    return AG_OK;
}

static int
by_pair(const void *a, const void *b)
{
    const uint8_t *x = ((const struct entry *)a)->keyword.ptr;
    const uint8_t *y = ((const struct entry *)b)->keyword.ptr;
    int order = (int)code(x[0]) - (int)code(y[0]);

    return order != 0 ? order : (int)code(x[1]) - (int)code(y[1]);
}

void
rule_open_ready(struct rule_open *o)
{
    uint32_t at = 0;

    if (o->count > 0) {
        qsort(o->entries, o->count, sizeof(*o->entries), by_pair);
    }
    for (unsigned p = 0; p < PAIR_COUNT; p++) {
        o->firsts[p] = at;
        while (at < o->count && pair(o, o->entries[at].keyword.ptr) == p) {
            at++;
        }
    }
    o->firsts[PAIR_COUNT] = at;
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

/* What an occurrence at `at` says of a secret's first byte: there, or before it
 * by bytes of `lead` alone. */
static size_t
start_of(const struct rule *rule, struct span text, size_t at, size_t run)
{
    size_t from = at;

    while (from > 0 && at - from < rule->lead_max &&
           rule_class_has(&rule->lead, text.ptr[from - 1])) {
        from--;
    }
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

/* What is looked for, and what is known of it so far. */
struct look {
    const struct rule_open *open;
    struct span text;
    size_t run;                          /* where the last run begins */
    const struct rule_open_doubt *doubt; /* in a pause, else NULL */
    bool blocks_only;
    size_t result;
};

static void
note(struct look *l, const struct entry *e, size_t at)
{
    struct span rest = span_sub(l->text, at, l->text.len);
    const struct rule *rule = e->rule;
    bool is_block = (rule->flags & RULE_BLOCK) != 0;
    size_t from;

    if (rest.len > rule->window || (l->blocks_only && !is_block) ||
        !may_be(e->keyword, rest)) {
        return;
    }
    from = start_of(rule, l->text, at, l->run);
    if (l->doubt != NULL) {
        /* Before a keyword that comes late its secret has been seen. */
        if ((rule->flags & RULE_LEAD) != 0 && rest.len < e->keyword.len) {
            return;
        }
        from += rule->min_bytes / SHOWN_PART;
        if (from >= l->result || (rule->flags & RULE_CONTEXT) != 0 ||
            !l->doubt->may_come(l->doubt->ctx, e->number, l->text)) {
            return;
        }
    }
    l->result = less(l->result, from);
}

/* The keywords at `at`, where at least two bytes are. */
static void
look_at(struct look *l, size_t at)
{
    const struct rule_open *o = l->open;
    unsigned p = pair(o, l->text.ptr + at);

    for (uint32_t i = o->firsts[p]; i < o->firsts[p + 1]; i++) {
        note(l, &o->entries[i], at);
    }
}

/* One byte is left: any keyword that begins with it. */
static void
look_at_last(struct look *l, size_t at)
{
    const struct rule_open *o = l->open;
    unsigned first = (unsigned)o->codes[l->text.ptr[at]] * CODE_COUNT;

    for (uint32_t i = o->firsts[first]; i < o->firsts[first + CODE_COUNT];
         i++) {
        note(l, &o->entries[i], at);
    }
}

/* From `at` on, as far as it can change the result. */
static void
look_through(struct look *l, size_t at)
{
    const struct rule_open *o = l->open;

    for (; at + 1 < l->text.len; at++) {
        const uint8_t *pairs = l->blocks_only                  ? o->block
                               : l->text.len - at > NEAR_BYTES ? o->far
                                                               : o->near;

        if (pairs[pair(o, l->text.ptr + at)] != 0) {
            look_at(l, at);
        }
        if (l->doubt == NULL && at >= l->result + RULE_LEAD_MAX_BYTES) {
            return;
        }
        /* Nothing but a block begins before the run. */
        if (l->doubt == NULL && l->result <= l->run) {
            l->blocks_only = true;
        }
    }
    if (at < l->text.len) {
        look_at_last(l, at);
    }
}

static size_t
look(const struct rule_open *o, struct span text,
     const struct rule_open_doubt *doubt)
{
    struct look l = {
        .open = o, .text = text, .doubt = doubt, .run = run_start(o, text)};

    l.result = doubt != NULL ? text.len : lead_start(o, text);
    l.blocks_only = l.run == text.len || (doubt == NULL && l.result <= l.run);
    if (!l.blocks_only || o->has_block) {
        look_through(&l, text.len > o->window ? text.len - o->window : 0);
    }
    return l.result;
}

size_t
rule_open_from(const struct rule_open *o, struct span text)
{
    return look(o, text, NULL);
}

size_t
rule_open_pause(const struct rule_open *o, struct span text,
                const struct rule_open_doubt *doubt)
{
    return look(o, text, doubt);
}
