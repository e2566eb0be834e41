/* What is said of a stream that has ended. */
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "handover/message.h"
#include "handover/stream.h"
#include "privsep/filter.h"
#include "wire/emit.h"

enum {
    PART_MAX_BYTES = 3 * 1024, /* counts, and rows: both and a head in 8 KiB */
};

static const char NO_NAME[] = "-";

/* Has an earlier row of the report this name too? */
static bool
seen_before(const struct filter_report *report, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(report->counts[i].name, report->counts[at].name) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t
sum_of_name(const struct filter_report *report, size_t at)
{
    uint64_t sum = 0;

    for (size_t i = at; i < report->count_count; i++) {
        if (strcmp(report->counts[i].name, report->counts[at].name) == 0) {
            sum += report->counts[i].count;
        }
    }
    return sum;
}

/* Is there a hit without a row? */
static bool
has_rest(const struct filter_report *report)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < report->count_count; i++) {
        sum += report->counts[i].count;
    }
    return sum < report->hits;
}

/* {NAME: n, …} with as many as fit. */
static enum ag_err
put_counts(struct buf *out, const struct filter_report *report,
           bool *ret_truncated)
{
    struct emit e;

    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    for (size_t i = 0; i < report->count_count; i++) {
        if (out->len > PART_MAX_BYTES) {
            *ret_truncated = true;
            break;
        }
        if (!seen_before(report, i)) {
            emit_int(&e, report->counts[i].name,
                     (int64_t)sum_of_name(report, i));
        }
    }
    emit_close(&e, '}');
    return emit_end(&e);
}

static enum ag_err
put_rows(struct buf *out, const struct filter_report *report,
         bool *ret_truncated)
{
    struct emit e;

    emit_start(&e, out);
    emit_open(&e, NULL, '[');
    for (size_t i = 0; i < report->count_count; i++) {
        const struct filter_count *row = &report->counts[i];

        if (out->len > PART_MAX_BYTES) {
            *ret_truncated = true;
            break;
        }
        emit_open(&e, NULL, '{');
        emit_str(&e, "name", row->name);
        emit_str(&e, "form", row->form);
        emit_int(&e, "count", (int64_t)row->count);
        emit_int(&e, "offset", (int64_t)row->first_offset);
        emit_close(&e, '}');
    }
    emit_close(&e, ']');
    return emit_end(&e);
}

/* The row that this one is told with; one of its own where there is none. */
static struct filter_count *
nameless(struct filter_count *rows, size_t *count,
         const struct filter_count *row)
{
    const char *name = filter_is_rule(row) ? row->name : NO_NAME;
    size_t i = 0;

    while (i < *count && (strcmp(rows[i].name, name) != 0 ||
                          strcmp(rows[i].form, row->form) != 0)) {
        i++;
    }
    if (i == *count) {
        rows[(*count)++] = (struct filter_count){
            .id = row->id,
            .name = name,
            .form = row->form,
            .first_offset = row->first_offset,
        };
    }
    return &rows[i];
}

enum ag_err
stream_put_report_of_task(struct buf *out, uint64_t number,
                          const struct filter_report *report)
{
    struct filter_count rows[FILTER_COUNTS_MAX_COUNT];
    struct filter_report told = *report;

    told.counts = rows;
    told.count_count = 0;
    for (size_t i = 0; i < report->count_count; i++) {
        const struct filter_count *row = &report->counts[i];
        struct filter_count *to = nameless(rows, &told.count_count, row);

        to->count += row->count;
        if (row->first_offset < to->first_offset) {
            to->first_offset = row->first_offset;
        }
    }
    return stream_put_report(out, number, &told);
}

enum ag_err
stream_put_report(struct buf *out, uint64_t number,
                  const struct filter_report *report)
{
    AG_AUTO(buf) struct buf counts = {0};
    AG_AUTO(buf) struct buf rows = {0};
    bool truncated = has_rest(report);
    struct emit e;
    enum ag_err err;

    buf_init(&counts, MESSAGE_MAX_BYTES, BUF_PLAIN);
    buf_init(&rows, MESSAGE_MAX_BYTES, BUF_PLAIN);
    err = put_counts(&counts, report, &truncated);
    if (err == AG_OK) {
        err = put_rows(&rows, report, &truncated);
    }
    if (err != AG_OK) {
        return err;
    }
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "event", "stream_end");
    emit_int(&e, "stream", (int64_t)number);
    emit_str(&e, "code",
             report->result == AG_OK ? NULL : err_code(report->result));
    emit_int(&e, "hits", (int64_t)report->hits);
    emit_int(&e, "bytes_in", (int64_t)report->bytes_in);
    emit_int(&e, "bytes_out", (int64_t)report->bytes_out);
    emit_raw(&e, "counts", buf_view(&counts));
    emit_raw(&e, "found", buf_view(&rows));
    if (truncated) {
        emit_bool(&e, "truncated", true);
    }
    emit_close(&e, '}');
    return emit_end(&e);
}

json_t *
stream_counts(const struct filter_report *report)
{
    json_t *counts = json_object();

    for (size_t i = 0; counts != NULL && i < report->count_count; i++) {
        if (!seen_before(report, i) &&
            json_object_set_new(
                counts, report->counts[i].name,
                json_integer((json_int_t)sum_of_name(report, i))) != 0) {
            json_decref(counts);
            counts = NULL;
        }
    }
    return counts;
}

void
stream_counts_add(json_t *counts, const json_t *more)
{
    const char *name = NULL;
    json_t *count = NULL;

    json_object_foreach((json_t *)(uintptr_t)more, name, count)
    {
        json_int_t sum = json_integer_value(json_object_get(counts, name)) +
                         json_integer_value(count);

        (void)json_object_set_new(counts, name, json_integer(sum));
    }
}
