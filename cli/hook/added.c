#include "hook/added.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/parse.h"
#include "hook/unseen.h"

enum {
    OUT_BYTES = 64 * 1024,
    PARENTS_MAX_COUNT = 16, /* of a merge: git's own limit of an octopus */
    SHA1_HEX_BYTES = 40,
    SHA256_HEX_BYTES = 64,
};

enum mode {
    MODE_START, /* at the beginning of a line, or in the head of one */
    MODE_COPY,  /* in a line that counts */
    MODE_SKIP,
};

/* Lines that follow each other where they came from. */
struct stretch {
    uint64_t first; /* line of the text */
    uint64_t line;  /* where it came from */
    const char *file;
    const char *commit;
};

struct added {
    int fd;
    struct buf out; /* not written yet */
    uint64_t bytes;
    uint64_t line; /* being written */
    struct stretch *stretches;
    size_t stretch_count;
    size_t stretch_cap;
    char **names; /* what stretches point to */
    size_t name_count;
    size_t name_cap;
    const char *file; /* of the diff; NULL: none, or deleted */
    const char *commit;
    /* the diff being read */
    struct unseen unseen;
    struct buf head;
    enum mode mode;
    bool in_hunk;
    size_t columns; /* of a hunk's lines: one for each parent */
    uint64_t next_line;
    bool breaks; /* the next line that counts begins a stretch */
    bool gap;    /* and a text */
};

/* ---- memory ---- */

enum ag_err
added_new(struct added **ret)
{
    AG_AUTO(added) struct added *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        return AG_ENOMEM;
    }
    buf_init(&a->out, 2 * (size_t)OUT_BYTES, BUF_WIPE);
    buf_init(&a->head, ADDED_HEAD_MAX_BYTES, BUF_PLAIN);
    a->line = 1;
    a->fd = memfd_create("added", MFD_CLOEXEC);
    if (a->fd < 0) {
        return err_from_errno(errno);
    }
    *ret = AG_TAKE(a);
    return AG_OK;
}

void
added_free(struct added *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->name_count; i++) {
        free(a->names[i]);
    }
    free(a->names);
    free(a->stretches);
    buf_done(&a->out);
    buf_done(&a->head);
    unseen_done(&a->unseen);
    fd_close(a->fd);
    free(a);
}

/* A copy of the text that lives as long as `a` does; NULL: no memory. */
static const char *
keep(struct added *a, struct span text)
{
    char *copy;

    if (a->name_count == a->name_cap) {
        size_t cap = a->name_cap == 0 ? 16 : a->name_cap * 2;
        char **names = reallocarray(a->names, cap, sizeof(*names));

        if (names == NULL) {
            return NULL;
        }
        a->names = names;
        a->name_cap = cap;
    }
    copy =
        text.len == 0 ? strdup("") : strndup((const char *)text.ptr, text.len);
    if (copy != NULL) {
        a->names[a->name_count++] = copy;
    }
    return copy;
}

static enum ag_err
begin_stretch(struct added *a, uint64_t line)
{
    if (a->stretch_count == ADDED_STRETCHES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the change has more than %d pieces",
                       ADDED_STRETCHES_MAX_COUNT);
    }
    if (a->stretch_count == a->stretch_cap) {
        size_t cap = a->stretch_cap == 0 ? 64 : a->stretch_cap * 2;
        struct stretch *more = reallocarray(a->stretches, cap, sizeof(*more));

        if (more == NULL) {
            return AG_ENOMEM;
        }
        a->stretches = more;
        a->stretch_cap = cap;
    }
    a->stretches[a->stretch_count++] = (struct stretch){
        .first = a->line, .line = line, .file = a->file, .commit = a->commit};
    return AG_OK;
}

/* ---- the text ---- */

static enum ag_err
flush(struct added *a)
{
    enum ag_err err = fd_write_all(a->fd, buf_view(&a->out));

    buf_clear(&a->out);
    return err;
}

static enum ag_err
put(struct added *a, struct span bytes)
{
    enum ag_err err = AG_OK;

    a->bytes += bytes.len;
    if (a->bytes > ADDED_MAX_BYTES) {
        return err_why(AG_ELIMIT,
                       "more than %d MiB are added, which is too much to look "
                       "through at once",
                       ADDED_MAX_BYTES / 1024 / 1024);
    }
    while (err == AG_OK && bytes.len > 0) {
        struct span now = span_sub(bytes, 0, OUT_BYTES);

        err = buf_add(&a->out, now);
        if (err == AG_OK && a->out.len >= OUT_BYTES) {
            err = flush(a);
        }
        bytes = span_sub(bytes, now.len, bytes.len);
    }
    return err;
}

