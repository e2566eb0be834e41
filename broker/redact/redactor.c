#include "redact/redactor.h"

#include <string.h>

#include "base/secret.h"
#include "redact/redactor_impl.h"

enum {
    LINE_KEEP_BYTES = 8192,  /* over a restart; more is given back */
    HELD_SPARE_BYTES = 512,  /* a token waits for the byte behind it, a view
                                for the end of a step; twice */
    SLICE_BYTES = 16 * 1024, /* behind what is open: bounds the holes ahead */
    AHEAD_BYTES = 256,       /* behind what is held: most is decided by these */
};

/* ---- holes ---- */

enum ag_err
redactor_let_out(struct redactor *r, struct span text, size_t upto)
{
    size_t from = r->emitted;

    if (upto <= from) {
        return AG_OK;
    }
    r->emitted = upto;
    return hide_pass(&r->hide, &r->next, span_sub(text, from, upto - from));
}

static enum ag_err
open_hole(struct redactor *r, const struct hole *hole)
{
    struct matcher_value value = set_value_of(hole->part, hole->value);
    struct redactor_hit told = {
        .id = value.id,
        .name = value.name,
        .form = hole->form,
        .offset = hole->start,
    };

    if (r->options.on_hit != NULL) {
        r->options.on_hit(r->options.hit_ctx, &told);
    }
    return hide_begin(&r->hide, &r->next, value.name);
}

/* What of the last hole has not been let out. */
static enum ag_err
hide_hole(struct redactor *r, struct span text)
{
    size_t from = r->emitted;

    if (r->hole_end <= from) {
        return AG_OK;
    }
    r->emitted = r->hole_end;
    return hide_over(&r->hide, &r->next,
                     span_sub(text, from, r->hole_end - from));
}

/* Something stands there: part of the hole it touches, or a new one. */
static enum ag_err
cover(struct redactor *r, struct span text, const struct hole *hole)
{
    size_t start =
        hole->start > r->offset ? (size_t)(hole->start - r->offset) : 0;
    size_t end = hole->end > r->offset ? (size_t)(hole->end - r->offset) : 0;
    enum ag_err err;

    if (end == 0) {
        return AG_OK; /* out already: nothing of it is left to cover */
    }
    if (start >= r->hole_end) {
        err = redactor_let_out(r, text, start);
        if (err != AG_OK) {
            return err;
        }
        err = open_hole(r, hole);
        if (err != AG_OK) {
            return err;
        }
    }
    if (end > r->hole_end) {
        r->hole_end = end;
    }
    return hide_hole(r, text);
}

enum ag_err
redactor_cover_ahead(struct redactor *r, struct span text, size_t start,
                     size_t len)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && r->views != NULL && r->views->holes.count > 0) {
        struct hole first = r->views->holes.list[0];
        uint64_t here = r->offset + start;

        if (first.start > here || (first.start == here && first.len <= len)) {
            break;
        }
        err = cover(r, text, &first);
        holes_drop(&r->views->holes, 1);
    }
    return err;
}

enum ag_err
redactor_cover(struct redactor *r, struct span text, const struct scan_hit *hit)
{
    const struct set_piece *piece = &hit->part->pieces[hit->ref >> FORM_BITS];
    enum ag_err err = redactor_cover_ahead(r, text, hit->start, hit->len);

    if (err != AG_OK) {
        return err;
    }
    return cover(
        r, text,
        &(struct hole){
            .start = r->offset + hit->start,
            .end = r->offset + hit->start + hit->len,
            .part = hit->part,
            .value = piece->value,
            .form = piece->is_line ? VARIANT_FRAGMENT : set_form(hit->ref),
        });
}

/* ---- one stretch of text ---- */

void
redactor_scan(struct redactor *r, struct span text, size_t limit, bool at_end)
{
    unsigned int flags = SCAN_PLAIN;
    struct scan_request request = {
        .set = r->set,
        .text = text,
        .behind = span_of(r->behind, r->behind_len),
        .limit = limit,
    };

    flags |= at_end ? SCAN_AT_END : 0U;
    flags |= r->options.audience == REDACTOR_TASK ? SCAN_FOR_TASK : 0U;
    request.flags = (enum scan_flags)flags;
    scan_begin(&r->scan, &request);
}

