#include "redact/format.h"

#include <stdlib.h>
#include <string.h>

#include "redact/format_lines.h"
#include "redact/format_split.h"
#include "redact/records.h"

static const char *const NAMES[STREAM_COUNT] = {
    [STREAM_TEXT] = "text",         [STREAM_JSONL] = "jsonl",
    [STREAM_JSON] = "json",         [STREAM_SSE] = "sse",
    [STREAM_MARKDOWN] = "markdown", [STREAM_DIFF] = "diff",
};

struct format_filter {
    struct sink next;
    char *marker;               /* of the terms; NULL: the default */
    struct records *records;    /* jsonl, json, sse */
    struct format_split *split; /* before the records */
    struct format_lines *lines; /* markdown, diff */
};

const char *
format_name(enum format format)
{
    return NAMES[format];
}

static enum ag_err
new_parts(enum format format, const struct scrub_terms *terms,
          struct format_filter *f)
{
    enum ag_err err = AG_OK;

    switch (format) {
    case STREAM_MARKDOWN:
    case STREAM_DIFF:
        return format_lines_new(format, terms, &f->next, &f->lines);
    case STREAM_JSONL:
    case STREAM_JSON:
    case STREAM_SSE:
        err = records_new(terms, &f->next, &f->records);
        return err == AG_OK ? format_split_new(format, f->records, &f->split)
                            : err;
    case STREAM_TEXT:
    case STREAM_COUNT:
        break;
    }
    return AG_EINVAL;
}

enum ag_err
format_new(enum format format, const struct scrub_terms *terms,
           const struct sink *next, struct format_filter **ret)
{
    AG_AUTO(format_filter) struct format_filter *f = calloc(1, sizeof(*f));
    struct scrub_terms own = *terms;
    enum ag_err err;

    if (f == NULL) {
        return AG_ENOMEM;
    }
    f->next = *next;
    if (own.options.marker != NULL) {
        f->marker = strdup(own.options.marker);
        own.options.marker = f->marker;
        if (f->marker == NULL) {
            return AG_ENOMEM;
        }
    }
    err = new_parts(format, &own, f);
    if (err == AG_OK) {
        *ret = AG_TAKE(f);
    }
    return err;
}

void
format_free(struct format_filter *f)
{
    if (f == NULL) {
        return;
    }
    format_split_free(f->split);
    records_free(f->records);
    format_lines_free(f->lines);
    free(f->marker);
    free(f);
}

enum ag_err
format_use(struct format_filter *f, const struct matcher *set)
{
    return f->records != NULL ? records_use(f->records, set)
                              : format_lines_use(f->lines, set);
}

enum ag_err
format_feed(struct format_filter *f, struct span part)
{
    return f->split != NULL ? format_split_feed(f->split, part)
                            : format_lines_feed(f->lines, part);
}

enum ag_err
format_settle(struct format_filter *f)
{
    return f->records != NULL ? records_settle(f->records)
                              : format_lines_settle(f->lines);
}

enum ag_err
format_idle(struct format_filter *f)
{
    return f->records != NULL ? records_idle(f->records)
                              : format_lines_idle(f->lines);
}

enum ag_err
format_finish(struct format_filter *f)
{
    enum ag_err err;

    if (f->split == NULL) {
        return format_lines_finish(f->lines);
    }
    err = format_split_finish(f->split);
    if (err == AG_OK) {
        err = records_finish(f->records);
    }
    return err == AG_OK ? sink_finish(&f->next) : err;
}

bool
format_is_holding(const struct format_filter *f)
{
    return f->records != NULL ? records_is_holding(f->records)
                              : format_lines_is_holding(f->lines);
}
