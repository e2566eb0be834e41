#include "rules/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hs/hs.h>

#include "redact/rule.h"
#include "redact/rule_pack.h"
#include "rules/pattern.h"

enum {
    SENTENCE_BYTES = 1024,
};

/* The rules of one pack, and as Vectorscan takes them. */
struct job {
    size_t count;
    struct rule *rules;
    struct span *keywords; /* of all rules */
    const char **expressions;
    unsigned *flags;
    unsigned *ids;
};

static void
job_done(struct job *j)
{
    free(j->rules);
    free(j->keywords);
    free(j->expressions);
    free(j->flags);
    free(j->ids);
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
    j->expressions = calloc(cap + 1, sizeof(*j->expressions));
    j->flags = calloc(cap + 1, sizeof(*j->flags));
    j->ids = calloc(cap + 1, sizeof(*j->ids));
    return j->rules == NULL || j->keywords == NULL || j->expressions == NULL ||
                   j->flags == NULL || j->ids == NULL
               ? AG_ENOMEM
               : AG_OK;
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
        .flags = flags_of(item),
    };
    put_class(item->tail, &r->tail);
    put_class(item->stop, &r->stop);
    put_class(item->lead, &r->lead);
    j->expressions[j->count] = item->regex;
    j->ids[j->count] = (unsigned)j->count;
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
serialise(const struct job *j, const hs_database_t *db, struct buf *out)
{
    struct rule_pack_parts parts = {
        .rules = j->rules, .count = j->count, .engine = hs_version()};
    char *bytes = NULL;
    enum ag_err err;

    if (hs_serialize_database(db, &bytes, &parts.database.len) != HS_SUCCESS) {
        return AG_ENOMEM;
    }
    parts.database.ptr = (const uint8_t *)bytes;
    err = rule_pack_write(&parts, out);
    free(bytes);
    return err;
}

static enum ag_err
build(const struct job *j, struct buf *out)
{
    const hs_platform_info_t generic = {.tune = HS_TUNE_FAMILY_GENERIC};
    hs_compile_error_t *error = NULL;
    hs_database_t *db = NULL;
    enum ag_err err;

    if (hs_compile_multi(j->expressions, j->flags, j->ids, (unsigned)j->count,
                         HS_MODE_STREAM, &generic, &db, &error) != HS_SUCCESS) {
        bool has_place = error != NULL && error->expression >= 0;

        err = err_why(AG_EINVAL, "%s%s%s",
                      has_place ? j->rules[error->expression].id : "",
                      has_place ? ": Vectorscan can't take the regex: " : "",
                      error == NULL ? "no memory" : error->message);
        (void)hs_free_compile_error(error);
        return err;
    }
    err = serialise(j, db, out);
    (void)hs_free_database(db);
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
    return err == AG_OK ? build(&j, out) : err;
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
