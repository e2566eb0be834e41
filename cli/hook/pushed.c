#include "hook/pushed.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "hook/added.h"
#include "hook/git.h"

enum {
    OID_MAX_BYTES = 64,
    OID_MIN_BYTES = 40,
    REMOTE_MAX_BYTES = 512,
    COMMITS_MAX_BYTES = PUSHED_COMMITS_MAX_COUNT * (OID_MIN_BYTES + 1),
};

static bool
is_oid(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("0123456789abcdef", text.ptr[i], 16) == NULL) {
            return false;
        }
    }
    return text.len == OID_MIN_BYTES || text.len == OID_MAX_BYTES;
}

/* Of a ref that is not there. */
static bool
is_zero(struct span oid)
{
    for (size_t i = 0; i < oid.len; i++) {
        if (oid.ptr[i] != '0') {
            return false;
        }
    }
    return true;
}

/* Takes the last word off the line. */
static struct span
last_word(struct span *line)
{
    size_t at = line->len;
    struct span word;

    while (at > 0 && line->ptr[at - 1] != ' ') {
        at--;
    }
    word = span_sub(*line, at, line->len);
    line->len = at > 0 ? at - 1 : 0;
    return word;
}

enum ag_err
pushed_line(struct span line, struct buf *out)
{
    struct span remote_oid = last_word(&line);
    struct span remote_ref = last_word(&line);
    struct span local_oid = last_word(&line);
    enum ag_err err = AG_OK;

    if (!is_oid(remote_oid) || !is_oid(local_oid) || remote_ref.len == 0) {
        return err_why(AG_EINVAL, "git told the hook nothing it could push");
    }
    if (is_zero(local_oid)) {
        return AG_OK;
    }
    err =
        buf_fmt(out, "%.*s\n", (int)local_oid.len, (const char *)local_oid.ptr);
    if (err == AG_OK && !is_zero(remote_oid)) {
        err = buf_fmt(out, "^%.*s\n", (int)remote_oid.len,
                      (const char *)remote_oid.ptr);
    }
    return err;
}

static enum ag_err
read_refs(int fd, struct buf *out)
{
    AG_AUTO(buf) struct buf text;
    struct span rest;
    ssize_t n = 1;
    enum ag_err err = AG_OK;

    buf_init(&text, PUSHED_REFS_MAX_BYTES, BUF_PLAIN);
    while (err == AG_OK && n != 0) {
        uint8_t *room = NULL;

        err = buf_room(&text, 4096, &room);
        n = err == AG_OK ? read(fd, room, 4096) : 0;
        if (n < 0 && errno != EINTR) {
            err = err_from_errno(errno);
        }
        buf_grew(&text, n > 0 ? (size_t)n : 0);
    }
    rest = buf_view(&text);
    while (err == AG_OK && rest.len > 0) {
        size_t len = span_find(rest, '\n');

        err = pushed_line(span_sub(rest, 0, len), out);
        rest = span_sub(rest, len + 1, rest.len);
    }
    return err;
}

/* A text that git is to read. */
static enum ag_err
as_file(const struct buf *text, int *ret)
{
    AG_AUTO(fd) int fd = memfd_create("words", MFD_CLOEXEC);
    enum ag_err err;

    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_write_all(fd, buf_view(text));
    if (err == AG_OK && lseek(fd, 0, SEEK_SET) < 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        *ret = FD_TAKE(fd);
    }
    return err;
}

/* The commits that the remote, as far as is known here, does not have. Of one
 * that has no name here nothing is known but the refs it told: what others have
 * is new to it. */
static enum ag_err
new_commits(const struct buf *refs, const char *remote, const char *address,
            struct buf *out)
{
    AG_AUTO(fd) int in = -1;
    bool is_named = strcmp(remote, address) != 0;
    char remotes[REMOTE_MAX_BYTES] = "";
    const char *const words[] = {"rev-list", "--ignore-missing",
                                 "--stdin",  is_named ? "--not" : NULL,
                                 remotes,    NULL};
    struct git_call call = {.words = words};
    enum ag_err err = as_file(refs, &in);

