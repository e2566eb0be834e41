#include "redact/rule_find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "redact/rule_score.h"
#include "redact/rule_set_impl.h"

enum {
    /* Of PCRE2: what a window of 1 KiB may cost. Our regexes need far less; a
     * user's that needs more finds nothing there. */
    STEPS_MAX_COUNT = 200000,
    DEPTH_MAX = 5000,
    PAIRS_COUNT = 10, /* groups 0..9 */
};

struct rule_tools {
    const struct rule_set *set;
    enum ag_err err;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

enum ag_err
rule_tools_new(const struct rule_set *set, struct rule_tools **ret)
{
    AG_AUTO(rule_tools) struct rule_tools *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return AG_ENOMEM;
    }
    t->set = set;
    t->data = set->lib->pcre2_match_data_create_8(PAIRS_COUNT, NULL);
    t->context = set->lib->pcre2_match_context_create_8(NULL);
    if (t->data == NULL || t->context == NULL) {
        return AG_ENOMEM;
    }
    (void)set->lib->pcre2_set_match_limit_8(t->context, STEPS_MAX_COUNT);
    (void)set->lib->pcre2_set_depth_limit_8(t->context, DEPTH_MAX);
    *ret = AG_TAKE(t);
    return AG_OK;
}

void
rule_tools_free(struct rule_tools *t)
{
    if (t == NULL) {
        return;
    }
    t->set->lib->pcre2_match_data_free_8(t->data);
    t->set->lib->pcre2_match_context_free_8(t->context);
    free(t);
}

enum ag_err
rule_tools_error(const struct rule_tools *t)
{
    return t->err;
}

/* ---- where ---- */

bool
rule_is_separator(uint8_t byte)
{
    return byte <= ' ' || byte == '"' || byte == '\'' || byte == '`' ||
           byte == 0x7f;
}

static bool
keyword_at(const struct rule *rule, struct span text)
{
    for (size_t i = 0; i < rule->keyword_count; i++) {
        struct span k = rule->keywords[i];

        if (text.len >= k.len && strncasecmp((const char *)text.ptr,
                                             (const char *)k.ptr, k.len) == 0) {
            return true;
        }
    }
    return false;
}

/* A keyword in `match`, at the secret's start (at `secret`) or before, or
 * behind it after bytes of `lead` alone. */
static bool
has_keyword(const struct rule *rule, struct span match, size_t secret)
{
    size_t last = secret;

    if ((rule->flags & RULE_LEAD) != 0) {
        last += rule_class_run(&rule->lead,
                               span_sub(match, secret, rule->lead_max));
    }
    for (size_t at = 0; at <= last && at < match.len; at++) {
        if (keyword_at(rule, span_sub(match, at, match.len))) {
            return true;
        }
    }
    return false;
}

static bool
has_separator(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (rule_is_separator(text.ptr[i])) {
            return true;
        }
    }
    return false;
}

/* Matches the rule in the window that ends at `end`; *ret_from: where it begins.
 * Returns what PCRE2 does. */
static int
match_window(struct rule_tools *t, size_t rule, struct span text, size_t end,
             uint32_t options, size_t *ret_from)
{
    struct rule_code *code = &t->set->codes[rule];
    size_t from = end > code->rule->window ? end - code->rule->window : 0;
    size_t before = from > 0 ? 1 : 0; /* for \b */
    struct span window = span_sub(text, from - before, end - from + before);

    AG_ASSERT(end > 0 && end <= text.len);
    if (code->regex == NULL && t->err == AG_OK) {
        t->err = rule_code_compile(t->set->lib, code);
    }
    if (t->err != AG_OK) {
        return PCRE2_ERROR_NOMATCH;
    }
    *ret_from = from - before;
    return t->set->lib->pcre2_match_8(code->regex, window.ptr, window.len,
                                      before, options, t->data, t->context);
}

bool
rule_may_come(struct rule_tools *t, size_t rule, struct span text)
{
    size_t from = 0;
    int n = match_window(t, rule, text, text.len, PCRE2_PARTIAL_HARD, &from);
    const PCRE2_SIZE *pairs = t->set->lib->pcre2_get_ovector_pointer_8(t->data);

    /* Of a match that is to begin behind the text nothing is there. */
    return n == PCRE2_ERROR_PARTIAL ? from + pairs[0] < text.len
                                    : n != PCRE2_ERROR_NOMATCH;
}

