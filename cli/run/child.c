#include "run/child.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads to the end of the pipe; -1 with errno. */
static ssize_t
read_value(int fd, char *to, size_t cap)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = len < cap ? read(fd, to + len, cap - len) : -1;

        if (n == 0) {
            return (ssize_t)len;
        }
        if (n < 0 && len == cap) {
            errno = E2BIG;
            return -1;
        }
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        len += n > 0 ? (size_t)n : 0;
    }
}

/* "NAME=value" into `to`; returns what it took, or -1 with errno. */
static ssize_t
put_value(const struct child_value *value, char *to, size_t cap)
{
    size_t name_len = strlen(value->name);
    ssize_t n;

    if (name_len + 2 > cap) {
        errno = E2BIG;
        return -1;
    }
    memcpy(to, value->name, name_len);
    to[name_len] = '=';
    n = read_value(value->pipe_fd, to + name_len + 1, cap - name_len - 2);
    if (n < 0) {
        return -1;
    }
    /* An empty pipe: whoever should have written has died. */
    if (n == 0 || memchr(to + name_len + 1, 0, (size_t)n) != NULL) {
        errno = EILSEQ;
        return -1;
    }
    to[name_len + 1 + (size_t)n] = '\0';
    return (ssize_t)name_len + 2 + n;
}

static int
fill_env(const struct child_spec *spec)
{
    size_t cap = spec->value_count * CHILD_VALUE_MAX_BYTES;
    char *block;
    size_t used = 0;

    if (spec->value_count == 0) {
        return 0;
    }
    block = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    if (block == MAP_FAILED) {
        return errno;
    }
    (void)madvise(block, cap, MADV_DONTDUMP);
    for (size_t i = 0; i < spec->value_count; i++) {
        size_t left = cap - used < CHILD_VALUE_MAX_BYTES
                          ? cap - used
                          : CHILD_VALUE_MAX_BYTES;
        ssize_t n = put_value(&spec->values[i], block + used, left);

        if (n < 0) {
            int failed = errno;

            explicit_bzero(block, cap);
            return failed;
        }
        spec->env[spec->values[i].slot] = block + used;
        used += (size_t)n;
    }
    return 0;
}

static int
set_stdio(const struct child_spec *spec)
{
    int fds[3];

    /* Out of the way first: one of them may be the other's number. */
    for (int i = 0; i < 3; i++) {
        fds[i] = spec->stdio[i];
        while (fds[i] >= 0 && fds[i] < 3 && fds[i] != i) {
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        }
    }
    for (int i = 0; i < 3; i++) {
        /* dup2 of a number on itself would keep close-on-exec. */
        int fd = fds[i] == i ? fcntl(i, F_DUPFD_CLOEXEC, 3) : fds[i];

        if (fd < 0 || dup2(fd, i) < 0) {
            return errno;
        }
    }
    return 0;
}

int
child_exec(const struct child_spec *spec, enum child_step *ret_step)
{
    int failed;

    *ret_step = CHILD_STEP_SETUP;
    if (setpgid(0, 0) != 0) {
        return errno;
    }
    /* SIGTTOU is blocked still: we are not in the foreground yet. */
    if (spec->tty_fd >= 0 && tcsetpgrp(spec->tty_fd, getpid()) != 0) {
        return errno;
    }
    failed = set_stdio(spec);
    if (failed != 0) {
        return failed;
    }
    *ret_step = CHILD_STEP_VALUE;
    failed = fill_env(spec);
    if (failed != 0) {
        return failed;
    }
    *ret_step = CHILD_STEP_EXEC;
    (void)sigprocmask(SIG_SETMASK, spec->mask, NULL);
    environ = spec->env; /* its PATH is the one that counts */
    (void)execvp(spec->argv[0], spec->argv);
    return errno;
}