static enum ag_err
put_gap(struct added *a)
{
    uint8_t gap[ADDED_GAP_LINES];

    if (a->bytes == 0) {
        return AG_OK;
    }
    memset(gap, '\n', sizeof(gap));
    a->line += sizeof(gap);
    return put(a, span_of(gap, sizeof(gap)));
}

enum ag_err
added_text(struct added *a, const char *name, const char *commit)
{
    const char *kept_name = keep(a, span_str(name));
    const char *kept = commit == NULL ? NULL : keep(a, span_str(commit));
    enum ag_err err = put_gap(a);

    if (kept_name == NULL || (commit != NULL && kept == NULL)) {
        return AG_ENOMEM;
    }
    a->file = kept_name;
    a->commit = kept;
    return err == AG_OK ? begin_stretch(a, 1) : err;
}

enum ag_err
added_text_part(struct added *a, struct span part)
{
    for (size_t i = 0; i < part.len; i++) {
        a->line += part.ptr[i] == '\n' ? 1 : 0;
    }
    return put(a, part);
}

enum ag_err
added_fd(struct added *a, int *ret)
{
    enum ag_err err = flush(a);

    if (err == AG_OK && lseek(a->fd, 0, SEEK_SET) < 0) {
        err = err_from_errno(errno);
    }
    *ret = a->fd;
    return err;
}

bool
added_is_empty(const struct added *a)
{
    return a->bytes == 0;
}

const struct unseen *
added_unseen(const struct added *a)
{
    return &a->unseen;
}

struct origin
added_origin(const struct added *a, uint64_t line)
{
    size_t low = 0;
    size_t high = a->stretch_count;
    const struct stretch *s;

    /* The last that begins at the line or before. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (a->stretches[middle].first <= line) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (a->stretch_count == 0 || a->stretches[low].first > line) {
        return (struct origin){.file = "", .line = line};
    }
    s = &a->stretches[low];
    return (struct origin){.commit = s->commit,
                           .file = s->file,
                           .line = s->line + (line - s->first)};
}

/* ---- the lines of a diff that are not content ---- */

static bool
is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("0123456789abcdef", text.ptr[i], 16) == NULL) {
            return false;
        }
    }
    return text.len == SHA1_HEX_BYTES || text.len == SHA256_HEX_BYTES;
}

static uint8_t
unescaped(uint8_t letter)
{
    static const char FROM[] = "abtnvfr";
    static const char TO[] = "\a\b\t\n\v\f\r";
    const char *at = letter == '\0' ? NULL : strchr(FROM, letter);

    return at == NULL ? letter : (uint8_t)TO[at - FROM];
}

/* A name between quotes, as git writes what is unusual: \n, \", \303. */
static struct span
unquote(struct span quoted, uint8_t *to)
{
    size_t len = 0;

    for (size_t i = 1; i + 1 < quoted.len; i++) {
        uint8_t c = quoted.ptr[i];

        if (c != '\\') {
            to[len++] = c;
            continue;
        }
        c = quoted.ptr[++i];
        if (c >= '0' && c <= '3' && i + 3 < quoted.len) {
            to[len++] =
                (uint8_t)((c - '0') << 6 | (quoted.ptr[i + 1] & 7) << 3 |
                          (quoted.ptr[i + 2] & 7));
            i += 2;
        } else {
            to[len++] = unescaped(c);
        }
    }
    return span_of(to, len);
}

/* What stands behind "+++ ". */
static enum ag_err
take_file(struct added *a, struct span name)
{
    uint8_t *room;

    a->file = NULL;
    if (span_is(name, "/dev/null") || name.len < 2) {
        return AG_OK;
    }
    room = malloc(name.len);
    if (room == NULL) {
        return AG_ENOMEM;
    }
    if (name.ptr[name.len - 1] == '\t') {
        name.len--; /* one with blanks ends so, quoted or not */
    }
    if (name.ptr[0] == '"') {
        name = unquote(name, room);
    }
    a->file = keep(a, span_sub(name, 2, name.len)); /* behind "b/" */
    free(room);
    return a->file == NULL ? AG_ENOMEM : AG_OK;
}

