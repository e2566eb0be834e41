#include "redact/format_lines.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"

enum {
    LINES_FIRST_COUNT = 64,
    OUT_MAX_BYTES = 64 * 1024, /* of a line; then it is let out as it comes */
    NO_NUMBER = -2,            /* nor is it followed by one */
};

/* A line that has been fed. */
struct line {
    uint8_t end_len; /* of "\n" or "\r\n"; 0: it has not ended */
    uint8_t mark_len;
    uint8_t mark[FORMAT_MARK_MAX_BYTES];
};

struct format_lines {
    enum format format;
    struct sink next;
    struct scrub *scrub;
    struct line *lines; /* that have not come out whole */
    size_t first;
    size_t count;
    size_t cap;
    uint8_t
        start[FORMAT_MARK_MAX_BYTES]; /* of a line, until its mark is sure */
    size_t start_len;
    bool is_inside; /* a line: its mark is known */
    uint8_t last_byte;
    /* What has come out of the first line. */
    struct buf out;
    bool is_begun; /* a part of it has gone on */
    bool goes_on;  /* the line before it lost its end in a hole */
    int before;    /* that line's number; NO_NUMBER */
};

static struct line *
first_line(struct format_lines *f)
{
    AG_ASSERT(f->first < f->count);
    return &f->lines[f->first];
}

/* Marks are text that was not filtered. */
static void
lines_done(struct format_lines *f)
{
    if (f->lines != NULL) {
        wipe(f->lines, f->cap * sizeof(*f->lines));
        free(f->lines);
    }
}

static enum ag_err
add_line(struct format_lines *f, const struct line *line)
{
    size_t cap = f->cap == 0 ? LINES_FIRST_COUNT : 2 * f->cap;
    struct line *more;

    if (2 * f->first > f->count) {
        f->count -= f->first;
        memmove(f->lines, f->lines + f->first, f->count * sizeof(*line));
        f->first = 0;
    }
    if (f->count == f->cap) {
        more = calloc(cap, sizeof(*more));
        if (more == NULL) {
            return AG_ENOMEM;
        }
        if (f->count > 0) {
            memcpy(more, f->lines, f->count * sizeof(*more));
        }
        lines_done(f);
        f->lines = more;
        f->cap = cap;
    }
    f->lines[f->count++] = *line;
    return AG_OK;
}

/* ---- out ---- */

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The number in a line's mark; NO_NUMBER: there is none, or several. */
static int
number_of(const struct line *line)
{
    int number = NO_NUMBER;

    for (size_t i = 0; i < line->mark_len; i++) {
        bool is_first = i == 0 || !is_digit(line->mark[i - 1]);

        if (!is_digit(line->mark[i])) {
            continue;
        }
        if (is_first && number != NO_NUMBER) {
            return NO_NUMBER;
        }
        number = (is_first ? 0 : number * 10) + (line->mark[i] - '0');
    }
    return number;
}

/* The line's mark, of which *out may still have the beginning. Digits that look
 * like a mark may be a value's, where a hole begins in this line or has come to
 * it: but for the number behind that of the line before. */
static enum ag_err
put_mark(struct format_lines *f, const struct line *line, struct span *out)
{
    bool is_next = f->goes_on && number_of(line) == f->before + 1;
    uint8_t mark[FORMAT_MARK_MAX_BYTES];
    size_t same = 0;

    while (same < line->mark_len && same < out->len &&
           out->ptr[same] == line->mark[same]) {
        same++;
    }
    memcpy(mark, line->mark, line->mark_len);
    for (size_t i = same; i < line->mark_len && !is_next; i++) {
        mark[i] = is_digit(mark[i]) ? ' ' : mark[i];
    }
    *out = span_sub(*out, same, out->len);
    return sink_feed(&f->next, span_of(mark, line->mark_len));
}

/* What has come of the first line, with what a hole has taken of its form. */
static enum ag_err
let_out(struct format_lines *f, bool is_end)
{
    const struct line *line = first_line(f);
    struct span out = buf_view(&f->out);
    bool has_end = out.len > 0 && out.ptr[out.len - 1] == '\n';
    enum ag_err err = AG_OK;

    if (!f->is_begun) {
        err = put_mark(f, line, &out);
    }
    f->is_begun = true;
    if (err == AG_OK) {
        err = sink_feed(&f->next, out);
    }
    if (err == AG_OK && is_end && !has_end) {
        err = sink_feed(&f->next, span_str(line->end_len == 2   ? "\r\n"
                                           : line->end_len == 1 ? "\n"
                                                                : ""));
    }
    if (is_end) {
        f->goes_on = !has_end;
        f->before = number_of(line);
        f->is_begun = false;
        f->first++;
    }
    buf_clear(&f->out);
    return err;
}

static enum ag_err
on_border(void *ctx)
{
    return let_out(ctx, true);
}

static enum ag_err
take(void *ctx, struct span part)
{
    struct format_lines *f = ctx;
    enum ag_err err = buf_add(&f->out, part);

    return err == AG_OK && f->out.len > OUT_MAX_BYTES ? let_out(f, false) : err;
}

