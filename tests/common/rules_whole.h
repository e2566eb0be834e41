/*
 * rules_whole.h - what redact/rule.h says, done to a whole text the slow way:
 * Vectorscan in one block says where matches end, PCRE2 tried from every start
 * says where they begin. Shares with the filter what a rule is and the judgement
 * of words and sums (rule_score.h, rule_sum.h: tests of their own), no search.
 */
#ifndef AG_COMMON_RULES_WHOLE_H
#define AG_COMMON_RULES_WHOLE_H

#include <hs/hs.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/check.h"
#include "redact/rule_score.h"
#include "redact/rule_set.h"

enum {
    WHOLE_TEXT_MAX_BYTES = 64 * 1024,
};

#define WHOLE_MARKER "[redacted:"

struct whole_rule {
    const struct rule *rule;
    pcre2_code *regex; /* of all of what it is shown */
    pcre2_code *allow[RULE_STRINGS_MAX_COUNT];
};

struct whole {
    struct whole_rule rules[RULES_MAX_COUNT];
    size_t count;
    size_t first_count; /* of RULES_DEFAULT */
    hs_database_t *db;
    hs_scratch_t *scratch;
    pcre2_match_data *data;
    bool (*leave)(void *ctx, struct span secret); /* as of the filter */
    /* Of the text: the best rule from there, + 1, and how far any reaches. */
    uint32_t rank[WHOLE_TEXT_MAX_BYTES];
    size_t to[WHOLE_TEXT_MAX_BYTES];
    size_t secret_count;
    size_t ends[RULES_MAX_COUNT]; /* of each rule, that PCRE2 confirms */
    size_t last_ends[RULES_MAX_COUNT];
    struct span text;
    size_t rule_count; /* that are looked for */
};

static inline pcre2_code *
whole_compile(const char *regex, uint32_t options)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *result = pcre2_compile_8(
        (PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);

    assert_non_null(result);
    (void)pcre2_jit_compile_8(result, PCRE2_JIT_COMPLETE);
    return result;
}