/* "@@ -1,2 +3,4 @@"; with more parents "@@@ -1 -1 +2,3 @@@". */
static enum ag_err
take_hunk(struct added *a, struct span line)
{
    size_t at = 0;
    struct span from;
    size_t len = 0;

    while (at < line.len && line.ptr[at] == '@') {
        at++;
    }
    from = span_sub(line, span_find(line, '+') + 1, line.len);
    while (len < from.len && from.ptr[len] >= '0' && from.ptr[len] <= '9') {
        len++;
    }
    if (at < 2 || at > PARENTS_MAX_COUNT + 1 || a->file == NULL ||
        parse_u64(span_sub(from, 0, len), UINT32_MAX, &a->next_line) != AG_OK) {
        return a->file == NULL && at >= 2
                   ? AG_OK /* of a file that is deleted: nothing is added */
                   : err_why(AG_EINVAL, "what git wrote is no diff");
    }
    a->columns = at - 1;
    a->in_hunk = true;
    a->breaks = true;
    a->gap = true;
    return AG_OK;
}

static enum ag_err
take_line(struct added *a, struct span line)
{
    a->in_hunk = false;
    if (span_starts(line, span_str("diff "))) {
        a->file = NULL;
        return unseen_line(&a->unseen, line);
    }
    if (span_starts(line, span_str("+++ "))) {
        return take_file(a, span_sub(line, 4, line.len));
    }
    if (span_starts(line, span_str("@@"))) {
        return take_hunk(a, line);
    }
    if (is_hex(line)) {
        a->commit = keep(a, line);
        return a->commit == NULL ? AG_ENOMEM : AG_OK;
    }
    return unseen_line(&a->unseen, line);
}

/* ---- content ---- */

static bool
is_content(uint8_t first)
{
    return first == ' ' || first == '+' || first == '-' || first == '\\';
}

/* The marks of a line of a hunk are there: what becomes of it? */
static enum ag_err
begin_content(struct added *a)
{
    size_t plus_count = 0;
    bool is_new = a->head.ptr[0] != '\\';
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < a->head.len; i++) {
        plus_count += a->head.ptr[i] == '+' ? 1 : 0;
        is_new = is_new && a->head.ptr[i] != '-';
    }
    a->mode = MODE_SKIP;
    if (is_new && plus_count == a->columns) {
        a->mode = MODE_COPY;
        if (a->gap) {
            err = put_gap(a);
        }
        if (err == AG_OK && a->breaks) {
            err = begin_stretch(a, a->next_line);
        }
        a->gap = false;
        a->breaks = false;
    } else if (is_new) {
        a->breaks = true;
    }
    a->next_line += is_new ? 1 : 0;
    buf_clear(&a->head);
    return err;
}

/* One byte of a line's head. */
static enum ag_err
take_head(struct added *a, uint8_t byte)
{
    struct span line = buf_view(&a->head);
    enum ag_err err;

    if (byte == '\n') {
        err = line.len == 0 ? AG_OK : take_line(a, line);
        buf_clear(&a->head);
        return err;
    }
    err = buf_add_byte(&a->head, byte);
    if (err == AG_OK && a->in_hunk && is_content(a->head.ptr[0]) &&
        (a->head.len == a->columns || a->head.ptr[0] == '\\')) {
        err = begin_content(a);
    }
    return err;
}

enum ag_err
added_diff(void *added, struct span part)
{
    struct added *a = added;
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        size_t len = 1;

        if (a->mode == MODE_START) {
            err = take_head(a, part.ptr[0]);
        } else {
            bool ends;

            len = span_find(part, '\n');
            ends = len < part.len;
            len += ends ? 1 : 0;
            if (a->mode == MODE_COPY) {
                err = put(a, span_sub(part, 0, len));
                a->line += ends ? 1 : 0;
            }
            a->mode = ends ? MODE_START : a->mode;
        }
        part = span_sub(part, len, part.len);
    }
    return err;
}

enum ag_err
added_diff_end(struct added *a)
{
    bool cut = a->mode == MODE_COPY;

    a->mode = MODE_START;
    a->in_hunk = false;
    buf_clear(&a->head);
    if (cut) {
        a->line++;
        return put(a, span_str("\n"));
    }
    return AG_OK;
}
