#include "redact/rule_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "redact/hide.h"
#include "redact/lockmem.h"
#include "redact/rule_find.h"
#include "redact/rule_scan.h"
#include "redact/rule_set_impl.h"
#include "redact/rule_spans.h"

enum {
    /* Scanned at a time: each time Vectorscan's tables come back to the cache. */
    SLICE_BYTES = 32 * 1024,
    BEHIND_BYTES = RULE_WINDOW_MAX_BYTES + RULE_LEAD_MAX_BYTES + 1,
    TEXT_BYTES = BEHIND_BYTES + RULE_FILTER_HELD_MAX_BYTES + SLICE_BYTES,
};

struct rule_filter {
    const struct rule_set *set;
    struct rule_filter_terms terms;
    struct sink next;
    struct hide hide;
    struct rule_tools *tools;
    struct rule_scan scan;
    struct lockmem mem;
    uint8_t *text; /* what came last, TEXT_BYTES */
    size_t len;
    size_t most;               /* of the text, since it was wiped */
    size_t scanned;            /* by Vectorscan */
    size_t out;                /* up to here it was let out, or taken out */
    size_t hole_end;           /* behind the hole that was begun last */
    uint64_t base;             /* where in the stream the text begins */
    struct rule_spans spans;   /* secrets */
    struct rule_spans waiting; /* confirmed, not decided */
    bool is_idle;
};

static struct span
whole(const struct rule_filter *f)
{
    return span_of(f->text, f->len);
}

/* ---- what was found ---- */

/* Is it none after all? Known to the caller as such, or, by its context alone,
 * a known value's marker: that was taken out already. `hit` ends where it was
 * looked at, so that how much text is there does not count. */
static bool
is_left(const struct rule_filter *f, const struct rule_hit *hit)
{
    const struct rule *rule = rule_set_at(f->set, hit->rule);
    struct span seen = span_of(f->text + hit->from, hit->to - hit->from);

    return ((rule->flags & RULE_CONTEXT) != 0 &&
            marker_begins_in(&f->hide.marker, seen)) ||
           (f->terms.leave != NULL && hit->tail.has_ended &&
            f->terms.leave(f->terms.leave_ctx, seen));
}

/* Asked before a hit may wait, while what is before it is there: the window,
 * and RULE_LEAD_MAX_BYTES. */
static bool
is_name(const struct rule_filter *f, const struct rule_hit *hit)
{
    return (rule_set_at(f->set, hit->rule)->flags & RULE_CONTEXT) != 0 &&
           marker_names(&f->hide.marker, whole(f), hit->from,
                        hit->to - hit->from);
}

static enum ag_err
add(struct rule_filter *f, struct rule_spans *to, const struct rule_hit *hit)
{
    struct rule_span span = {
        .hit = *hit,
        .is_context =
            (rule_set_at(f->set, hit->rule)->flags & RULE_CONTEXT) != 0};

    /* After an idle flush a part of it may be out. */
    if (span.hit.from < f->out) {
        span.hit.from = f->out;
    }
    return span.hit.to <= f->out && hit->tail.has_ended
               ? AG_OK
               : rule_spans_add(to, &span);
}

static enum ag_err
judge(struct rule_filter *f, struct rule_hit *hit, bool has_end)
{
    const struct rule_text text = {.part = whole(f), .has_end = has_end};

    switch (rule_judge(f->tools, text, hit)) {
    case RULE_YES:
        if (is_left(f, hit)) {
            return AG_OK;
        }
        hit->to += rule_tail_take(&hit->tail,
                                  span_sub(text.part, hit->to, text.part.len));
        return add(f, &f->spans, hit);
    case RULE_WAIT:
        hit->tail = (struct rule_tail){.rule = NULL};
        return add(f, &f->waiting, hit);
    case RULE_NO:
        break;
    }
    return AG_OK;
}

/* Those that wait, then those that were found. */
static enum ag_err
decide(struct rule_filter *f, bool has_end)
{
    const struct rule_text text = {.part = whole(f), .has_end = has_end};
    struct rule_spans waiting = f->waiting;
    enum ag_err err = AG_OK;

    f->waiting = (struct rule_spans){.items = NULL};
    for (size_t i = 0; err == AG_OK && i < waiting.count; i++) {
        err = judge(f, &waiting.items[i].hit, has_end);
    }
    rule_spans_done(&waiting);
    for (size_t i = 0; err == AG_OK && i < f->scan.events.count; i++) {
        const struct rule_event *event = &f->scan.events.items[i];
        struct rule_hit hit;

        if (rule_confirm(f->tools, event->rule, text,
                         (size_t)(event->end - f->base), &hit) &&
            !is_name(f, &hit)) {
            err = judge(f, &hit, has_end);
        }
    }
    f->scan.events.count = 0;
    return err == AG_OK ? rule_tools_error(f->tools) : err;
}

