#include "transcript/values.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "transcript/changes.h"

#define BORDER "\n\x1e\n"

enum {
    MARK = 0x1e,
    TEXTS_MAX_BYTES = VALUE_MAX_BYTES + VALUES_PASS_BYTES + 64 * 1024,
};

/* A text of the pass that is being gathered. */
struct record {
    struct column *column;
    size_t at; /* in `texts` */
    size_t len;
};

struct values {
    struct columns columns;
    struct changes *changes;
    int64_t hits;
    json_t *counts;

    struct passage *passage;
    const char *name;
    struct buf texts; /* with BORDER between them */
    size_t record_count;
    struct record records[VALUES_PASS_COUNT];
};

enum ag_err
values_new(struct values **ret)
{
    AG_AUTO(values) struct values *v = calloc(1, sizeof(*v));

    if (v == NULL) {
        return AG_ENOMEM;
    }
    STAILQ_INIT(&v->columns.list);
    STAILQ_INIT(&v->columns.indexes);
    buf_init(&v->texts, TEXTS_MAX_BYTES, BUF_WIPE);
    v->counts = json_object();
    if (v->counts == NULL || changes_new(&v->changes) != AG_OK) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(v);
    return AG_OK;
}

void
values_free(struct values *v)
{
    if (v == NULL) {
        return;
    }
    changes_free(v->changes);
    columns_done(&v->columns);
    buf_done(&v->texts);
    json_decref(v->counts);
    free(v);
}

int64_t
values_hits(const struct values *v)
{
    return v->hits;
}

json_t *
values_counts(const struct values *v)
{
    return v->counts;
}

/* ---- one pass ---- */

static struct span
old_text(const struct values *v, const struct record *record)
{
    return span_sub(buf_view(&v->texts), record->at, record->len);
}

/* The next text of `out`, up to a whole border, which is taken off too. False:
 * there is a border that is not whole. */
static bool
next_text(struct span *out, struct span *ret)
{
    size_t mark = span_find(*out, MARK);

    *ret = *out;
    if (mark == out->len) {
        *out = span_of(NULL, 0);
        return true;
    }
    if (mark == 0 || out->ptr[mark - 1] != '\n' || mark + 1 == out->len ||
        out->ptr[mark + 1] != '\n') {
        return false;
    }
    ret->len = mark - 1;
    *out = span_sub(*out, mark + 2, out->len);
    return true;
}

/* As many texts as went in? */
static bool
is_whole(struct span out, size_t count)
{
    struct span text;
    size_t found = 0;

    while (out.len > 0) {
        if (!next_text(&out, &text)) {
            return false;
        }
        found++;
    }
    return found == count;
}

static enum ag_err
note_range(struct values *v, size_t from, size_t to, struct span out)
{
    enum ag_err err = AG_OK;

    for (size_t i = from; err == AG_OK && i < to; i++) {
        const struct record *record = &v->records[i];
        struct span old = old_text(v, record);
        struct span text = out;

        if (to - from > 1) {
            AG_ASSERT(next_text(&out, &text));
        }
        if (!span_equal(old, text)) {
            record->column->changes = true;
            err = changes_add(v->changes, old, text);
        }
    }
    return err;
}

