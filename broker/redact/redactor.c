#include "redact/redactor.h"

#include <string.h>

#include "base/secret.h"
#include "redact/lockmem.h"
#include "redact/marker.h"
#include "redact/scan.h"

enum {
    LINE_FIRST_BYTES = 4096,
    LINE_KEEP_BYTES = 8192, /* over a restart; more is given back */
    HELD_SPARE_BYTES = 16,  /* a token waits for the byte behind it */
    SHOWN_PART = 4,         /* idle shows at most a quarter of a value */
};

/*
 * Positions count from the first byte not yet decided, which is held.ptr[0]
 * or the start of the next part. What lies before `emitted` has been let out,
 * shown or dropped; what lies before `hole_end` belongs to the last hole.
 */
struct redactor {
    struct lockmem own; /* where this struct lies */
    struct redactor_options options;
    struct sink next;
    const struct matcher *set;
    struct lockmem held;
    size_t held_len;
    size_t held_most;    /* all of `held` that text was in */
    struct lockmem line; /* of a task: not let out yet */
    size_t line_len;
    size_t line_most; /* the same of `line` */
    size_t emitted;
    size_t hole_end;
    uint64_t offset; /* in the stream, of the first byte not decided */
    bool is_idle;    /* idle was called since the last part */
    size_t behind_len;
    uint8_t behind[MATCHER_BEHIND_BYTES];
    struct marker marker;
    struct scan scan;
};

/* ---- holes ---- */

static enum ag_err
let_out(struct redactor *r, struct span text, size_t upto)
{
    size_t from = r->emitted;

    if (upto <= from) {
        return AG_OK;
    }
    r->emitted = upto;
    return sink_feed(&r->next, span_sub(text, from, upto - from));
}

static enum ag_err
open_hole(struct redactor *r, const struct scan_hit *hit)
{
    const struct set_piece *piece = &hit->part->pieces[hit->ref >> FORM_BITS];
    struct matcher_value value = set_value_of(hit->part, piece->value);
    struct redactor_hit told = {
        .id = value.id,
        .name = value.name,
        .form = set_form(hit->ref),
        .offset = r->offset + hit->start,
    };
    uint8_t text[MARKER_MAX_BYTES];
    size_t len;

    if (r->options.on_hit != NULL) {
        r->options.on_hit(r->options.hit_ctx, &told);
    }
    len = marker_write(&r->marker, value.name, text);
    return sink_feed(&r->next, span_of(text, len));
}

/* A form stands at hit->start: part of the hole it touches, or a new one. */
static enum ag_err
cover(struct redactor *r, struct span text, const struct scan_hit *hit)
{
    size_t end = hit->start + hit->len;
    enum ag_err err;

    if (hit->start >= r->hole_end) {
        err = let_out(r, text, hit->start);
        if (err != AG_OK) {
            return err;
        }
        err = open_hole(r, hit);
        if (err != AG_OK) {
            return err;
        }
    }
    if (end > r->hole_end) {
        r->hole_end = end;
    }
    if (r->hole_end > r->emitted) {
        r->emitted = r->hole_end;
    }
    return AG_OK;
}

/* ---- one stretch of text ---- */

static void
begin_scan(struct redactor *r, struct span text, size_t limit, bool at_end)
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

/*
 * Decides the starts below `limit`, in order, up to the first that needs more
 * text; lets out what is decided. *ret: how many were decided.
 */
static enum ag_err
decide(struct redactor *r, struct span text, size_t limit, bool at_end,
       size_t *ret)
{
    struct scan_hit hit;
    enum ag_err err;

    begin_scan(r, text, limit, at_end);
    while (scan_next(&r->scan, &hit)) {
        if (hit.is_open) {
            limit = hit.start;
            break;
        }
        err = cover(r, text, &hit);
        if (err != AG_OK) {
            return err;
        }
    }
    *ret = limit;
    return let_out(r, text, limit);
}

/* Moves on by `len` decided bytes at the start of `text`. */
static void
advance(struct redactor *r, struct span text, size_t len)
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