/* ---- letting out ---- */

static enum ag_err
put_marker(struct rule_filter *f, const struct rule_span *span)
{
    const struct rule *rule = rule_set_at(f->set, span->hit.rule);
    char name[RULE_ID_MAX_BYTES + sizeof("rule:")];
    int len = snprintf(name, sizeof(name), "rule:%s", rule->id);
    struct redactor_hit hit = {.id = RULE_FILTER_ID_BITS | span->hit.rule,
                               .name = span_of(name, (size_t)len),
                               .form = VARIANT_RAW,
                               .offset = f->base + f->out};

    if (f->terms.options.on_hit != NULL) {
        f->terms.options.on_hit(f->terms.options.hit_ctx, &hit);
    }
    return hide_begin(&f->hide, &f->next, hit.name);
}

/* What is before `to`, as text or of a hole. */
static enum ag_err
put(struct rule_filter *f, size_t to,
    enum ag_err (*how)(struct hide *h, const struct sink *next,
                       struct span text))
{
    size_t from = f->out;

    if (to <= from) {
        return AG_OK;
    }
    f->out = to; /* before the sink sees it: rule_filter_position() */
    return how(&f->hide, &f->next, span_of(f->text + from, to - from));
}

/* All before `upto`: text, and a marker for each hole. */
static enum ag_err
let_out(struct rule_filter *f, size_t upto)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < f->spans.count; i++) {
        struct rule_span *span = &f->spans.items[i];

        if (span->hit.from >= upto) {
            break;
        }
        if (!span->is_out && span->hit.from >= f->hole_end) {
            err = put(f, span->hit.from, hide_pass);
            if (err == AG_OK) {
                err = put_marker(f, span);
            }
        }
        span->is_out = true;
        if (span->hit.to > f->hole_end) {
            f->hole_end = span->hit.to;
        }
        if (err == AG_OK) {
            err = put(f, f->hole_end < upto ? f->hole_end : upto, hide_over);
        }
    }
    if (err == AG_OK && f->hole_end < upto) {
        err = put(f, upto, hide_pass);
    }
    rule_spans_drop(&f->spans, f->out);
    return err;
}

/* The start of the first that waits, or `upto`. */
static size_t
first_waiting(const struct rule_filter *f, size_t upto)
{
    return f->waiting.count > 0 && f->waiting.items[0].hit.from < upto
               ? f->waiting.items[0].hit.from
               : upto;
}

/* Forgets the text that no match can need any more. */
static void
forget(struct rule_filter *f)
{
    size_t keep = f->len > BEHIND_BYTES ? f->len - BEHIND_BYTES : 0;
    size_t drop = f->out < keep ? f->out : keep;

    if (drop == 0) {
        return;
    }
    f->most = f->len > f->most ? f->len : f->most;
    memmove(f->text, f->text + drop, f->len - drop);
    f->len -= drop;
    f->scanned -= drop;
    f->out -= drop;
    f->hole_end = f->hole_end > drop ? f->hole_end - drop : 0;
    f->base += drop;
    rule_spans_move(&f->spans, drop);
    rule_spans_move(&f->waiting, drop);
}

/* ---- a slice ---- */

/* What has come since the last time. */
static enum ag_err
scan(struct rule_filter *f)
{
    enum ag_err err = rule_scan_part(&f->scan, whole(f), f->len - f->scanned);

    f->scanned = f->len;
    return err;
}

/* Searches what came; `exact`: lets out all that can be, else what surely can,
 * since more is about to come. */
static enum ag_err
search(struct rule_filter *f, bool exact)
{
    size_t reach = f->set->window + RULE_LEAD_MAX_BYTES;
    size_t upto = f->len > reach ? f->len - reach : 0;
    enum ag_err err;

    rule_spans_grow(&f->spans, whole(f));
    err = scan(f);
    if (err == AG_OK) {
        err = decide(f, false);
    }
    if (err != AG_OK) {
        return err;
    }
    if (exact) {
        upto = rule_open_from(f->set->open, whole(f));
    }
    upto = first_waiting(f, upto);
    if (upto > f->out) {
        err = let_out(f, upto);
    }
    forget(f);
    return err;
}

enum ag_err
rule_filter_feed(struct rule_filter *f, struct span part)
{
    enum ag_err err = AG_OK;

    f->is_idle = false;
    while (err == AG_OK && part.len > 0) {
        size_t room = SLICE_BYTES - (f->len - f->scanned);
        size_t take = part.len < room ? part.len : room;

        AG_ASSERT(f->len + take <= TEXT_BYTES);
        memcpy(f->text + f->len, part.ptr, take);
        f->len += take;
        part = span_sub(part, take, part.len);
        if (take == room) {
            err = search(f, false);
        }
    }
    return err;
}