static enum ag_err
add_counts(struct values *v, const json_t *report)
{
    const char *name;
    const json_t *count;

    v->hits += json_integer_value(json_object_get(report, "hits"));
    json_object_foreach(json_object_get(report, "counts"), name, count)
    {
        json_int_t sum = json_integer_value(json_object_get(v->counts, name)) +
                         json_integer_value(count);

        if (json_object_set_new(v->counts, name, json_integer(sum)) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

static enum ag_err run_range(struct values *v, size_t from, size_t to);

/* What came out for these records; in halves, if they can't be told apart. */
static enum ag_err
take_range(struct values *v, size_t from, size_t to, struct span out,
           const json_t *report)
{
    size_t middle = from + (to - from) / 2;
    enum ag_err err;

    if (to - from == 1 || is_whole(out, to - from)) {
        err = add_counts(v, report);
        return err == AG_OK ? note_range(v, from, to, out) : err;
    }
    err = run_range(v, from, middle);
    return err == AG_OK ? run_range(v, middle, to) : err;
}

static enum ag_err
take_output(struct values *v, size_t from, size_t to, int fd,
            const json_t *report)
{
    struct stat st;
    void *map;
    size_t len;
    enum ag_err err;

    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    len = (size_t)st.st_size;
    if (len == 0) {
        return take_range(v, from, to, span_of(NULL, 0), report);
    }
    map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return err_from_errno(errno);
    }
    err = take_range(v, from, to, span_of(map, len), report);
    (void)munmap(map, len);
    return err;
}

/* Text in memory as a file, at its beginning. */
static enum ag_err
spool(struct span text, int *ret_fd)
{
    AG_AUTO(fd) int fd = memfd_create("texts", MFD_CLOEXEC);
    enum ag_err err = fd < 0 ? err_from_errno(errno) : fd_write_all(fd, text);

    if (err == AG_OK && lseek(fd, 0, SEEK_SET) != 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        *ret_fd = FD_TAKE(fd);
    }
    return err;
}

static enum ag_err
run_range(struct values *v, size_t from, size_t to)
{
    const struct record *last = &v->records[to - 1];
    size_t at = v->records[from].at;
    struct span text =
        span_sub(buf_view(&v->texts), at, last->at + last->len - at);
    AG_AUTO(fd) int in = -1;
    AG_AUTO(fd) int out = -1;
    json_auto_t *report = NULL;
    enum ag_err err = spool(text, &in);

    if (err == AG_OK) {
        err = spool(span_of(NULL, 0), &out);
    }
    if (err == AG_OK) {
        err = passage_run(v->passage, v->name, in, out, &report);
    }
    if (err != AG_OK ||
        json_integer_value(json_object_get(report, "hits")) == 0) {
        return err;
    }
    return take_output(v, from, to, out, report);
}

static enum ag_err
flush(struct values *v)
{
    enum ag_err err =
        v->record_count == 0 ? AG_OK : run_range(v, 0, v->record_count);

    v->record_count = 0;
    buf_clear(&v->texts);
    return err;
}

/* ---- gathering ---- */

static enum ag_err
append(struct values *v, struct column *column, struct span text)
{
    enum ag_err err =
        v->record_count == 0 ? AG_OK : buf_add_str(&v->texts, BORDER);

    if (err == AG_OK) {
        v->records[v->record_count] = (struct record){
            .column = column, .at = v->texts.len, .len = text.len};
        err = buf_add(&v->texts, text);
    }
    v->record_count += err == AG_OK ? 1 : 0;
    return err;
}

static enum ag_err
add_text(struct values *v, struct column *column, struct span text)
{
    bool alone = span_find(text, MARK) < text.len;
    enum ag_err err = AG_OK;

    if (text.len < VALUE_MIN_BYTES) {
        return AG_OK;
    }
    if (text.len > VALUE_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a text in %s is longer than 256 MiB",
                       column->table);
    }
    if (alone || v->record_count == VALUES_PASS_COUNT ||
        v->texts.len + text.len > VALUES_PASS_BYTES) {
        err = flush(v);
    }
    if (err == AG_OK) {
        err = append(v, column, text);
    }
    return err == AG_OK && alone ? flush(v) : err;
}

static enum ag_err
add_column_texts(struct values *v, sqlite3 *db, struct column *column)
{
    sqlite3_stmt *st = NULL;
    enum ag_err err = sqlite_prepare(db, "SELECT \"%w\" FROM \"%w\"",
                                     column->name, column->table, &st);
    int code = SQLITE_OK;

    while (err == AG_OK && (code = sqlite.step(st)) == SQLITE_ROW) {
        err = add_text(v, column, sqlite_column(st, 0));
    }
    if (err != AG_OK) {
        (void)sqlite.finalize(st);
        return err;
    }
    return sqlite_finish(st, code, "reading it");
}

enum ag_err
values_pass(struct values *v, sqlite3 *db, struct passage *passage,
            const char *name)
{
    struct column *column;
    enum ag_err err = columns_find(db, &v->columns);

    v->passage = passage;
    v->name = name;
    STAILQ_FOREACH(column, &v->columns.list, link)
    {
        if (err == AG_OK) {
            err = add_column_texts(v, db, column);
        }
    }
    return err == AG_OK ? flush(v) : err;
}

enum ag_err
values_apply(struct values *v, sqlite3 *db)
{
    return changes_apply(v->changes, db, &v->columns);
}
