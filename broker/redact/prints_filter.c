#include "redact/prints_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "redact/gram.h"
#include "redact/marker.h"

enum {
    SLICE_BYTES = 64 * 1024, /* searched at a time */
    AHEAD_BYTES = PRINTS_EXTENT_MAX_BYTES - GRAM_BYTES,
    TEXT_MAX_BYTES = AHEAD_BYTES + 2 * SLICE_BYTES +
                     MATCHER_PIECE_MAX_BYTES * VARIANT_GROWTH_MAX,
};

/* A stretch that is a form, or may be one when its end has come. */
struct stretch {
    size_t from;   /* in the text */
    size_t number; /* of the form in the set */
    bool is_whole; /* compared, and it is one */
};

struct prints_filter {
    const struct prints *set;
    struct sink next;
    struct marker marker;
    void *hit_ctx;
    void (*on_hit)(void *ctx, const struct redactor_hit *hit);
    struct buf text; /* not passed on yet */
    struct gram_walk walk;
    uint64_t offset; /* of the text's first byte in what was fed */
    size_t hidden;   /* so much of the text belongs to a hole that is out */
    uint64_t decided;
    struct stretch *stretches; /* in the order of their starts */
    size_t count;
    size_t cap;
};

enum ag_err
prints_filter_new(const struct prints *set,
                  const struct redactor_options *options,
                  const struct sink *next, struct prints_filter **ret)
{
    AG_AUTO(prints_filter) struct prints_filter *f = calloc(1, sizeof(*f));
    enum ag_err err = f == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        buf_init(&f->text, TEXT_MAX_BYTES, BUF_WIPE);
        err = marker_parse(options->marker, &f->marker);
    }
    if (err != AG_OK) {
        return err;
    }
    f->set = set;
    f->next = *next;
    f->hit_ctx = options->hit_ctx;
    f->on_hit = options->on_hit;
    *ret = AG_TAKE(f);
    return AG_OK;
}

void
prints_filter_free(struct prints_filter *f)
{
    if (f != NULL) {
        buf_done(&f->text);
        free(f->stretches);
        free(f);
    }
}

/* ---- finding ---- */

static size_t
end_of(const struct prints_filter *f, const struct stretch *s)
{
    return s->from + prints_form_at(f->set, s->number).len;
}

/* By start, then the longer first. */
static bool
comes_before(const struct prints_filter *f, const struct stretch *a,
             const struct stretch *b)
{
    return a->from != b->from ? a->from < b->from : end_of(f, a) > end_of(f, b);
}

static enum ag_err
add(struct prints_filter *f, const struct stretch *s)
{
    size_t at = f->count;

    if (f->count == f->cap) {
        size_t cap = f->cap == 0 ? 16 : 2 * f->cap;
        struct stretch *more = realloc(f->stretches, cap * sizeof(*more));

        if (more == NULL) {
            return AG_ENOMEM;
        }
        f->stretches = more;
        f->cap = cap;
    }
    while (at > 0 && comes_before(f, s, &f->stretches[at - 1])) {
        f->stretches[at] = f->stretches[at - 1];
        at--;
    }
    f->stretches[at] = *s;
    f->count++;
    return AG_OK;
}

/* Compared as soon as all of it is there; false: it is none. */
static bool
may_be(const struct prints_filter *f, struct stretch *s)
{
    struct prints_form form = prints_form_at(f->set, s->number);
    struct span text = span_sub(buf_view(&f->text), s->from, form.len);

    if (!s->is_whole && text.len == form.len) {
        s->is_whole = prints_is(f->set, s->number, text);
        return s->is_whole;
    }
    return true;
}

static enum ag_err
look_for(struct prints_filter *f, size_t at, size_t extent)
{
    size_t first = 0;
    size_t count = prints_find(f->set, f->text.ptr + at, extent, &first);
    enum ag_err err = AG_OK;

    for (size_t i = first; err == AG_OK && i < first + count; i++) {
        size_t before = prints_form_at(f->set, i).extent_at;
        struct stretch s = {.from = at - before, .number = i};

        /* What is out already was no form, or it would be held. */
        if (before <= at && may_be(f, &s)) {
            err = add(f, &s);
        }
    }
    return err;
}

/* Through the first `len` bytes of the text: behind it there is no more of the
 * line, or enough for the longest extent. */
static enum ag_err
search(struct prints_filter *f, size_t len)
{
    struct span text = buf_view(&f->text);
    size_t kept = 0;
    size_t at = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < f->count; i++) { /* those that waited */
        if (may_be(f, &f->stretches[i])) {
            f->stretches[kept++] = f->stretches[i];
        }
    }
    f->count = kept;
    while (err == AG_OK && gram_next(&f->walk, span_sub(text, 0, len), &at)) {
        size_t reach = prints_reach(span_sub(text, at, text.len));

        for (size_t i = 0; err == AG_OK && i < PRINTS_EXTENT_COUNT &&
                           PRINTS_EXTENTS[i] <= reach;
             i++) {
            err = look_for(f, at, i);
        }
    }
    return err;
}