enum ag_err
rule_filter_settle(struct rule_filter *f)
{
    return f->is_idle ? AG_OK : search(f, true);
}

static bool
may_come(void *ctx, size_t rule, struct span text)
{
    const struct rule_filter *f = ctx;

    return rule_may_come(f->tools, rule, text);
}

static size_t
shown_at_idle(struct rule_filter *f)
{
    const struct rule_open_doubt doubt = {.ctx = f, .may_come = may_come};

    return rule_open_pause(f->set->open, whole(f), &doubt);
}

enum ag_err
rule_filter_idle(struct rule_filter *f)
{
    struct rule_spans waiting = f->waiting;
    size_t upto;
    enum ag_err err = AG_OK;

    if (!rule_filter_is_holding(f)) {
        return AG_OK;
    }
    f->is_idle = true;
    f->waiting = (struct rule_spans){.items = NULL};
    for (size_t i = 0; err == AG_OK && i < waiting.count; i++) {
        struct rule_hit hit = waiting.items[i].hit;
        const struct rule *rule = rule_set_at(f->set, hit.rule);
        const struct rule_text text = {.part = whole(f), .has_end = true};

        if (rule_judge(f->tools, text, &hit) != RULE_YES || is_left(f, &hit)) {
            err = add(f, &f->waiting, &waiting.items[i].hit);
            continue;
        }
        /* What comes may belong to it. */
        hit.tail.has_ended = (rule->flags & RULE_TAIL) == 0;
        err = add(f, &f->spans, &hit);
    }
    rule_spans_done(&waiting);
    upto = shown_at_idle(f);
    return err == AG_OK && upto > f->out ? let_out(f, upto) : err;
}

enum ag_err
rule_filter_idle_whole(struct rule_filter *f)
{
    if (rule_filter_is_holding(f) && shown_at_idle(f) < f->len) {
        f->is_idle = true;
        return AG_OK;
    }
    return rule_filter_idle(f);
}

enum ag_err
rule_filter_pause(struct rule_filter *f)
{
    return hide_columns(&f->hide, span_of(f->text + f->out, f->len - f->out)) >
                   REDACTOR_PAUSE_BYTES
               ? AG_OK
               : rule_filter_idle(f);
}

enum ag_err
rule_filter_finish(struct rule_filter *f)
{
    enum ag_err err = scan(f);

    rule_spans_grow(&f->spans, whole(f));
    if (err == AG_OK) {
        err = rule_scan_end(&f->scan);
    }
    if (err == AG_OK) {
        err = decide(f, true);
    }
    if (err == AG_OK) {
        err = let_out(f, f->len);
    }
    return err == AG_OK ? sink_finish(&f->next) : err;
}

/* ---- life ---- */

enum ag_err
rule_filter_new(const struct rule_filter_terms *terms, const struct sink *next,
                struct rule_filter **ret)
{
    AG_AUTO(rule_filter) struct rule_filter *f = calloc(1, sizeof(*f));
    enum ag_err err;

    if (f == NULL) {
        return AG_ENOMEM;
    }
    f->set = terms->set;
    f->terms = *terms;
    f->next = *next;
    err =
        hide_init(&f->hide, terms->options.marker, terms->options.is_terminal);
    if (err == AG_OK) {
        err = lockmem_init_text(TEXT_BYTES, &f->mem);
    }
    if (err == AG_OK) {
        f->text = f->mem.ptr;
        err = rule_tools_new(f->set, &f->tools);
    }
    if (err == AG_OK) {
        err = rule_scan_init(
            &f->scan, f->set,
            terms->level == RULES_DEFAULT ? 1 : f->set->pack_count);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(f);
    return AG_OK;
}

void
rule_filter_free(struct rule_filter *f)
{
    if (f == NULL) {
        return;
    }
    rule_scan_done(&f->scan);
    rule_tools_free(f->tools);
    rule_spans_done(&f->spans);
    rule_spans_done(&f->waiting);
    lockmem_done(&f->mem);
    free(f);
}

enum ag_err
rule_filter_restart(struct rule_filter *f)
{
    f->hide = (struct hide){.marker = f->hide.marker,
                            .is_terminal = f->hide.is_terminal};
    f->most = f->len > f->most ? f->len : f->most;
    wipe(f->text, f->most);
    f->most = 0;
    f->len = 0;
    f->scanned = 0;
    f->out = 0;
    f->hole_end = 0;
    f->base = 0;
    f->spans.count = 0;
    f->waiting.count = 0;
    f->is_idle = false;
    return rule_scan_restart(&f->scan);
}

uint64_t
rule_filter_position(const struct rule_filter *f)
{
    return f->base + f->out;
}

bool
rule_filter_is_holding(const struct rule_filter *f)
{
    return f->out < f->len && !f->is_idle;
}

size_t
rule_filter_held_bytes(const struct rule_filter *f)
{
    return f->len - f->out;
}
