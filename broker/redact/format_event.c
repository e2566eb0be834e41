#include "redact/format_event.h"

#include "base/buf.h"

/* Where its data stands. */
struct data {
    struct span all; /* from there to the end of the last such line */
    size_t count;
    size_t objects; /* lines of it that begin as one */
    bool is_broken; /* lines of other fields are in between */
    const char *mark;
};

static const char MARK[] = "data: ";
static const char MARK_BARE[] = "data:";

static bool
take_mark(struct span *line, const char **ret)
{
    *ret = span_starts(*line, span_str(MARK))        ? MARK
           : span_starts(*line, span_str(MARK_BARE)) ? MARK_BARE
                                                     : NULL;
    if (*ret == NULL) {
        return false;
    }
    *line = span_of(line->ptr + strlen(*ret), line->len - strlen(*ret));
    return true;
}

/* Without its end. */
static struct span
without_end(struct span line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n') {
        line.len--;
    }
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

static struct data
find_data(struct span event)
{
    struct data d = {.count = 0};
    bool is_last = false;

    while (event.len > 0) {
        size_t end = span_find(event, '\n');
        size_t len = end < event.len ? end + 1 : end;
        struct span line = without_end(span_sub(event, 0, len));
        const char *mark = NULL;

        if (!take_mark(&line, &mark)) {
            is_last = false;
            line.len = 0;
        } else if (d.count++ == 0) {
            d.all = line;
            d.mark = mark;
            is_last = true;
        } else {
            d.is_broken = d.is_broken || !is_last;
            d.all.len = (size_t)(line.ptr + line.len - d.all.ptr);
        }
        d.objects += line.len > 0 && line.ptr[0] == '{' ? 1 : 0;
        event = span_sub(event, len, event.len);
    }
    return d;
}

/* The lines of its data, joined as a reader joins them. */
static enum ag_err
join(const struct data *d, struct buf *out)
{
    struct span rest = d->all;
    enum ag_err err = AG_OK;
    const char *mark = NULL;

    while (err == AG_OK && rest.len > 0) {
        size_t end = span_find(rest, '\n');
        size_t len = end < rest.len ? end + 1 : end;
        struct span line = span_sub(rest, 0, len);

        if (out->len > 0) {
            (void)take_mark(&line, &mark);
        }
        err = buf_add(out, line);
        rest = span_sub(rest, len, rest.len);
    }
    return err;
}

/* Its data as one record. */
static enum ag_err
put_record(struct records *r, struct span event, const struct data *d,
           uint64_t offset, bool *ret_is_json)
{
    AG_AUTO(buf) struct buf joined = {0};
    size_t head = (size_t)(d->all.ptr - event.ptr);
    size_t tail = head + d->all.len;
    struct record record = {.body = d->all,
                            .head = span_sub(event, 0, head),
                            .tail = span_sub(event, tail, event.len),
                            .offset = offset};
    enum ag_err err = AG_OK;

    buf_init(&joined, JSON_RECORD_MAX_BYTES, BUF_WIPE);
    if (d->count > 1 && d->all.len < JSON_RECORD_MAX_BYTES) {
        err = join(d, &joined);
        record.body = buf_view(&joined);
        record.line = span_str(d->mark);
    }
    return err == AG_OK ? records_json(r, &record, ret_is_json) : err;
}

/* One line, without another: a record, or text. */
static enum ag_err
put_line(struct records *r, struct span line, uint64_t offset)
{
    struct data d = find_data(line);
    bool is_json = false;
    enum ag_err err = AG_OK;

    if (d.count > 0) {
        err = put_record(r, line, &d, offset, &is_json);
    }
    return err == AG_OK && !is_json ? records_text(r, line, offset) : err;
}

/* Services that end no event with an empty line put an object in each line. */
static enum ag_err
put_lines(struct records *r, struct span event, uint64_t offset)
{
    enum ag_err err = AG_OK;
    size_t at = 0;

    while (err == AG_OK && at < event.len) {
        struct span rest = span_sub(event, at, event.len);
        size_t end = span_find(rest, '\n');
        size_t len = end < rest.len ? end + 1 : end;

        err = put_line(r, span_sub(rest, 0, len), offset + at);
        at += len;
    }
    return err;
}

enum ag_err
format_event_put(struct records *r, struct span event, uint64_t offset)
{
    struct data d = find_data(event);
    bool is_json = false;
    enum ag_err err = AG_OK;

    if (d.count > 0 && !d.is_broken) {
        err = put_record(r, event, &d, offset, &is_json);
    }
    if (err != AG_OK || is_json) {
        return err;
    }
    return d.count > 1 && d.objects == d.count ? put_lines(r, event, offset)
                                               : records_text(r, event, offset);
}
