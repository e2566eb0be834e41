#include "rules/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <hs/hs.h>

#include "redact/rule.h"
#include "redact/rule_pack.h"
#include "rules/pattern.h"

enum {
    SENTENCE_BYTES = 1024,
};

/* Regexes as Vectorscan takes them. */
struct patterns {
    size_t count;
    const char **expressions;
    unsigned *flags;
    unsigned *ids;
};

static enum ag_err
patterns_init(struct patterns *p, size_t cap)
{
    p->expressions = calloc(cap + 1, sizeof(*p->expressions));
    p->flags = calloc(cap + 1, sizeof(*p->flags));
    p->ids = calloc(cap + 1, sizeof(*p->ids));
    return p->expressions == NULL || p->flags == NULL || p->ids == NULL
               ? AG_ENOMEM
               : AG_OK;
}

static void
patterns_done(struct patterns *p)
{
    free(p->expressions);
    free(p->flags);
    free(p->ids);
}

static void
patterns_add(struct patterns *p, const char *regex, unsigned flags, size_t id)
{
    p->expressions[p->count] = regex;
    p->flags[p->count] = flags;
    p->ids[p->count] = (unsigned)id;
    p->count++;
}

/* A keyword that opens a gate, as a regex. */
struct word {
    struct span text;
    unsigned gates;
    char regex[RULE_KEYWORD_MAX_BYTES * 4 + 1];
};

/* The rules of one pack. */
struct job {
    size_t count;
    struct rule *rules;
    struct span *keywords; /* of all rules */
    struct word *words;
    size_t word_count;
    struct patterns everywhere; /* rules without a gate, and words */
    struct patterns gated;
};

static void
job_done(struct job *j)
{
    free(j->rules);
    free(j->keywords);
    free(j->words);
    patterns_done(&j->everywhere);
    patterns_done(&j->gated);
}
AG_DEFINE_CLEANUP_INPLACE(job, job_done)

static enum ag_err
job_init(struct job *j, const struct rule_book *book)
{
    size_t cap = rule_book_count(book);
    size_t keyword_count = 0;

    for (size_t i = 0; i < cap; i++) {
        keyword_count += rule_book_at(book, i)->keywords.count;
    }
    j->rules = calloc(cap + 1, sizeof(*j->rules));
    j->keywords = calloc(keyword_count + 1, sizeof(*j->keywords));
    for (size_t i = 0; i < RULE_GATE_COUNT; i++) {
        const char *const *words = rule_gate_words((enum rule_gate)i);

        for (; words != NULL && *words != NULL; words++) {
            keyword_count++;
        }
    }
    j->words = calloc(keyword_count + 1, sizeof(*j->words));
    if (j->rules == NULL || j->keywords == NULL || j->words == NULL ||
        patterns_init(&j->everywhere, cap + keyword_count) != AG_OK) {
        return AG_ENOMEM;
    }
    return patterns_init(&j->gated, cap);
}

static enum rule_flags
flags_of(const struct rule_item *item)
{
    unsigned flags = RULE_PLAIN;

    flags |= item->context ? RULE_CONTEXT | RULE_WORDS : 0U;
    flags |= item->words ? RULE_WORDS : 0U;
    flags |= item->block ? RULE_BLOCK : 0U;
    flags |= item->checksum_must ? RULE_SUM_MUST : 0U;
    flags |= item->tail != NULL ? RULE_TAIL : 0U;
    flags |= item->stop != NULL ? RULE_STOP : 0U;
    flags |= item->lead != NULL ? RULE_LEAD : 0U;
    return (enum rule_flags)flags;
}

/* The loader has seen that it can be read. */
static void
put_class(const char *text, struct rule_class *out)
{
    if (text != NULL) {
        AG_ASSERT(rule_class_parse(span_str(text), out) == AG_OK);
    }
}

/* One for each keyword in any case, whichever rules have it. */
static void
add_word(struct job *j, struct span keyword, enum rule_gate gate)
{
    struct word *word = j->words;

    while (word < j->words + j->word_count &&
           (word->text.len != keyword.len ||
            strncasecmp((const char *)word->text.ptr, (const char *)keyword.ptr,
                        keyword.len) != 0)) {
        word++;
    }
    if (word == j->words + j->word_count) {
        word->text = keyword;
        for (size_t i = 0; i < keyword.len; i++) {
            (void)snprintf(word->regex + 4 * i, sizeof("\\x00"), "\\x%02x",
                           (unsigned)keyword.ptr[i]);
        }
        j->word_count++;
    }
    word->gates |= 1U << gate;
}

static void
add_pattern(struct job *j, const struct rule *rule)
{
    const char *const *words = rule_gate_words(rule->gate);

    if (rule->gate == RULE_GATE_NONE) {
        patterns_add(&j->everywhere, rule->regex, 0, j->count);
        return;
    }
    patterns_add(&j->gated, rule->regex, 0, j->count);
    for (; words != NULL && *words != NULL; words++) {
        add_word(j, span_str(*words), rule->gate);
    }
    for (size_t i = 0; words == NULL && i < rule->keyword_count; i++) {
        add_word(j, rule->keywords[i], rule->gate);
    }
}

