#include "redact/format_split.h"

#include <stdlib.h>

#include "base/buf.h"
#include "redact/format_event.h"

enum {
    HELD_MAX_BYTES = JSON_RECORD_MAX_BYTES + 4096, /* and what is around it */
    HELD_KEPT_BYTES = 256 * 1024,
};

struct format_split {
    enum format format;
    struct records *records;
    struct buf held;   /* of a record that has not ended */
    bool is_text;      /* what has not ended is passed on as text */
    uint64_t offset;   /* in the stream, of held's first byte */
    size_t event_line; /* in `held`: where the line begins that has not ended */
};

enum ag_err
format_split_new(enum format format, struct records *records,
                 struct format_split **ret)
{
    struct format_split *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->format = format;
    s->records = records;
    buf_init(&s->held, (size_t)2 * HELD_MAX_BYTES, BUF_WIPE);
    *ret = s;
    return AG_OK;
}

void
format_split_free(struct format_split *s)
{
    if (s != NULL) {
        buf_done(&s->held);
        free(s);
    }
}

/* ---- where a record ends ---- */

/* Behind the first line of what is not looked at yet; 0: it has not ended. */
static size_t
end_of_line(struct span text, size_t from)
{
    size_t at = from + span_find(span_sub(text, from, text.len), '\n');

    return at < text.len ? at + 1 : 0;
}

/* Behind an empty line. `*line` is where to go on looking. */
static size_t
end_of_event(struct span text, size_t *line)
{
    size_t end = end_of_line(text, *line);

    while (end > 0) {
        size_t len = end - 1 - *line;
        bool is_empty = len == 0 || (len == 1 && text.ptr[*line] == '\r');

        *line = end;
        if (is_empty) {
            return end;
        }
        end = end_of_line(text, *line);
    }
    return 0;
}

/* Can't be JSON that has something in it: nothing is held for it. */
static bool
is_surely_text(const struct format_split *s, struct span text)
{
    size_t i = 0;

    while (i < text.len &&
           (text.ptr[i] == ' ' || text.ptr[i] == '\t' || text.ptr[i] == '\r')) {
        i++;
    }
    if (s->format == STREAM_SSE || i == text.len) {
        return false;
    }
    return memchr("{[\"-0123456789\n", text.ptr[i], 15) == NULL;
}

/* ---- records ---- */

static enum ag_err
put_line(struct format_split *s, struct span text)
{
    size_t body = text.len > 0 && text.ptr[text.len - 1] == '\n' ? text.len - 1
                                                                 : text.len;
    const struct record record = {.body = span_sub(text, 0, body),
                                  .tail = span_sub(text, body, text.len),
                                  .offset = s->offset};
    bool is_json = false;
    enum ag_err err = AG_OK;

    if (!is_surely_text(s, text)) {
        err = records_json(s->records, &record, &is_json);
    }
    return err == AG_OK && !is_json ? records_text(s->records, text, s->offset)
                                    : err;
}

static enum ag_err
put(struct format_split *s, struct span text)
{
    enum ag_err err;

    if (s->is_text) {
        err = records_text(s->records, text, s->offset);
    } else if (s->format == STREAM_SSE) {
        err = format_event_put(s->records, text, s->offset);
    } else {
        err = put_line(s, text);
    }
    s->is_text = false;
    s->event_line = 0;
    s->offset += text.len;
    return err;
}

/* What is held as text, and all up to the record's end. */
static enum ag_err
give_up(struct format_split *s)
{
    enum ag_err err = records_text(s->records, buf_view(&s->held), s->offset);

    s->is_text = true;
    s->offset += s->held.len;
    s->event_line = 0;
    buf_clear(&s->held);
    return err;
}

/* The end of the first record; 0: not in this text. */
static size_t
find_end(struct format_split *s, struct span text, size_t looked)
{
    switch (s->format) {
    case STREAM_JSONL:
        return end_of_line(text, looked);
    case STREAM_SSE:
        return end_of_event(text, &s->event_line);
    case STREAM_JSON:
    case STREAM_TEXT:
    case STREAM_MARKDOWN:
    case STREAM_DIFF:
    case STREAM_COUNT:
        break;
    }
    return 0;
}

static enum ag_err
hold(struct format_split *s, struct span part)
{
    enum ag_err err = buf_add(&s->held, part);
    struct span held = buf_view(&s->held);

    if (err == AG_OK &&
        (held.len > HELD_MAX_BYTES || is_surely_text(s, held))) {
        err = give_up(s);
    }
    return err;
}

/* The rest of the record that is held; *part is left with what is behind. */
static enum ag_err
feed_held(struct format_split *s, struct span *part)
{
    size_t before = s->held.len;
    size_t take = part->len < HELD_MAX_BYTES ? part->len : HELD_MAX_BYTES;
    enum ag_err err = buf_add(&s->held, span_sub(*part, 0, take));
    size_t end;

    if (err != AG_OK) {
        return err;
    }
    end = find_end(s, buf_view(&s->held), before);
    if (end == 0) {
        *part = span_sub(*part, take, part->len);
        return hold(s, span_of(NULL, 0));
    }
    *part = span_sub(*part, end - before, part->len);
    err = put(s, span_sub(buf_view(&s->held), 0, end));
    if (s->held.cap > HELD_KEPT_BYTES) {
        buf_done(&s->held);
        buf_init(&s->held, (size_t)2 * HELD_MAX_BYTES, BUF_WIPE);
    }
    buf_clear(&s->held);
    return err;
}

/* A record that began here, or its text that is passed on; *part is left with
 * what is behind. */
static enum ag_err
feed_fresh(struct format_split *s, struct span *part)
{
    size_t end = find_end(s, *part, 0);
    struct span text = *part;
    enum ag_err err;

    if (end > 0) {
        *part = span_sub(text, end, text.len);
        return put(s, span_sub(text, 0, end));
    }
    *part = span_of(NULL, 0);
    if (!s->is_text) {
        return hold(s, text);
    }
    err = records_text(s->records, text, s->offset);
    s->offset += text.len;
    s->event_line = 0;
    return err;
}

enum ag_err
format_split_feed(struct format_split *s, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        err = s->held.len > 0 ? feed_held(s, &part) : feed_fresh(s, &part);
    }
    return err;
}

enum ag_err
format_split_finish(struct format_split *s)
{
    enum ag_err err = AG_OK;

    if (s->held.len > 0) {
        err = put(s, buf_view(&s->held));
        buf_clear(&s->held);
    }
    return err;
}
