/*
 * rules.h - rule sets for tests, and what the filter should have made of a
 * text: every end of every rule, looked for by PCRE2 alone, in one piece.
 */
#ifndef AG_COMMON_RULES_H
#define AG_COMMON_RULES_H

#include "base/buf.h"
#include "common/check.h"
#include "redact/rule_filter.h"
#include "redact/rule_find.h"
#include "redact/rule_pack.h"
#include "redact/rule_set.h"
#include "rules/compile.h"
#include "rules/load.h"

enum {
    RULES_TEXT_MAX_BYTES = 256 * 1024,
};

/* Compiled in the test, from the text of one file named x.json. */
static inline struct rule_set *
rules_of(const char *json)
{
    struct rule_book *book = NULL;
    struct rule_set *set = NULL;
    struct buf pack;
    struct span bytes;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    check_ok(rule_book_load_one(span_str(json), "x.json", &book));
    check_ok(rule_compile(book, RULE_LEVEL_DEFAULT, &pack));
    bytes = buf_view(&pack);
    check_ok(rule_set_new(&bytes, 1, RULE_SET_READY, &set));
    buf_done(&pack);
    rule_book_free(book);
    return set;
}

/* ---- a filter that gathers ---- */

static inline enum ag_err
rules_gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* `text` through the filter; the first `count` parts are lens[] long. */
static inline void
rules_filter(const struct rule_set *set, struct span text, const size_t *lens,
             size_t count, struct buf *out)
{
    const struct rule_filter_terms terms = {.set = set, .level = RULES_ALL};
    const struct sink next = {.ctx = out, .feed = rules_gather};
    struct rule_filter *f = NULL;
    size_t at = 0;

    check_ok(rule_filter_new(&terms, &next, &f));
    for (size_t i = 0; i < count && at < text.len; i++) {
        check_ok(rule_filter_feed(f, span_sub(text, at, lens[i])));
        if (lens[i] % 4 != 0) { /* most times */
            check_ok(rule_filter_settle(f));
            assert_true(rule_filter_held_bytes(f) <=
                        RULE_FILTER_HELD_MAX_BYTES);
        }
        at += lens[i];
    }
    check_ok(rule_filter_feed(f, span_sub(text, at, text.len)));
    check_ok(rule_filter_finish(f));
    rule_filter_free(f);
}

/* ---- the oracle ---- */

struct rules_oracle {
    uint32_t rank[RULES_TEXT_MAX_BYTES]; /* of the best hit from there, + 1 */
    uint32_t to[RULES_TEXT_MAX_BYTES];
};

static inline void
rules_note(struct rules_oracle *o, const struct rule_set *set,
           const struct rule_hit *hit)
{
    bool is_context = (rule_set_at(set, hit->rule)->flags & RULE_CONTEXT) != 0;
    uint32_t rank = (uint32_t)(hit->rule + 1 + (is_context ? 1U << 20 : 0));

    if (o->rank[hit->from] == 0 || rank < o->rank[hit->from]) {
        o->rank[hit->from] = rank;
    }
    if (hit->to > o->to[hit->from]) {
        o->to[hit->from] = (uint32_t)hit->to;
    }
}

static inline void
rules_find_all(struct rules_oracle *o, const struct rule_set *set,
               struct span text)
{
    const struct rule_text whole = {.part = text, .has_end = true};
    struct rule_tools *tools = NULL;

    memset(o->rank, 0, text.len * sizeof(o->rank[0]));
    memset(o->to, 0, text.len * sizeof(o->to[0]));
    check_ok(rule_tools_new(set, &tools));
    for (size_t rule = 0; rule < rule_set_count(set); rule++) {
        for (size_t end = 1; end <= text.len; end++) {
            struct rule_hit hit;

            if (rule_confirm(tools, rule, whole, end, &hit) &&
                rule_judge(tools, whole, &hit) == RULE_YES) {
                hit.to +=
                    rule_tail_take(&hit.tail, span_sub(text, hit.to, text.len));
                rules_note(o, set, &hit);
            }
        }
    }
    rule_tools_free(tools);
}

static inline void
rules_oracle(struct rules_oracle *o, const struct rule_set *set,
             struct span text, struct buf *out)
{
    size_t hole_end = 0;

    rules_find_all(o, set, text);
    for (size_t at = 0; at < text.len; at++) {
        if (o->rank[at] != 0 && at >= hole_end) {
            size_t rule = (o->rank[at] & ((1U << 20) - 1)) - 1;

            check_ok(
                buf_fmt(out, "[redacted:rule:%s]", rule_set_at(set, rule)->id));
        }
        if (o->rank[at] != 0 && o->to[at] > hole_end) {
            hole_end = o->to[at];
        }
        if (at >= hole_end) {
            check_ok(buf_add_byte(out, text.ptr[at]));
        }
    }
}

#endif
