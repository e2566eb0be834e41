#include "redact/scrub.h"

#include <stdlib.h>
#include <string.h>

#include "redact/marker.h"

enum {
    BORDERS_FIRST_COUNT = 16,
};

/* Borders in what one of the two filters is fed, in order: at[first] on. */
struct borders {
    uint64_t *at;
    size_t first;
    size_t count;
    size_t cap;
    uint64_t hole_at; /* of the marker that comes next */
    bool is_marker;
    size_t marker_len; /* of the last one */
    uint8_t marker[MARKER_MAX_BYTES];
};

struct scrub {
    struct scrub_terms terms;
    struct sink next;
    const struct matcher *set;
    enum scrub_depth depth;
    struct marker marker;
    struct redactor *known;
    struct prints_filter *prints; /* in its stead; NULL: none */
    struct rule_filter *rules;
    uint64_t fed;    /* to the first filter */
    uint64_t passed; /* from the first filter to the second */
    struct borders before_known;
    struct borders before_rules;
};

/* ---- borders ---- */

static enum ag_err
add_border(struct borders *b, uint64_t at)
{
    size_t cap = b->cap == 0 ? BORDERS_FIRST_COUNT : 2 * b->cap;
    uint64_t *more;

    if (b->first > b->count) { /* most of it is behind us */
        memmove(b->at, b->at + b->first, b->count * sizeof(*b->at));
        b->first = 0;
    }
    if (b->first + b->count == b->cap) {
        more = reallocarray(b->at, cap, sizeof(*more));
        if (more == NULL) {
            return AG_ENOMEM;
        }
        b->at = more;
        b->cap = cap;
    }
    b->at[b->first + b->count++] = at;
    return AG_OK;
}

/* Is there one before `upto`? */
static bool
has_border(const struct borders *b, uint64_t upto)
{
    return b->count > 0 && b->at[b->first] < upto;
}

/* Takes off the first border, if it lies at or before `upto`. */
static bool
take_border(struct borders *b, uint64_t upto, uint64_t *ret)
{
    if (b->count == 0 || b->at[b->first] > upto) {
        return false;
    }
    *ret = b->at[b->first];
    b->count--;
    b->first++;
    return true;
}

static void
forget_borders(struct borders *b)
{
    b->first = 0;
    b->count = 0;
    b->is_marker = false;
}

static bool
has_rules(const struct scrub *s)
{
    return s->rules != NULL && s->depth == SCRUB_ALL;
}

/* ---- the first filter ---- */

static bool
has_known(const struct scrub *s)
{
    return s->known != NULL || s->prints != NULL;
}

static uint64_t
known_position(const struct scrub *s)
{
    return s->prints != NULL ? prints_filter_position(s->prints)
                             : redactor_position(s->known);
}

static enum ag_err
known_feed(struct scrub *s, struct span part)
{
    return s->prints != NULL ? prints_filter_feed(s->prints, part)
                             : redactor_feed(s->known, part);
}

static enum ag_err
known_finish(struct scrub *s)
{
    return s->prints != NULL  ? prints_filter_finish(s->prints)
           : s->known != NULL ? redactor_finish(s->known)
                              : AG_OK;
}

/* ---- between the filters, and behind them ---- */

static enum ag_err
put_known(struct scrub *s, struct span part)
{
    s->passed += part.len;
    return has_rules(s) ? rule_filter_feed(s->rules, part)
                        : sink_feed(&s->next, part);
}

static enum ag_err
put_rules(struct scrub *s, struct span part)
{
    return sink_feed(&s->next, part);
}

/* What a border before `upto` has behind it is the rest of a hole. */
static struct span
marker_again(const struct scrub *s, const struct borders *b, bool is_inside)
{
    return span_of(b->marker,
                   s->terms.repeats && is_inside ? b->marker_len : 0);
}

/* Borders up to `upto`, on to what the rules are fed or out. */
static enum ag_err
pass_known(struct scrub *s, uint64_t upto)
{
    struct borders *b = &s->before_known;
    uint64_t at = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && take_border(b, upto, &at)) {
        struct span marker = marker_again(s, b, at < upto);

        err = has_rules(s) ? add_border(&s->before_rules, s->passed)
                           : s->terms.on_border(s->terms.border_ctx);
        if (err == AG_OK && marker.len > 0) {
            err = put_known(s, marker);
        }
    }
    return err;
}