enum ag_err
redactor_decide(struct redactor *r, struct span text, size_t limit, bool at_end,
                size_t *ret)
{
    size_t open = redactor_look(r, text, at_end);
    struct scan_hit hit;
    enum ag_err err;

    limit = open < limit ? open : limit;
    redactor_scan(r, text, limit, at_end);
    r->scan.marked = r->marked;
    while (scan_next(&r->scan, &hit)) {
        if (hit.is_open) {
            limit = hit.start;
            break;
        }
        err = redactor_cover(r, text, &hit);
        if (err != AG_OK) {
            return err;
        }
    }
    err = redactor_cover_ahead(r, text, limit, SIZE_MAX);
    if (err != AG_OK) {
        return err;
    }
    *ret = limit;
    return redactor_let_out(r, text, limit);
}

void
redactor_advance(struct redactor *r, struct span text, size_t len)
{
    size_t tail = len < MATCHER_BEHIND_BYTES ? len : MATCHER_BEHIND_BYTES;
    size_t keep = MATCHER_BEHIND_BYTES - tail;

    if (len == 0) {
        return;
    }
    if (keep > r->behind_len) {
        keep = r->behind_len;
    }
    memmove(r->behind, r->behind + r->behind_len - keep, keep);
    memcpy(r->behind + keep, text.ptr + len - tail, tail);
    r->behind_len = keep + tail;
    r->offset += len;
    r->emitted -= len;
    r->hole_end = r->hole_end > len ? r->hole_end - len : 0;
}

/* What is held, decided by what follows it: some of `part`. That goes to what
 * is held if something still is; *ret is how much went there. */
static enum ag_err
feed_held(struct redactor *r, struct span part, size_t *ret)
{
    uint8_t *held = r->held.ptr;
    size_t most = r->held_len < AHEAD_BYTES   ? AHEAD_BYTES
                  : r->held_len > SLICE_BYTES ? SLICE_BYTES
                                              : r->held_len;
    size_t room = r->held.len - r->held_len;
    struct span text;
    size_t done = 0;
    enum ag_err err;

    most = most < room ? most : room;
    part = span_sub(part, 0, most);
    text = span_of(held, r->held_len + part.len);
    memcpy(held + r->held_len, part.ptr, part.len);
    note_most(&r->held_most, text.len);
    err = redactor_decide(r, text, r->held_len, false, &done);
    if (err != AG_OK) {
        return err;
    }
    redactor_advance(r, text, done);
    *ret = 0;
    if (done == r->held_len) {
        r->held_len = 0;
        return AG_OK;
    }
    if (done == 0 && part.len >= room) {
        return AG_EINTERNAL; /* no form is longer than half the buffer */
    }
    memmove(held, held + done, text.len - done);
    r->held_len = text.len - done;
    *ret = part.len;
    return AG_OK;
}

/* Keeps what is not decided. */
static enum ag_err
feed_slices(struct redactor *r, struct span part)
{
    size_t most = SLICE_BYTES;
    bool is_last = false;
    size_t done = 0;

    while (!is_last) {
        struct span slice = span_sub(part, 0, most);
        enum ag_err err = redactor_decide(r, slice, slice.len, false, &done);

        if (err != AG_OK) {
            return err;
        }
        if (slice.len - done > r->held.len) {
            return AG_EINTERNAL; /* what nothing is as long as */
        }
        redactor_advance(r, part, done);
        is_last = slice.len == part.len;
        most = slice.len - done + SLICE_BYTES;
        part = span_of(part.ptr + done, part.len - done);
    }
    memcpy(r->held.ptr, part.ptr, part.len);
    r->held_len = part.len;
    note_most(&r->held_most, r->held_len);
    return AG_OK;
}

static enum ag_err
feed_now(struct redactor *r, struct span part)
{
    size_t used = 0;
    enum ag_err err;

    r->is_idle = r->is_idle && part.len == 0;
    while (part.len > 0 && r->held_len > 0) {
        err = feed_held(r, part, &used);
        if (err != AG_OK) {
            return err;
        }
        part = span_sub(part, used, part.len);
    }
    return part.len == 0 ? AG_OK : feed_slices(r, part);
}

