#include "transcript/inplace.h"

#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "transcript/treat.h"
#include "transcript/walk.h"

enum {
    COUNTS_TEXT_MAX_BYTES = 4096,
};

void
inplace_done(struct inplace *p)
{
    keep_done(&p->keep);
    json_decref(p->files);
    p->files = NULL;
}

static const char *
state_word(enum treat_state state)
{
    switch (state) {
    case TREAT_CLEAN:
        return "clean";
    case TREAT_FOUND:
        return "found";
    case TREAT_CHANGED:
        return "changed";
    case TREAT_LEFT:
        return "left";
    case TREAT_BINARY:
        return "binary";
    }
    return "";
}

/* "web/key 2, rule:jwt 1". */
static void
counts_text(const json_t *counts, struct buf *out)
{
    const char *name = NULL;
    json_t *count = NULL;

    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        if (buf_fmt(out, "%s%s %lld", out->len > 0 ? ", " : "", name,
                    (long long)json_integer_value(count)) != AG_OK) {
            break; /* the report has them all */
        }
    }
}

static void
print(const struct inplace *p, const char *path, const struct treat_result *r)
{
    const struct out *out = &p->cli->out;
    AG_AUTO(buf) struct buf names = {0};

    if (out->json || r->state == TREAT_CLEAN || r->state == TREAT_BINARY) {
        return;
    }
    buf_init(&names, COUNTS_TEXT_MAX_BYTES, BUF_PLAIN);
    counts_text(r->counts, &names);
    if (r->state == TREAT_LEFT) {
        out_line(out, OUT_BAD, "left     %s: %s", path, r->why);
        return;
    }
    out_line(out, r->state == TREAT_FOUND ? OUT_WARN : OUT_GOOD,
             "%-8s %s: %s%s%s", state_word(r->state), path,
             buf_cstr(&names) == NULL ? "" : buf_cstr(&names),
             r->err == AG_OK ? "" : "; ", r->err == AG_OK ? "" : r->why);
    if (r->not_wiped) {
        out_line(out, OUT_WARN,
                 "         its old content could not be overwritten");
    }
}

/* The one line of a program that follows, or a row of the report. */
static enum ag_err
add_row(struct inplace *p, const char *path, const struct treat_result *r)
{
    json_t *row;

    if (r->state == TREAT_CLEAN || r->state == TREAT_BINARY) {
        return AG_OK;
    }
    row = json_pack("{s:s,s:I,s:O*}", "state", state_word(r->state), "hits",
                    (json_int_t)r->hits, "counts", r->counts);
    if (row == NULL) {
        return AG_ENOMEM;
    }
    /* A path that is not UTF-8 is left out of its row. */
    (void)json_object_set_new(row, "file", json_string(path));
    if (r->err != AG_OK) {
        (void)json_object_set_new(row, "code", json_string(err_code(r->err)));
        (void)json_object_set_new(row, "why", json_string(r->why));
    }
    if (r->state == TREAT_CHANGED) {
        (void)json_object_set_new(row, "wiped", json_boolean(!r->not_wiped));
    }
    if (p->follows) {
        enum ag_err err =
            p->cli->out.json ? out_json(&p->cli->out, row) : AG_OK;

        json_decref(row);
        return err == AG_OK ? out_flush() : err;
    }
    return json_array_append_new(p->files, row) == 0 ? AG_OK : AG_ENOMEM;
}

/* Will it be met again, or never? */
static bool
is_no_news(struct inplace *p, const struct treat_result *r)
{
    if (!p->follows || r->state != TREAT_LEFT) {
        return false;
    }
    p->again = r->err == AG_EBUSY || r->err == AG_ECHANGED;
    return p->again || r->err == AG_ENOTFOUND;
}

static void
count(struct inplace *p, const struct treat_result *r)
{
    p->checked_count++;
    p->hits += r->hits;
    switch (r->state) {
    case TREAT_CLEAN:
        break;
    case TREAT_FOUND:
        p->found_count++;
        break;
    case TREAT_CHANGED:
        p->changed_count++;
        p->caveat = r->caveat != NULL ? r->caveat : p->caveat;
        break;
    case TREAT_LEFT:
        p->left_count++;
        p->left_err = p->left_err == AG_OK ? r->err : p->left_err;
        break;
    case TREAT_BINARY:
        p->binary_count++;
        break;
    }
}