    if (err == AG_OK && is_named &&
        snprintf(remotes, sizeof(remotes), "--remotes=%s", remote) >=
            (int)sizeof(remotes)) {
        return err_why(AG_ELIMIT, "the name of the remote is too long");
    }
    call.stdin_fd = in;
    if (err == AG_OK) {
        err = git_answer(&call, out);
    }
    if (err == AG_ELIMIT) {
        err = err_why(AG_ELIMIT, "more than %d commits; push them in pieces",
                      PUSHED_COMMITS_MAX_COUNT);
    }
    return err == AG_OK && out->len > 0 ? buf_add_byte(out, '\n') : err;
}

/* ---- messages: "OID\nTEXT", a NUL behind each but the last ---- */

struct messages {
    struct added *to;
    char oid[OID_MAX_BYTES + 1];
    size_t oid_len;
    bool in_text;
};

static enum ag_err
take_oid(struct messages *m, uint8_t byte)
{
    if (byte == '\n') {
        m->oid[m->oid_len] = '\0';
        m->in_text = true;
        return added_text(m->to, "its message", m->oid);
    }
    if (m->oid_len == OID_MAX_BYTES) {
        return err_why(AG_EINVAL, "git told no commit");
    }
    m->oid[m->oid_len++] = (char)byte;
    return AG_OK;
}

static enum ag_err
take_messages(void *ctx, struct span part)
{
    struct messages *m = ctx;
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        size_t len = 1;

        if (!m->in_text) {
            err = take_oid(m, part.ptr[0]);
        } else {
            len = span_find(part, '\0');
            err = added_text_part(m->to, span_sub(part, 0, len));
            if (len < part.len) {
                m->in_text = false;
                m->oid_len = 0;
                len++;
            }
        }
        part = span_sub(part, len, part.len);
    }
    return err;
}

static enum ag_err
gather_messages(int commits, struct added *to)
{
    static const char *const words[] = {"-c",
                                        "log.showSignature=false",
                                        "log",
                                        "-z",
                                        "--no-walk=unsorted",
                                        "--stdin",
                                        "--no-patch",
                                        "--no-color",
                                        "--no-notes",
                                        "--encoding=UTF-8",
                                        "--format=%H%n%B",
                                        NULL};
    struct messages m = {.to = to};
    const struct git_call call = {.words = words, .stdin_fd = commits};

    return git_run(&call, take_messages, &m);
}

static enum ag_err
gather_diffs(int commits, struct added *to)
{
    static const char *const words[] = {
        PUSHED_DIFF_CONFIG,  "diff-tree", "--stdin", "--root", "--cc",
        PUSHED_DIFF_OPTIONS, NULL};
    const struct git_call call = {.words = words, .stdin_fd = commits};
    enum ag_err err = git_run(&call, added_diff, to);

    return err == AG_OK ? added_diff_end(to) : err;
}

enum ag_err
pushed_gather(int refs_fd, const char *remote, const char *address,
              struct added *to)
{
    AG_AUTO(buf) struct buf refs;
    AG_AUTO(buf) struct buf commits;
    AG_AUTO(fd) int in = -1;
    enum ag_err err;

    buf_init(&refs, PUSHED_REFS_MAX_BYTES, BUF_PLAIN);
    buf_init(&commits, COMMITS_MAX_BYTES, BUF_PLAIN);
    err = read_refs(refs_fd, &refs);
    if (err == AG_OK && refs.len > 0) {
        err = new_commits(&refs, remote, address, &commits);
    }
    if (err != AG_OK || commits.len == 0) {
        return err;
    }
    err = as_file(&commits, &in);
    if (err == AG_OK) {
        err = gather_diffs(in, to);
    }
    if (err == AG_OK && lseek(in, 0, SEEK_SET) < 0) {
        err = err_from_errno(errno);
    }
    return err == AG_OK ? gather_messages(in, to) : err;
}