enum ag_err
redactor_grow(struct lockmem *mem, size_t used, size_t wanted)
{
    AG_AUTO(lockmem) struct lockmem larger = {.ptr = NULL};
    struct lockmem old = *mem;
    enum ag_err err;

    if (mem->len >= wanted) {
        return AG_OK;
    }
    err = lockmem_init_late(wanted, &larger);
    if (err != AG_OK) {
        return err;
    }
    if (used > 0) {
        memcpy(larger.ptr, mem->ptr, used);
    }
    *mem = larger;
    larger = old; /* wiped on the way out */
    return AG_OK;
}

enum ag_err
redactor_let_out_all(struct redactor *r, struct span text)
{
    size_t done = 0;
    enum ag_err err = redactor_decide(r, text, text.len, true, &done);

    if (err == AG_OK) {
        redactor_advance(r, text, text.len);
    }
    return err;
}

/* ---- the module's face ---- */

enum ag_err
redactor_new(const struct redactor_options *options, const struct sink *next,
             struct redactor **ret)
{
    AG_AUTO(redactor) struct redactor *r = NULL;
    struct lockmem own = {.ptr = NULL};
    enum ag_err err = lockmem_init_text(sizeof(*r), &own);

    if (err != AG_OK) {
        return err;
    }
    r = own.ptr;
    r->own = own;
    r->options = *options;
    r->next = *next;
    err = hide_init(&r->hide, options->marker, options->is_terminal);
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(r);
    return AG_OK;
}

void
redactor_free(struct redactor *r)
{
    struct lockmem own;

    if (r == NULL) {
        return;
    }
    lockmem_done(&r->held);
    lockmem_done(&r->line);
    redactor_looks_done(r);
    own = r->own;
    lockmem_done(&own);
}

enum ag_err
redactor_restart(struct redactor *r, const struct redactor_options *options,
                 const struct sink *next)
{
    struct hide hide;
    enum ag_err err = hide_init(&hide, options->marker, options->is_terminal);

    if (err != AG_OK) {
        return err;
    }
    if (r->line.len > LINE_KEEP_BYTES) {
        lockmem_done(&r->line); /* and wipes it all */
        r->line_most = 0;
    }
    wipe(r->line.ptr, r->line_most);
    wipe(r->held.ptr, r->held_most);
    if (r->views_own != NULL) {
        views_restart(r->views_own);
    }
    *r = (struct redactor){.own = r->own,
                           .options = *options,
                           .next = *next,
                           .held = r->held,
                           .line = r->line,
                           .views_own = r->views_own,
                           .hide = hide};
    return AG_OK;
}

enum ag_err
redactor_use(struct redactor *r, const struct matcher *set)
{
    size_t longest =
        set->has_looks ? views_span_bytes(set) : matcher_longest_bytes(set);
    enum ag_err err;

    if (r->options.audience == REDACTOR_TASK) {
        r->set = set; /* keeps its lines elsewhere */
        return AG_OK;
    }
    if (r->set == set && r->serial == set->serial) {
        return AG_OK;
    }
    longest = 2 * longest + HELD_SPARE_BYTES;
    err = r->held.ptr == NULL ? lockmem_init_text(longest, &r->held)
                              : redactor_grow(&r->held, r->held_len, longest);
    if (err == AG_OK) {
        err = redactor_looks_use(r, set);
    }
    if (err != AG_OK) {
        return err;
    }
    r->set = set;
    r->serial = set->serial;
    return AG_OK;
}

enum ag_err
redactor_feed(struct redactor *r, struct span part)
{
    return r->options.audience == REDACTOR_TASK ? redactor_feed_task(r, part)
                                                : feed_now(r, part);
}

enum ag_err
redactor_finish(struct redactor *r)
{
    struct span text = r->options.audience == REDACTOR_TASK
                           ? span_of(r->line.ptr, r->line_len)
                           : span_of(r->held.ptr, r->held_len);
    enum ag_err err = redactor_let_out_all(r, text);

    if (err != AG_OK) {
        return err;
    }
    r->held_len = 0;
    r->line_len = 0;
    return sink_finish(&r->next);
}

uint64_t
redactor_position(const struct redactor *r)
{
    return r->offset + r->emitted;
}

bool
redactor_is_holding(const struct redactor *r)
{
    return r->held_len > 0 && !r->is_idle &&
           r->options.audience == REDACTOR_OPERATOR;
}

size_t
redactor_held_bytes(const struct redactor *r)
{
    return r->held_len + r->line_len;
}