/* Of all rules of `set`, of which the first `first_count` are the default. */
static inline void
whole_init(struct whole *w, const struct rule_set *set, size_t first_count)
{
    static const char *expressions[RULES_MAX_COUNT];
    static unsigned ids[RULES_MAX_COUNT];
    hs_compile_error_t *error = NULL;

    w->count = rule_set_count(set);
    w->first_count = first_count;
    for (size_t i = 0; i < w->count; i++) {
        struct whole_rule *one = &w->rules[i];

        one->rule = rule_set_at(set, i);
        one->regex =
            whole_compile(one->rule->regex, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
        for (size_t k = 0; k < one->rule->allow_count; k++) {
            one->allow[k] = whole_compile(one->rule->allow[k], 0);
        }
        expressions[i] = one->rule->regex;
        ids[i] = (unsigned)i;
    }
    assert_int_equal(hs_compile_multi(expressions, NULL, ids,
                                      (unsigned)w->count, HS_MODE_BLOCK, NULL,
                                      &w->db, &error),
                     HS_SUCCESS);
    assert_int_equal(hs_alloc_scratch(w->db, &w->scratch), HS_SUCCESS);
    w->data = pcre2_match_data_create_8(16, NULL);
    assert_non_null(w->data);
}

static inline void
whole_done(struct whole *w)
{
    for (size_t i = 0; i < w->count; i++) {
        pcre2_code_free_8(w->rules[i].regex);
        for (size_t k = 0; k < w->rules[i].rule->allow_count; k++) {
            pcre2_code_free_8(w->rules[i].allow[k]);
        }
    }
    pcre2_match_data_free_8(w->data);
    (void)hs_free_scratch(w->scratch);
    (void)hs_free_database(w->db);
}

/* ---- where a secret may stand ---- */

struct whole_hit {
    size_t begin; /* of the match */
    size_t from;  /* of the secret */
    size_t to;    /* of the capture */
    size_t end;   /* of the match */
};

/* The leftmost match that ends at `end`. */
static inline bool
whole_match(const struct whole *w, const struct whole_rule *one, size_t end,
            struct whole_hit *ret)
{
    size_t least = end > one->rule->window ? end - one->rule->window : 0;

    for (size_t at = least; at + one->rule->min_bytes <= end; at++) {
        const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer_8(w->data);
        int n =
            pcre2_match_8(one->regex, w->text.ptr, end, at, 0, w->data, NULL);
        size_t group = one->rule->secret;

        if (n > 0) {
            *ret = (struct whole_hit){.begin = at, .end = end};
            if ((size_t)n > group && pairs[2 * group] != PCRE2_UNSET) {
                ret->from = pairs[2 * group];
                ret->to = pairs[2 * group + 1];
            }
            return ret->to > ret->from;
        }
    }
    return false;
}

static inline bool
whole_is_keyword(const struct rule *rule, struct span text)
{
    for (size_t i = 0; i < rule->keyword_count; i++) {
        struct span k = rule->keywords[i];

        if (k.len <= text.len &&
            strncasecmp((const char *)k.ptr, (const char *)text.ptr, k.len) ==
                0) {
            return true;
        }
    }
    return false;
}

static inline bool
whole_has_keyword(const struct whole *w, const struct rule *rule,
                  const struct whole_hit *hit)
{
    for (size_t at = hit->begin; at < hit->end; at++) {
        /* Behind the secret's start bytes of `lead` alone are between. */
        if (at > hit->from &&
            ((rule->flags & RULE_LEAD) == 0 ||
             at - hit->from > rule->lead_max ||
             !rule_class_has(&rule->lead, w->text.ptr[at - 1]))) {
            return false;
        }
        if (whole_is_keyword(rule, span_sub(w->text, at, hit->end - at))) {
            return true;
        }
    }
    return false;
}

static inline bool
whole_stands(const struct whole *w, const struct rule *rule,
             const struct whole_hit *hit)
{
    if ((rule->flags & RULE_TAIL) != 0 && hit->to != hit->end) {
        return false;
    }
    for (size_t i = hit->from;
         (rule->flags & RULE_BLOCK) == 0 && i + 1 < hit->end; i++) {
        uint8_t c = w->text.ptr[i];

        if (c <= 0x20 || c == 0x7f || strchr("\"'`", c) != NULL) {
            return false;
        }
    }
    return whole_has_keyword(w, rule, hit);
}

/* Bytes that follow the least there must be. */
static inline size_t
whole_tail(const struct whole *w, const struct rule *rule, size_t from)
{
    size_t len = 0;

    while ((rule->flags & RULE_TAIL) != 0 && from + len < w->text.len &&
           (rule->tail_max == 0 || len < rule->tail_max) &&
           rule_class_has(&rule->tail, w->text.ptr[from + len])) {
        len++;
        if (rule->until.len > 0 && len >= rule->until.len &&
            memcmp(w->text.ptr + from + len - rule->until.len, rule->until.ptr,
                   rule->until.len) == 0) {
            break;
        }
    }
    return len;
}

/* ---- whether it is one ---- */

/* Of x >= 1, by squaring: a bit a step. */
static inline double
whole_log2(double x)
{
    double result = 0;
    double bit = 1;

    while (x >= 2) {
        x /= 2;
        result += 1;
    }
    for (int i = 0; i < 40; i++) {
        x *= x;
        bit /= 2;
        if (x >= 2) {
            x /= 2;
            result += bit;
        }
    }
    return result;
}

/* In bits per hundred characters; nearer to the limit than rounding reaches,
 * the filter's own figure decides. */
static inline bool
whole_is_random(const struct rule *rule, struct span secret)
{
    double counts[256] = {0};
    double bits = 0;

    for (size_t i = 0; i < secret.len; i++) {
        counts[secret.ptr[i]]++;
    }
    for (size_t i = 0; i < 256; i++) {
        bits += counts[i] > 0
                    ? counts[i] * whole_log2((double)secret.len / counts[i])
                    : 0;
    }
    bits = 100 * bits / (double)secret.len - (double)rule->entropy;
    return bits > -0.02 && bits < 0.02
               ? rule_score_entropy(secret) >= rule->entropy
               : bits >= 0;
}

static inline bool
whole_is_secret(const struct whole *w, const struct whole_rule *one,
                struct span secret)
{
    const struct rule *rule = one->rule;

    if (rule->sum != RULE_SUM_NONE) {
        if (rule_sum_holds(rule->sum, secret)) {
            return true;
        }
        if ((rule->flags & RULE_SUM_MUST) != 0) {
            return false;
        }
    }
    if (!whole_is_random(rule, secret) ||
        (rule->efficiency != 0 &&
         rule_score_efficiency(secret) > rule->efficiency) ||
        ((rule->flags & RULE_WORDS) != 0 &&
         rule_score_is_placeholder(secret))) {
        return false;
    }
    for (size_t k = 0; k < rule->allow_count; k++) {
        if (pcre2_match_8(one->allow[k], secret.ptr, secret.len, 0, 0, w->data,
                          NULL) >= 0) {
            return false;
        }
    }
    return true;
}

static inline void
whole_note(struct whole *w, size_t index, size_t from, size_t to)
{
    bool is_context = (w->rules[index].rule->flags & RULE_CONTEXT) != 0;
    uint32_t rank = (uint32_t)(index + 1 + (is_context ? 1U << 20 : 0));

    w->secret_count++;
    if (w->rank[from] == 0 || rank < w->rank[from]) {
        w->rank[from] = rank;
    }
    if (to > w->to[from]) {
        w->to[from] = to;
    }
}

/* Is it a marker's name, and its end? */
static inline bool
whole_is_name(const struct whole *w, const struct whole_hit *hit)
{
    const size_t len = strlen(WHOLE_MARKER);

    return hit->from >= len &&
           span_starts(span_sub(w->text, hit->from - len, len),
                       span_str(WHOLE_MARKER)) &&
           memchr(w->text.ptr + hit->from, ']', hit->to - hit->from) != NULL;
}

/* A match of a rule ends at `end`. */
static inline void
whole_end(struct whole *w, size_t index, size_t end)
{
    const struct whole_rule *one = &w->rules[index];
    const struct rule *rule = one->rule;
    struct whole_hit hit;
    struct span seen;
    size_t tail;
    bool is_long;

    if (end == w->last_ends[index] || !whole_match(w, one, end, &hit)) {
        return; /* told twice */
    }
    w->last_ends[index] = end;
    w->ends[index]++;
    if (!whole_stands(w, rule, &hit)) {
        return;
    }
    tail = whole_tail(w, rule, hit.to);
    is_long = tail >= RULE_JUDGED_BYTES;
    seen = span_sub(w->text, hit.from,
                    hit.to - hit.from +
                        (is_long ? (size_t)RULE_JUDGED_BYTES : tail));
    if ((rule->flags & RULE_STOP) != 0 && !is_long &&
        hit.to + tail < w->text.len &&
        rule_class_has(&rule->stop, w->text.ptr[hit.to + tail])) {
        return;
    }
    if (!whole_is_secret(w, one, span_sub(seen, 0, RULE_JUDGED_BYTES)) ||
        (!is_long && w->leave != NULL && w->leave(NULL, seen))) {
        return;
    }
    if ((rule->flags & RULE_CONTEXT) != 0 &&
        (memmem(seen.ptr, seen.len, WHOLE_MARKER, strlen(WHOLE_MARKER)) ||
         whole_is_name(w, &hit))) {
        return;
    }
    whole_note(w, index, hit.from, hit.to + tail);
}

/* ---- the whole text ---- */

static inline int
whole_on_end(unsigned id, unsigned long long from, unsigned long long to,
             unsigned flags, void *ctx)
{
    struct whole *w = ctx;

    (void)from;
    (void)flags;
    if (id < w->rule_count) {
        whole_end(w, id, (size_t)to);
    }
    return 0;
}

/* Puts `text`, redacted by the default rules or by all, behind `out`. */
static inline void
whole_redact(struct whole *w, struct span text, bool has_all, struct buf *out)
{
    size_t hole_end = 0;

    assert_true(text.len <= WHOLE_TEXT_MAX_BYTES);
    memset(w->rank, 0, sizeof(w->rank));
    memset(w->to, 0, sizeof(w->to));
    memset(w->ends, 0, sizeof(w->ends));
    memset(w->last_ends, 0, sizeof(w->last_ends));
    w->text = text;
    w->rule_count = has_all ? w->count : w->first_count;
    assert_int_equal(hs_scan(w->db, (const char *)text.ptr, (unsigned)text.len,
                             0, w->scratch, whole_on_end, w),
                     HS_SUCCESS);
    for (size_t at = 0; at < text.len; at++) {
        if (w->rank[at] != 0 && at >= hole_end) {
            size_t index = (w->rank[at] & ((1U << 20) - 1)) - 1;

            check_ok(buf_fmt(out, WHOLE_MARKER "rule:%s]",
                             w->rules[index].rule->id));
        }
        if (w->rank[at] != 0 && w->to[at] > hole_end) {
            hole_end = w->to[at];
        }
        if (at >= hole_end) {
            check_ok(buf_add_byte(out, text.ptr[at]));
        }
    }
}

#endif