static void
note_most(size_t *most, size_t len)
{
    *most = len > *most ? len : *most;
}

/*
 * What is held, followed by as much of `part` as its decision may need (no
 * form is longer than half the buffer). True in *ret: all of the part went
 * there, and something is still held.
 */
static enum ag_err
feed_held(struct redactor *r, struct span part, bool *ret)
{
    uint8_t *held = r->held.ptr;
    size_t room = r->held.len - r->held_len;
    size_t take = part.len < room ? part.len : room;
    struct span text = span_of(held, r->held_len + take);
    size_t done = 0;
    enum ag_err err;

    memcpy(held + r->held_len, part.ptr, take);
    note_most(&r->held_most, text.len);
    err = decide(r, text, r->held_len, false, &done);
    if (err != AG_OK) {
        return err;
    }
    advance(r, text, done);
    *ret = done < r->held_len;
    if (*ret) {
        AG_ASSERT(take == part.len);
        memmove(held, held + done, text.len - done);
        r->held_len = text.len - done;
    } else {
        r->held_len = 0;
    }
    return AG_OK;
}

static enum ag_err
feed_now(struct redactor *r, struct span part)
{
    bool is_held = false;
    size_t done = 0;
    enum ag_err err;

    if (part.len == 0) {
        return AG_OK;
    }
    r->is_idle = false;
    if (r->held_len > 0) {
        err = feed_held(r, part, &is_held);
        if (err != AG_OK || is_held) {
            return err;
        }
    }
    err = decide(r, part, part.len, false, &done);
    if (err != AG_OK) {
        return err;
    }
    advance(r, part, done);
    AG_ASSERT(part.len - done <= r->held.len);
    memcpy(r->held.ptr, part.ptr + done, part.len - done);
    r->held_len = part.len - done;
    note_most(&r->held_most, r->held_len);
    return AG_OK;
}

/* ---- a task's lines ---- */