bool
rule_confirm(struct rule_tools *t, size_t rule, struct rule_text text,
             size_t end, struct rule_hit *ret)
{
    const struct rule *r = t->set->codes[rule].rule;
    size_t from = 0;
    int n = match_window(t, rule, text.part, end, 0, &from);
    const PCRE2_SIZE *pairs;
    struct span match;

    if (n <= 0) {
        return false;
    }
    pairs = t->set->lib->pcre2_get_ovector_pointer_8(t->data);
    if ((int)r->secret >= n || pairs[2 * (size_t)r->secret] == PCRE2_UNSET) {
        return false;
    }
    match = span_sub(text.part, from + pairs[0], pairs[1] - pairs[0]);
    *ret = (struct rule_hit){.rule = rule,
                             .from = from + pairs[2 * (size_t)r->secret],
                             .to = from + pairs[2 * (size_t)r->secret + 1],
                             .end = end};
    if (ret->to <= ret->from ||
        ((r->flags & RULE_TAIL) != 0 && ret->to != ret->end)) {
        return false;
    }
    if ((r->flags & RULE_BLOCK) == 0 &&
        has_separator(span_sub(text.part, ret->from, end - 1 - ret->from))) {
        return false;
    }
    return has_keyword(r, match, ret->from - (from + pairs[0]));
}

/* ---- the tail ---- */

/* Moves on in `until` by one byte; true: it is complete. A byte that does not
 * fit begins anew: the texts have no prefix that repeats inside. */
static bool
until_step(struct rule_tail *tail, uint8_t byte)
{
    struct span until = tail->rule->until;

    if (until.len == 0) {
        return false;
    }
    if (byte != until.ptr[tail->matched]) {
        tail->matched = 0;
    }
    if (byte == until.ptr[tail->matched]) {
        tail->matched++;
    }
    return tail->matched == until.len;
}

size_t
rule_tail_take(struct rule_tail *tail, struct span text)
{
    const struct rule *r = tail->rule;
    size_t n = 0;

    while (!tail->has_ended && n < text.len) {
        if ((r->tail_max != 0 && tail->len == r->tail_max) ||
            !rule_class_has(&r->tail, text.ptr[n])) {
            tail->has_ended = true;
            break;
        }
        tail->len++;
        tail->has_ended = until_step(tail, text.ptr[n]);
        n++;
    }
    return n;
}

/* ---- whether ---- */

static bool
matches(const struct rule_tools *t, const pcre2_code *regex, struct span text)
{
    return t->set->lib->pcre2_match_8(regex, text.ptr, text.len, 0, 0, t->data,
                                      t->context) >= 0;
}

static bool
is_secret(const struct rule_tools *t, const struct rule_code *code,
          struct span secret)
{
    const struct rule *r = code->rule;

    bool must = (r->flags & RULE_SUM_MUST) != 0;

    if (r->sum != RULE_SUM_NONE && rule_sum_holds(r->sum, secret) != must) {
        return !must; /* proof, or what had to be is not */
    }
    if ((r->entropy != 0 && rule_score_entropy(secret) < r->entropy) ||
        (r->efficiency != 0 && rule_score_efficiency(secret) > r->efficiency) ||
        ((r->flags & RULE_WORDS) != 0 && rule_score_is_placeholder(secret))) {
        return false;
    }
    for (size_t i = 0; i < r->allow_count; i++) {
        if (matches(t, code->allow[i], secret)) {
            return false;
        }
    }
    return true;
}

enum rule_verdict
rule_judge(struct rule_tools *t, struct rule_text text, struct rule_hit *hit)
{
    const struct rule_code *code = &t->set->codes[hit->rule];
    const struct rule *r = code->rule;
    struct rule_tail tail = {.rule = r};
    size_t to = hit->to;
    struct span behind;

    if ((r->flags & RULE_TAIL) != 0) {
        struct span rest = span_sub(text.part, to, RULE_JUDGED_BYTES);

        to += rule_tail_take(&tail, rest);
        if (!tail.has_ended && rest.len < RULE_JUDGED_BYTES) {
            if (!text.has_end) {
                return RULE_WAIT;
            }
            tail.has_ended = true;
        }
    } else {
        tail.has_ended = true;
    }
    behind = span_sub(text.part, to, 1);
    if ((r->flags & RULE_STOP) != 0 && tail.has_ended) {
        if (behind.len == 0 && !text.has_end) {
            return RULE_WAIT;
        }
        if (behind.len > 0 && rule_class_has(&r->stop, behind.ptr[0])) {
            return RULE_NO;
        }
    }
    if (!is_secret(t, code,
                   span_sub(text.part, hit->from,
                            to - hit->from < RULE_JUDGED_BYTES
                                ? to - hit->from
                                : (size_t)RULE_JUDGED_BYTES))) {
        return RULE_NO;
    }
    hit->to = to;
    hit->tail = tail;
    return RULE_YES;
}