/* ---- letting out ---- */

static enum ag_err
pass(struct prints_filter *f, size_t from, size_t to)
{
    if (to <= from) {
        return AG_OK;
    }
    f->decided = f->offset + to;
    return sink_feed(&f->next, span_of(f->text.ptr + from, to - from));
}

static enum ag_err
mark(struct prints_filter *f, const struct stretch *s)
{
    struct prints_form form = prints_form_at(f->set, s->number);
    struct redactor_hit hit = {.id = form.value,
                               .name = prints_name(f->set, form.value),
                               .form = form.form,
                               .offset = f->offset + s->from};
    uint8_t text[MARKER_MAX_BYTES];

    if (f->on_hit != NULL) {
        f->on_hit(f->hit_ctx, &hit);
    }
    return sink_feed(&f->next,
                     span_of(text, marker_write(&f->marker, hit.name, text)));
}

/* Everything before `upto` is decided: what begins there goes. */
static enum ag_err
let_out(struct prints_filter *f, size_t upto)
{
    size_t out = f->hidden;
    size_t i = 0;
    enum ag_err err = AG_OK;

    for (; err == AG_OK && i < f->count && f->stretches[i].from < upto; i++) {
        const struct stretch *s = &f->stretches[i];
        size_t end = end_of(f, s);

        if (s->is_whole && s->from >= out) {
            err = pass(f, out, s->from);
            if (err == AG_OK) {
                err = mark(f, s);
            }
        }
        out = s->is_whole && end > out ? end : out;
        f->decided =
            f->offset + out > f->decided ? f->offset + out : f->decided;
    }
    if (err == AG_OK) {
        err = pass(f, out, upto);
    }
    f->hidden = out > upto ? out - upto : 0;
    f->count -= i;
    for (size_t k = 0; k < f->count; k++) {
        f->stretches[k] = f->stretches[k + i];
        f->stretches[k].from -= upto;
    }
    return err;
}

static void
take_off(struct prints_filter *f, size_t len)
{
    size_t left = f->text.len - len;

    memmove(f->text.ptr, f->text.ptr + len, left);
    buf_truncate(&f->text, left);
    f->offset += len;
}

/* No form has a newline in it: lines that have ended are decided, and the walk
 * begins anew behind them. */
static enum ag_err
end_lines(struct prints_filter *f)
{
    const uint8_t *end =
        f->text.len == 0 ? NULL : memrchr(f->text.ptr, '\n', f->text.len);
    size_t len = end == NULL ? 0 : (size_t)(end - f->text.ptr) + 1;
    enum ag_err err = AG_OK;

    if (len == 0) {
        return AG_OK;
    }
    err = search(f, len);
    if (err == AG_OK) {
        err = let_out(f, len);
    }
    take_off(f, len);
    f->walk = (struct gram_walk){.at = 0};
    return err;
}

/* Of a line that goes on. */
static enum ag_err
cut_line(struct prints_filter *f)
{
    size_t longest = prints_longest_bytes(f->set);
    size_t held =
        AHEAD_BYTES +
        (longest > GRAM_FORM_MIN_BYTES ? longest : GRAM_FORM_MIN_BYTES);
    size_t len = f->text.len;
    enum ag_err err = len > AHEAD_BYTES ? search(f, len - AHEAD_BYTES) : AG_OK;

    if (err == AG_OK && len > SLICE_BYTES + held) {
        err = let_out(f, len - held);
        take_off(f, len - held);
        gram_move(&f->walk, len - held);
    }
    return err;
}

enum ag_err
prints_filter_feed(struct prints_filter *f, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        struct span slice = span_sub(part, 0, SLICE_BYTES);

        part = span_sub(part, slice.len, part.len);
        err = buf_add(&f->text, slice);
        if (err == AG_OK) {
            err = end_lines(f);
        }
        if (err == AG_OK) {
            err = cut_line(f);
        }
    }
    return err;
}

enum ag_err
prints_filter_finish(struct prints_filter *f)
{
    enum ag_err err = search(f, f->text.len);

    if (err == AG_OK) {
        err = let_out(f, f->text.len);
    }
    buf_clear(&f->text);
    return err == AG_OK ? sink_finish(&f->next) : err;
}

void
prints_filter_restart(struct prints_filter *f)
{
    buf_clear(&f->text);
    f->walk = (struct gram_walk){.at = 0};
    f->offset = 0;
    f->hidden = 0;
    f->decided = 0;
    f->count = 0;
}

uint64_t
prints_filter_position(const struct prints_filter *f)
{
    return f->decided;
}

/* ---- as a sink ---- */

static enum ag_err
feed_as_sink(void *ctx, struct span part)
{
    return prints_filter_feed(ctx, part);
}

static enum ag_err
finish_as_sink(void *ctx)
{
    return prints_filter_finish(ctx);
}

struct sink
prints_filter_sink(struct prints_filter *f)
{
    return (struct sink){
        .ctx = f, .feed = feed_as_sink, .finish = finish_as_sink};
}