enum ag_err
inplace_file(void *arg, int dir_fd, const char *name, const char *path)
{
    struct inplace *p = arg;
    const struct treat t = {
        .passage = p->passage, .keep = &p->keep, .look_only = p->dry_run};
    AG_AUTO(treat_result) struct treat_result r = {.counts = NULL};
    enum ag_err err = treat_file(&t, dir_fd, name, path, &r);

    p->again = false;
    if (err == AG_OK && !is_no_news(p, &r)) {
        count(p, &r);
        print(p, path, &r);
        err = add_row(p, path, &r);
    }
    return err;
}

enum ag_err
inplace_begin(struct inplace *p)
{
    if (p->files != NULL) {
        return AG_OK;
    }
    /* Who opens a file that is held is no reason to end: swap.h. */
    (void)signal(SIGIO, SIG_IGN);
    p->keep.cli = p->cli;
    p->files = json_array();
    return p->files == NULL ? AG_ENOMEM : AG_OK;
}

enum ag_err
inplace_path(struct inplace *p, const char *path)
{
    struct walk w = {.each = inplace_file, .arg = p, .look_only = p->dry_run};
    enum ag_err err = inplace_begin(p);

    if (err == AG_OK) {
        err = walk_path(&w, path);
    }
    p->swept_count += (int64_t)w.swept_count;
    p->unreadable_count += (int64_t)w.unreadable_count;
    return err;
}

json_t *
inplace_report(const struct inplace *p)
{
    return json_pack(
        "{s:O,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "files", p->files,
        "checked", (json_int_t)p->checked_count, "changed",
        (json_int_t)p->changed_count, "found", (json_int_t)p->found_count,
        "left", (json_int_t)p->left_count, "binary",
        (json_int_t)p->binary_count, "unreadable",
        (json_int_t)p->unreadable_count, "swept", (json_int_t)p->swept_count,
        "hits", (json_int_t)p->hits, "dry_run", (int)p->dry_run);
}

static void
say_end(const struct inplace *p)
{
    const struct out *out = &p->cli->out;

    if (p->swept_count > 0) {
        out_say(out, "%lld file%s that an earlier run left %s taken away",
                (long long)p->swept_count, p->swept_count == 1 ? "" : "s",
                p->swept_count == 1 ? "was" : "were");
    }
    if (p->unreadable_count > 0) {
        out_say(out, "%lld director%s could not be read",
                (long long)p->unreadable_count,
                p->unreadable_count == 1 ? "y" : "ies");
    }
    if (p->changed_count > 0 && p->caveat != NULL) {
        out_warn(out, "%s", p->caveat);
    }
    out_say(out, "%lld file%s looked through, %lld %s, %lld left",
            (long long)(p->checked_count - p->binary_count),
            p->checked_count - p->binary_count == 1 ? "" : "s",
            (long long)(p->dry_run ? p->found_count : p->changed_count),
            p->dry_run ? "would be changed" : "changed",
            (long long)p->left_count);
}

enum ag_err
inplace_tell(const struct inplace *p)
{
    json_auto_t *report = NULL;

    if (!p->cli->out.json) {
        say_end(p);
        return AG_OK;
    }
    report = inplace_report(p);
    return report == NULL ? AG_ENOMEM : out_json(&p->cli->out, report);
}

enum ag_err
inplace_end(struct inplace *p)
{
    enum ag_err err = inplace_tell(p);

    if (err != AG_OK) {
        return err;
    }
    if (p->dry_run && p->found_count > 0) {
        p->cli->exit_code = err_exit(AG_EFOUND); /* an answer, as scan's is */
        return AG_OK;
    }
    return p->left_count == 0
               ? AG_OK
               : err_why(p->left_err, "%lld file%s left as %s",
                         (long long)p->left_count,
                         p->left_count == 1 ? " was" : "s were",
                         p->left_count == 1 ? "it is" : "they are");
}