static enum ag_err
pass_rules(struct scrub *s, uint64_t upto)
{
    struct borders *b = &s->before_rules;
    uint64_t at = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && take_border(b, upto, &at)) {
        err = s->terms.on_border(s->terms.border_ctx);
        if (err == AG_OK) {
            err = put_rules(s, marker_again(s, b, at < upto));
        }
    }
    return err;
}

/* One of the two, as `cut` and what is around it. */
struct stage {
    struct borders *borders;
    uint64_t end; /* where `part` ends in what the filter was fed */
    enum ag_err (*pass)(struct scrub *s, uint64_t upto);
    enum ag_err (*put)(struct scrub *s, struct span part);
};

/* Text that a filter lets out, cut at its borders; or a marker. */
static enum ag_err
cut(struct scrub *s, const struct stage *stage, struct span part)
{
    struct borders *b = stage->borders;
    uint64_t at = stage->end - part.len;
    enum ag_err err = AG_OK;

    if (b->is_marker) {
        b->is_marker = false;
        if (part.len > sizeof(b->marker)) {
            return AG_EINTERNAL; /* a marker is no longer than that */
        }
        err = stage->pass(s, b->hole_at);
        b->marker_len = part.len;
        memcpy(b->marker, part.ptr, part.len);
        return err == AG_OK ? stage->put(s, part) : err;
    }
    while (err == AG_OK && has_border(b, stage->end)) {
        uint64_t border = b->at[b->first];
        size_t len = border > at ? (size_t)(border - at) : 0;

        if (len > 0) {
            err = stage->put(s, span_sub(part, 0, len));
            part = span_sub(part, len, part.len);
            at += len;
        }
        if (err == AG_OK) {
            err = stage->pass(s, at);
        }
    }
    return err == AG_OK && part.len > 0 ? stage->put(s, part) : err;
}

static enum ag_err
from_known(void *ctx, struct span part)
{
    struct scrub *s = ctx;
    const struct stage stage = {.borders = &s->before_known,
                                .end = known_position(s),
                                .pass = pass_known,
                                .put = put_known};

    return cut(s, &stage, part);
}

static enum ag_err
from_rules(void *ctx, struct span part)
{
    struct scrub *s = ctx;
    const struct stage stage = {.borders = &s->before_rules,
                                .end = rule_filter_position(s->rules),
                                .pass = pass_rules,
                                .put = put_rules};

    return cut(s, &stage, part);
}

static void
note_hit(struct scrub *s, struct borders *b, const struct redactor_hit *hit)
{
    /* An empty one is not fed: what comes next is text. */
    b->is_marker = marker_bytes(&s->marker, hit->name) > 0;
    b->hole_at = hit->offset;
    if (s->terms.options.on_hit != NULL) {
        s->terms.options.on_hit(s->terms.options.hit_ctx, hit);
    }
}

static void
known_hit(void *ctx, const struct redactor_hit *hit)
{
    struct scrub *s = ctx;

    note_hit(s, &s->before_known, hit);
}

static void
rule_hit(void *ctx, const struct redactor_hit *hit)
{
    struct scrub *s = ctx;

    note_hit(s, &s->before_rules, hit);
}

/* What a filter has decided without letting anything out: a hole's end. */
static enum ag_err
pass_silent(struct scrub *s)
{
    enum ag_err err = AG_OK;

    if (has_known(s) && s->before_known.count > 0) {
        err = pass_known(s, known_position(s));
    }
    if (err == AG_OK && has_rules(s) && s->before_rules.count > 0) {
        err = pass_rules(s, rule_filter_position(s->rules));
    }
    return err;
}

/* ---- the module's face ---- */

static enum ag_err
new_known(struct scrub *s, const struct redactor_options *options)
{
    const struct sink sink = {.ctx = s, .feed = from_known};

    if (s->terms.prints != NULL) {
        return prints_filter_new(s->terms.prints, options, &sink, &s->prints);
    }
    return s->terms.is_known ? redactor_new(options, &sink, &s->known) : AG_OK;
}

