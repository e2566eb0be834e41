#include "redact/rule_spans.h"

#include <stdlib.h>
#include <string.h>

void
rule_spans_done(struct rule_spans *s)
{
    free(s->items);
    *s = (struct rule_spans){.items = NULL};
}

static bool
is_before(const struct rule_span *a, const struct rule_span *b)
{
    if (a->hit.from != b->hit.from) {
        return a->hit.from < b->hit.from;
    }
    if (a->is_context != b->is_context) {
        return b->is_context;
    }
    return a->hit.rule < b->hit.rule;
}

/* Of a rule whose tail ends by its class alone, all that grow through the same
 * text end together: the first says all. */
static bool
is_known(const struct rule_spans *s, const struct rule_span *span)
{
    const struct rule *rule = span->hit.tail.rule;

    if (rule == NULL || rule->tail_max != 0 || rule->until.len != 0) {
        return false;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct rule_hit *h = &s->items[i].hit;

        if (h->rule == span->hit.rule && h->from <= span->hit.from &&
            h->to >= span->hit.to && !h->tail.has_ended) {
            return true;
        }
    }
    return false;
}

enum ag_err
rule_spans_add(struct rule_spans *s, const struct rule_span *span)
{
    size_t at = s->count;

    if (is_known(s, span)) {
        return AG_OK;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 16 : 2 * s->cap;
        struct rule_span *more = reallocarray(s->items, cap, sizeof(*more));

        if (more == NULL) {
            return AG_ENOMEM;
        }
        s->items = more;
        s->cap = cap;
    }
    while (at > 0 && is_before(span, &s->items[at - 1])) {
        at--;
    }
    memmove(s->items + at + 1, s->items + at,
            (s->count - at) * sizeof(*s->items));
    s->items[at] = *span;
    s->count++;
    return AG_OK;
}

void
rule_spans_grow(struct rule_spans *s, struct span text)
{
    for (size_t i = 0; i < s->count; i++) {
        struct rule_hit *h = &s->items[i].hit;

        if (!h->tail.has_ended) {
            h->to += rule_tail_take(&h->tail, span_sub(text, h->to, text.len));
        }
    }
}

void
rule_spans_drop(struct rule_spans *s, size_t upto)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].hit.to > upto || !s->items[i].hit.tail.has_ended) {
            s->items[kept++] = s->items[i];
        }
    }
    s->count = kept;
}

void
rule_spans_move(struct rule_spans *s, size_t by)
{
    for (size_t i = 0; i < s->count; i++) {
        struct rule_hit *h = &s->items[i].hit;

        h->from = h->from > by ? h->from - by : 0;
        h->to = h->to > by ? h->to - by : 0;
        h->end = h->end > by ? h->end - by : 0;
    }
}