static enum ag_err
grow(struct lockmem *mem, size_t used, size_t wanted)
{
    AG_AUTO(lockmem) struct lockmem larger = {.ptr = NULL};
    struct lockmem old = *mem;
    enum ag_err err;

    if (mem->len >= wanted) {
        return AG_OK;
    }
    err = lockmem_init(wanted, &larger);
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

/* All of `text`, which ends at a cut or at the stream's end. */
static enum ag_err
let_out_all(struct redactor *r, struct span text)
{
    size_t done = 0;
    enum ag_err err = decide(r, text, text.len, true, &done);

    if (err == AG_OK) {
        advance(r, text, text.len);
    }
    return err;
}

/* The first `upto` bytes of the line: up to a cut, or of a full buffer all but
 * what a form that starts before may need. No start is left open either way, so
 * that how much it is tells nothing. */
static enum ag_err
let_out_line(struct redactor *r, size_t upto, bool is_cut)
{
    uint8_t *line = r->line.ptr;
    struct span text = span_of(line, is_cut ? upto : r->line_len);
    size_t done = 0;
    enum ag_err err = decide(r, text, upto, is_cut, &done);

    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(done == upto);
    advance(r, text, upto);
    memmove(line, line + upto, r->line_len - upto);
    r->line_len -= upto;
    return AG_OK;
}

/* As much of *part as there is room for; of a line that goes on its end. */
static enum ag_err
keep_some(struct redactor *r, struct span *part)
{
    size_t most = REDACTOR_TASK_LINE_MAX_BYTES + matcher_longest_bytes(r->set);
    size_t room = most > r->line_len ? most - r->line_len : 0;
    size_t end = r->line_len == 0 ? part->len : matcher_line_in(r->set, *part);
    size_t take = end < room ? end : room;
    size_t wanted = r->line.len == 0 ? LINE_FIRST_BYTES : r->line.len;
    size_t cut;
    enum ag_err err;

    while (wanted < r->line_len + take) {
        wanted *= 2;
    }
    err = grow(&r->line, r->line_len, wanted < most ? wanted : most);
    if (err != AG_OK) {
        return err;
    }
    if (take > 0) {
        memcpy((uint8_t *)r->line.ptr + r->line_len, part->ptr, take);
    }
    r->line_len += take;
    note_most(&r->line_most, r->line_len);
    *part = span_sub(*part, take, part->len);
    cut = matcher_cut_in(r->set, span_of(r->line.ptr, r->line_len),
                         r->line_len - take);
    if (cut > 0) {
        return let_out_line(r, cut, true);
    }
    cut = r->line_len < most ? 0 : r->line_len - matcher_longest_bytes(r->set);
    return cut > 0 ? let_out_line(r, cut, false) : AG_OK;
}

static enum ag_err
feed_task(struct redactor *r, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        size_t cut = r->line_len == 0 ? matcher_cut_in(r->set, part, 0) : 0;

        if (cut > 0) { /* as it lies, without a copy */
            err = let_out_all(r, span_sub(part, 0, cut));
            part = span_sub(part, cut, part.len);
        } else {
            err = keep_some(r, &part);
        }
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
    enum ag_err err = lockmem_init(sizeof(*r), &own);

    if (err != AG_OK) {
        return err;
    }
    r = own.ptr;
    r->own = own;
    r->options = *options;
    r->next = *next;
    err = marker_parse(options->marker, &r->marker);
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
    own = r->own;
    lockmem_done(&own);
}

enum ag_err
redactor_restart(struct redactor *r, const struct redactor_options *options,
                 const struct sink *next)
{
    struct marker marker;
    enum ag_err err = marker_parse(options->marker, &marker);

    if (err != AG_OK) {
        return err;
    }
    if (r->line.len > LINE_KEEP_BYTES) {
        lockmem_done(&r->line); /* and wipes it all */
        r->line_most = 0;
    }
    wipe(r->line.ptr, r->line_most);
    wipe(r->held.ptr, r->held_most);
    *r = (struct redactor){.own = r->own,
                           .options = *options,
                           .next = *next,
                           .held = r->held,
                           .line = r->line,
                           .marker = marker};
    return AG_OK;
}

enum ag_err
redactor_use(struct redactor *r, const struct matcher *set)
{
    size_t wanted = 2 * matcher_longest_bytes(set) + HELD_SPARE_BYTES;
    enum ag_err err = r->options.audience == REDACTOR_TASK
                          ? AG_OK /* keeps its lines elsewhere */
                          : grow(&r->held, r->held_len, wanted);

    if (err != AG_OK) {
        return err;
    }
    r->set = set;
    return AG_OK;
}

enum ag_err
redactor_feed(struct redactor *r, struct span part)
{
    return r->options.audience == REDACTOR_TASK ? feed_task(r, part)
                                                : feed_now(r, part);
}

enum ag_err
redactor_idle(struct redactor *r)
{
    struct span text = span_of(r->held.ptr, r->held_len);
    size_t upto = text.len;
    struct scan_hit hit;
    enum ag_err err;

    if (!redactor_is_holding(r)) {
        return AG_OK;
    }
    r->is_idle = true;
    begin_scan(r, text, text.len, false);
    while (scan_next(&r->scan, &hit) && hit.start < upto) {
        size_t shortest = SIZE_MAX;

        if (hit.is_open) {
            shortest = scan_shortest_open(&r->scan, hit.start);
        }
        if (shortest != SIZE_MAX && hit.start + shortest / SHOWN_PART < upto) {
            upto = hit.start + shortest / SHOWN_PART;
        }
        if (hit.len > 0) {
            err = cover(r, text, &hit);
            if (err != AG_OK) {
                return err;
            }
        }
    }
    return let_out(r, text, upto);
}

enum ag_err
redactor_finish(struct redactor *r)
{
    struct span text = r->options.audience == REDACTOR_TASK
                           ? span_of(r->line.ptr, r->line_len)
                           : span_of(r->held.ptr, r->held_len);
    enum ag_err err = let_out_all(r, text);

    if (err != AG_OK) {
        return err;
    }
    r->held_len = 0;
    r->line_len = 0;
    return sink_finish(&r->next);
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