/* ---- in ---- */

/* Bytes of the last line. */
static enum ag_err
feed_line(struct format_lines *f, struct span part, bool is_end)
{
    struct line *line = &f->lines[f->count - 1];
    uint8_t before = part.len > 1 ? part.ptr[part.len - 2] : f->last_byte;
    enum ag_err err;

    if (is_end) {
        line->end_len = before == '\r' ? 2 : 1;
    }
    if (part.len > 0) {
        f->last_byte = part.ptr[part.len - 1];
    }
    err = scrub_feed(f->scrub, part);
    return err == AG_OK && is_end ? scrub_border(f->scrub) : err;
}

/* The mark is sure: what was kept for it is fed. */
static enum ag_err
begin_line(struct format_lines *f)
{
    struct span start = span_of(f->start, f->start_len);
    size_t mark = format_mark_len(f->format, start);
    struct line line = {.mark_len = (uint8_t)mark};
    enum ag_err err;

    memcpy(line.mark, f->start, mark);
    err = add_line(f, &line);
    f->is_inside = true;
    f->start_len = 0;
    f->last_byte = 0;
    if (err == AG_OK) {
        err = feed_line(f, start, false);
    }
    wipe(f->start, sizeof(f->start));
    return err;
}

/* Up to the end of a line, or all. */
static enum ag_err
feed_some(struct format_lines *f, struct span part, bool is_end)
{
    size_t room = sizeof(f->start) - f->start_len;
    size_t take_len = part.len < room ? part.len : room;
    enum ag_err err = AG_OK;

    if (!f->is_inside) {
        /* The newline is fed with the line's end. */
        size_t len = is_end && take_len == part.len ? take_len - 1 : take_len;

        memcpy(f->start + f->start_len, part.ptr, len);
        f->start_len += len;
        part = span_sub(part, len, part.len);
        if (is_end || f->start_len == sizeof(f->start)) {
            err = begin_line(f);
        }
    }
    if (err == AG_OK && f->is_inside && part.len > 0) {
        err = feed_line(f, part, is_end);
    }
    if (is_end) {
        f->is_inside = false;
    }
    return err;
}

enum ag_err
format_lines_feed(struct format_lines *f, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        size_t end = span_find(part, '\n');
        bool is_end = end < part.len;
        size_t len = is_end ? end + 1 : end;

        err = feed_some(f, span_sub(part, 0, len), is_end);
        part = span_sub(part, len, part.len);
    }
    return err;
}

/* ---- the module's face ---- */

enum ag_err
format_lines_new(enum format format, const struct scrub_terms *terms,
                 const struct sink *next, struct format_lines **ret)
{
    AG_AUTO(format_lines) struct format_lines *f = calloc(1, sizeof(*f));
    struct scrub_terms own = *terms;
    const struct sink sink = {.ctx = f, .feed = take};
    enum ag_err err;

    if (f == NULL) {
        return AG_ENOMEM;
    }
    f->format = format;
    f->next = *next;
    buf_init(&f->out, (size_t)4 * OUT_MAX_BYTES, BUF_WIPE);
    own.repeats = true;
    own.on_border = on_border;
    own.border_ctx = f;
    err = scrub_new(&own, &sink, &f->scrub);
    if (err == AG_OK) {
        *ret = AG_TAKE(f);
    }
    return err;
}

void
format_lines_free(struct format_lines *f)
{
    if (f != NULL) {
        scrub_free(f->scrub);
        buf_done(&f->out);
        lines_done(f);
        wipe(f, sizeof(*f));
        free(f);
    }
}

enum ag_err
format_lines_use(struct format_lines *f, const struct matcher *set)
{
    return scrub_use(f->scrub, set);
}

/* Of a line that has not ended, what is sure. */
static enum ag_err
let_out_begun(struct format_lines *f)
{
    return f->out.len > 0 && f->out.len >= first_line(f)->mark_len
               ? let_out(f, false)
               : AG_OK;
}

enum ag_err
format_lines_settle(struct format_lines *f)
{
    enum ag_err err = scrub_settle(f->scrub);

    return err == AG_OK ? let_out_begun(f) : err;
}

enum ag_err
format_lines_idle(struct format_lines *f)
{
    enum ag_err err = f->start_len > 0 ? begin_line(f) : AG_OK;

    if (err == AG_OK) {
        err = scrub_settle(f->scrub);
    }
    if (err == AG_OK) {
        err = scrub_idle(f->scrub);
    }
    return err == AG_OK ? let_out_begun(f) : err;
}

enum ag_err
format_lines_finish(struct format_lines *f)
{
    enum ag_err err = f->start_len > 0 ? begin_line(f) : AG_OK;

    if (err == AG_OK && f->is_inside) {
        err = scrub_border(f->scrub);
    }
    f->is_inside = false;
    if (err == AG_OK) {
        err = scrub_finish(f->scrub);
    }
    return err == AG_OK ? sink_finish(&f->next) : err;
}

bool
format_lines_is_holding(const struct format_lines *f)
{
    return f->start_len > 0 || scrub_is_holding(f->scrub);
}
