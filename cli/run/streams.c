#include "run/streams.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"

static bool
uses_pty(enum streams_wish wish)
{
    switch (wish) {
    case STREAMS_AUTO:
        return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    case STREAMS_PTY:
        return true;
    case STREAMS_PIPES:
        return false;
    }
    return false;
}

/* Both to the same place: then one stream, which keeps their order. */
static bool
err_is_out(void)
{
    struct stat out;
    struct stat err;

    return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
           out.st_dev == err.st_dev && out.st_ino == err.st_ino &&
           out.st_rdev == err.st_rdev;
}

static bool
err_joins(bool pty)
{
    return err_is_out() || (pty && isatty(STDERR_FILENO) == 1);
}

size_t
streams_count(enum streams_wish wish)
{
    return err_joins(uses_pty(wish)) ? 1 : 2;
}

/* Does the command get our own input? Not a terminal, where it could write and
 * type, nor a socket, which goes both ways. */
static bool
input_passes(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0 || S_ISSOCK(st.st_mode)) {
        return false;
    }
    return isatty(STDIN_FILENO) != 1;
}

static enum ag_err
add_pipe(struct streams *s, int dst_fd, int *ret_child_fd)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    *ret_child_fd = ends[1];
    s->out[s->out_count++] = (struct stream_pair){ends[0], dst_fd};
    return AG_OK;
}

static enum ag_err
open_input(struct streams *s)
{
    int ends[2];

    if (s->pty && isatty(STDIN_FILENO) == 1) {
        s->pty_input = true;
        return AG_OK;
    }
    if (input_passes()) {
        s->child_fd[0] = STDIN_FILENO;
        return AG_OK;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    s->child_fd[0] = ends[0];
    s->input_fd = ends[1];
    return AG_OK;
}

enum ag_err
streams_open(enum streams_wish wish, struct streams *ret)
{
    enum ag_err err = AG_OK;

    *ret = (struct streams){.pty = uses_pty(wish),
                            .master_fd = -1,
                            .child_fd = {-1, -1, -1},
                            .input_fd = -1};
    if (!ret->pty) {
        err = add_pipe(ret, STDOUT_FILENO, &ret->child_fd[1]);
    }
    if (err == AG_OK && err_joins(ret->pty)) {
        ret->child_fd[2] = ret->child_fd[1];
    } else if (err == AG_OK) {
        err = add_pipe(ret, STDERR_FILENO, &ret->child_fd[2]);
    }
    if (err == AG_OK) {
        err = open_input(ret);
    }
    if (err != AG_OK) {
        streams_done(ret);
    }
    return err;
}

void
streams_attach(struct streams *s, int master_fd)
{
    s->master_fd = master_fd;
    if (s->pty_input) {
        s->input_fd = master_fd;
    }
}

int
streams_model(void)
{
    if (isatty(STDIN_FILENO) == 1) {
        return STDIN_FILENO;
    }
    return isatty(STDOUT_FILENO) == 1 ? STDOUT_FILENO : -1;
}

/* Only what can be read and nothing else: the pipe of a shell's <(...). */
static bool
may_stay(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_PATH) == 0 &&
           (flags & O_ACCMODE) == O_RDONLY && fstat(fd, &st) == 0 &&
           S_ISFIFO(st.st_mode);
}

void
streams_hide_inherited(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (dir == NULL) {
        (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    }

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t fd = 0;

        if (parse_u64(span_str(entry->d_name), INT32_MAX, &fd) == AG_OK &&
            fd > 2 && !may_stay((int)fd)) {
            (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

void
streams_close_child(struct streams *s)
{
    for (int i = 2; i >= 0; i--) {
        bool shared = i > 0 && s->child_fd[i] == s->child_fd[i - 1];

        /* Our own 0 stays open. */
        if (!shared && s->child_fd[i] > 2) {
            fd_close(s->child_fd[i]);
        }
        s->child_fd[i] = -1;
    }
}

void
streams_close_out(struct streams *s)
{
    for (size_t i = 0; i < s->out_count; i++) {
        fd_close(s->out[i].src_fd);
        s->out[i].src_fd = -1;
    }
}

void
streams_done(struct streams *s)
{
    streams_close_child(s);
    streams_close_out(s);
    if (s->input_fd != s->master_fd) {
        fd_close(s->input_fd);
    }
    fd_close(s->master_fd);
    s->input_fd = -1;
    s->master_fd = -1;
}

struct input_want
input_wants(const struct streams *s, const struct input *in, bool foreground)
{
    bool waiting = in->at < in->len;

    return (struct input_want){.read = s->input_fd >= 0 && !waiting &&
                                       !in->ended && foreground,
                               .write = s->input_fd >= 0 && waiting};
}

/* The command is told the end of the input: a pipe by closing it. On a PTY the
 * person's ^D went through as a byte; a terminal that is gone is a hang-up. */
static void
end_input(struct streams *s, struct input *in)
{
    in->ended = true;
    if (s->input_fd != s->master_fd) {
        fd_close(s->input_fd);
        s->input_fd = -1;
    }
}

void
input_read(struct streams *s, struct input *in)
{
    ssize_t n = read(STDIN_FILENO, in->bytes, sizeof(in->bytes));

    if (n > 0) {
        in->at = 0;
        in->len = (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        end_input(s, in);
    }
}

/* The PTY's descriptor is shared with the filter and blocks: one byte at a time
 * whenever there is room can't. A pipe takes up to PIPE_BUF when it is ready. */
void
input_write(struct streams *s, struct input *in)
{
    struct pollfd p = {.fd = s->input_fd, .events = POLLOUT};
    bool pty = s->input_fd == s->master_fd;

    do {
        ssize_t n =
            write(s->input_fd, in->bytes + in->at, pty ? 1 : in->len - in->at);

        if (n < 0 && errno != EINTR) {
            in->at = in->len;
            end_input(s, in);
            return;
        }
        in->at += n > 0 ? (size_t)n : 0;
    } while (pty && in->at < in->len && poll(&p, 1, 0) == 1 &&
             (p.revents & POLLOUT) != 0);
}