enum ag_err
scrub_new(const struct scrub_terms *terms, const struct sink *next,
          struct scrub **ret)
{
    AG_AUTO(scrub) struct scrub *s = calloc(1, sizeof(*s));
    struct redactor_options options = terms->options;
    struct rule_filter_terms rules = terms->rules;
    enum ag_err err;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->terms = *terms;
    s->next = *next;
    err = marker_parse(options.marker, &s->marker);
    options.hit_ctx = s;
    options.on_hit = rule_hit;
    rules.options = options;
    if (err == AG_OK && rules.set != NULL) {
        const struct sink sink = {.ctx = s, .feed = from_rules};

        err = rule_filter_new(&rules, &sink, &s->rules);
    }
    options.on_hit = known_hit;
    if (err == AG_OK) {
        err = new_known(s, &options);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(s);
    return AG_OK;
}

void
scrub_free(struct scrub *s)
{
    if (s == NULL) {
        return;
    }
    redactor_free(s->known);
    prints_filter_free(s->prints);
    rule_filter_free(s->rules);
    free(s->before_known.at);
    free(s->before_rules.at);
    free(s);
}

enum ag_err
scrub_use(struct scrub *s, const struct matcher *set)
{
    s->set = set;
    return s->known == NULL ? AG_OK : redactor_use(s->known, set);
}

enum ag_err
scrub_restart(struct scrub *s, enum scrub_depth depth)
{
    struct redactor_options options = s->terms.options;
    const struct sink sink = {.ctx = s, .feed = from_known};
    enum ag_err err = AG_OK;

    s->fed = 0;
    s->passed = 0;
    forget_borders(&s->before_known);
    forget_borders(&s->before_rules);
    if (has_rules(s)) {
        err = rule_filter_restart(s->rules); /* also when they come to rest */
    }
    s->depth = depth;
    if (s->prints != NULL) {
        prints_filter_restart(s->prints);
    }
    options.hit_ctx = s;
    options.on_hit = known_hit;
    if (err == AG_OK && s->known != NULL) {
        err = redactor_restart(s->known, &options, &sink);
    }
    return err == AG_OK && s->known != NULL ? redactor_use(s->known, s->set)
                                            : err;
}

enum ag_err
scrub_feed(struct scrub *s, struct span part)
{
    enum ag_err err;

    s->fed += part.len;
    err = has_known(s) ? known_feed(s, part) : put_known(s, part);
    return err == AG_OK ? pass_silent(s) : err;
}

enum ag_err
scrub_border(struct scrub *s)
{
    enum ag_err err;

    if (!has_known(s)) {
        err = has_rules(s) ? add_border(&s->before_rules, s->passed)
                           : s->terms.on_border(s->terms.border_ctx);
    } else {
        err = add_border(&s->before_known, s->fed);
    }
    return err == AG_OK ? pass_silent(s) : err;
}

enum ag_err
scrub_settle(struct scrub *s)
{
    enum ag_err err = has_rules(s) ? rule_filter_settle(s->rules) : AG_OK;

    return err == AG_OK ? pass_silent(s) : err;
}

static enum ag_err
idle(struct scrub *s, enum ag_err (*known)(struct redactor *r),
     enum ag_err (*rules)(struct rule_filter *f))
{
    enum ag_err err = s->known != NULL ? known(s->known) : AG_OK;

    if (err == AG_OK && has_rules(s)) {
        err = rule_filter_settle(s->rules);
    }
    if (err == AG_OK && has_rules(s)) {
        err = rules(s->rules);
    }
    return err == AG_OK ? pass_silent(s) : err;
}

enum ag_err
scrub_idle(struct scrub *s)
{
    return idle(s, redactor_idle, rule_filter_idle);
}

enum ag_err
scrub_idle_whole(struct scrub *s)
{
    return idle(s, redactor_idle_whole, rule_filter_idle_whole);
}

enum ag_err
scrub_finish(struct scrub *s)
{
    enum ag_err err = known_finish(s);

    if (err == AG_OK) {
        err = pass_silent(s); /* the rules still wait */
    }
    if (err == AG_OK && has_rules(s)) {
        err = rule_filter_finish(s->rules);
    }
    if (err == AG_OK) {
        err = pass_silent(s);
    }
    return err == AG_OK ? sink_finish(&s->next) : err;
}

bool
scrub_is_holding(const struct scrub *s)
{
    return (s->known != NULL && redactor_is_holding(s->known)) ||
           (has_rules(s) && rule_filter_is_holding(s->rules));
}