static void
add_rule(struct job *j, const struct rule_item *item,
         const struct pattern_width *width, struct span *keywords)
{
    struct rule *r = &j->rules[j->count];

    for (size_t i = 0; i < item->keywords.count; i++) {
        keywords[i] = span_str(item->keywords.items[i]);
    }
    *r = (struct rule){
        .id = item->id,
        .service = item->service,
        .regex = item->regex,
        .until = span_str(item->until == NULL ? "" : item->until),
        .keywords = keywords,
        .keyword_count = item->keywords.count,
        .allow = (const char *const *)item->allow.items,
        .allow_count = item->allow.count,
        .secret = (uint32_t)item->secret,
        .window = width->max_bytes,
        .min_bytes = width->min_bytes,
        .tail_max = (uint32_t)item->tail_max,
        .lead_max = (uint32_t)item->lead_max,
        .entropy = (uint32_t)item->entropy,
        .efficiency = (uint32_t)item->efficiency,
        .sum = (enum rule_sum)item->checksum,
        .gate = (enum rule_gate)item->gate,
        .flags = flags_of(item),
    };
    put_class(item->tail, &r->tail);
    put_class(item->stop, &r->stop);
    put_class(item->lead, &r->lead);
    add_pattern(j, r);
    j->count++;
}

/* Of which file and rule the sentence speaks. */
static enum ag_err
name_place(const struct rule_book *book, size_t index, enum ag_err err)
{
    char text[SENTENCE_BYTES];

    (void)snprintf(text, sizeof(text), "%s", err_text(err));
    return err_why(err, "%s: rule %s: %s", rule_book_source(book, index),
                   rule_book_at(book, index)->id, text);
}

static enum ag_err
refuse(const struct job *j, const struct patterns *p,
       const hs_compile_error_t *error)
{
    size_t id = error != NULL && error->expression >= 0
                    ? p->ids[error->expression]
                    : j->count;
    bool has_place = id < j->count;

    return err_why(AG_EINVAL, "%s%s%s", has_place ? j->rules[id].id : "",
                   has_place ? ": Vectorscan can't take the regex: " : "",
                   error == NULL ? "no memory" : error->message);
}

/* The database, serialised; empty: of no pattern. *ret's bytes go to free(). */
static enum ag_err
build(const struct job *j, const struct patterns *p, struct span *ret)
{
    const hs_platform_info_t generic = {.tune = HS_TUNE_FAMILY_GENERIC};
    hs_compile_error_t *error = NULL;
    hs_database_t *db = NULL;
    char *bytes = NULL;
    enum ag_err err = AG_OK;

    if (p->count == 0) {
        return AG_OK;
    }
    if (hs_compile_multi(p->expressions, p->flags, p->ids, (unsigned)p->count,
                         HS_MODE_STREAM, &generic, &db, &error) != HS_SUCCESS) {
        err = refuse(j, p, error);
        (void)hs_free_compile_error(error);
        return err;
    }
    if (hs_serialize_database(db, &bytes, &ret->len) != HS_SUCCESS) {
        err = AG_ENOMEM;
    }
    ret->ptr = (const uint8_t *)bytes;
    (void)hs_free_database(db);
    return err;
}

static enum ag_err
build_all(struct job *j, struct buf *out)
{
    struct rule_pack_parts parts = {
        .rules = j->rules, .count = j->count, .engine = hs_version()};
    enum ag_err err;

    for (size_t i = 0; i < j->word_count; i++) {
        patterns_add(&j->everywhere, j->words[i].regex, HS_FLAG_CASELESS,
                     (size_t)RULES_MAX_COUNT + j->words[i].gates);
    }
    err = build(j, &j->everywhere, &parts.database);
    if (err == AG_OK) {
        err = build(j, &j->gated, &parts.gated);
    }
    if (err == AG_OK) {
        err = rule_pack_write(&parts, out);
    }
    free((void *)(uintptr_t)parts.database.ptr);
    free((void *)(uintptr_t)parts.gated.ptr);
    return err;
}

/* The rules that are `wanted`, all checked before the first is compiled. */
static enum ag_err
compile(const struct rule_book *book, size_t first, size_t count, int level,
        struct buf *out)
{
    AG_AUTO(job) struct job j = {.count = 0};
    struct span *keywords;
    enum ag_err err = job_init(&j, book);

    keywords = j.keywords;
    for (size_t i = first; err == AG_OK && i < first + count; i++) {
        const struct rule_item *item = rule_book_at(book, i);
        struct pattern_width width;

        if (level >= 0 && item->level != level) {
            continue;
        }
        err = pattern_check(item, &width);
        if (err != AG_OK) {
            return name_place(book, i, err);
        }
        add_rule(&j, item, &width, keywords);
        keywords += item->keywords.count;
    }
    if (err == AG_OK && j.count == 0) {
        err = err_why(AG_ENOTFOUND, "there is no rule of this level");
    }
    return err == AG_OK ? build_all(&j, out) : err;
}

enum ag_err
rule_compile(const struct rule_book *book, enum rule_level level,
             struct buf *out)
{
    return compile(book, 0, rule_book_count(book), (int)level, out);
}

enum ag_err
rule_compile_all(const struct rule_book *book, struct buf *out)
{
    return compile(book, 0, rule_book_count(book), -1, out);
}

enum ag_err
rule_compile_one(const struct rule_book *book, size_t index, struct buf *out)
{
    return compile(book, index, 1, -1, out);
}
