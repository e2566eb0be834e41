/*
 * pipe - how fast a filter passes text on: producer, COMMAND, consumer.
 *
 *   pipe MEGABYTES FILE [BYTES] -- COMMAND…
 *
 * A child writes the text of FILE over and over into COMMAND's stdin, in
 * pieces of BYTES (64 KiB), of which no more than one fit into the pipe, so
 * that it is read in pieces of so many at most; we read its stdout to the end.
 * Prints mb_s (of input) and out_mb, then cpu_ms of COMMAND alone.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    PIECE_BYTES = 64 * 1024,
    TEXT_MAX_BYTES = 256 * 1024 * 1024,
};

static double
now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void
die(const char *what)
{
    perror(what);
    _exit(EXIT_FAILURE);
}

static size_t
load_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && len < TEXT_MAX_BYTES) {
        n = read(fd, text + len, TEXT_MAX_BYTES - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (len < PIECE_BYTES) {
        die("FILE must hold 64 KiB at least");
    }
    (void)close(fd);
    return len;
}

static _Noreturn void
produce(int fd, struct span text, size_t piece, uint64_t total)
{
    size_t at = 0;

    while (total > 0) {
        size_t want = text.len - at < piece ? text.len - at : piece;
        ssize_t n =
            write(fd, text.ptr + at, want < total ? want : (size_t)total);

        if (n < 0) {
            die("producer");
        }
        total -= (uint64_t)n;
        at += (size_t)n;
        at = at == text.len ? 0 : at;
    }
    _exit(0);
}

static pid_t
start(int in_fd, int out_fd, char **argv)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(in_fd, STDIN_FILENO);
        (void)dup2(out_fd, STDOUT_FILENO);
        (void)execvp(argv[0], argv);
        die(argv[0]);
    }
    return pid;
}

static uint64_t
consume(int fd)
{
    static char piece[PIECE_BYTES];
    uint64_t total = 0;
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        total += (uint64_t)n;
    }
    return total;
}

int
main(int argc, char **argv)
{
    static char text[TEXT_MAX_BYTES];
    struct rusage used;
    uint64_t total;
    uint64_t out;
    size_t text_len;
    size_t piece = PIECE_BYTES;
    int dashes = 3;
    double begun;
    double took;
    int in[2];
    int done[2];
    pid_t writer;
    pid_t filter;
    int status;

    if (argc > 4 && strcmp(argv[3], "--") != 0) {
        piece = strtoul(argv[3], NULL, 10);
        dashes = 4;
    }
    if (argc < dashes + 2 || strcmp(argv[dashes], "--") != 0 || piece == 0) {
        (void)fputs("usage: pipe MEGABYTES FILE [BYTES] -- COMMAND...\n",
                    stderr);
        return EXIT_FAILURE;
    }
    total = strtoul(argv[1], NULL, 10) * 1000000;
    text_len = load_text(argv[2], text);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0 ||
        fcntl(in[1], F_SETPIPE_SZ, (int)piece) < 0) {
        die("pipe");
    }
    begun = now_s();
    filter = start(in[0], done[1], argv + dashes + 1);
    writer = fork();
    if (writer == 0) {
        produce(in[1], span_of(text, text_len), piece, total);
    }
    (void)close(in[0]);
    (void)close(in[1]);
    (void)close(done[1]);
    out = consume(done[0]);
    took = now_s() - begun;
    if (wait4(filter, &status, 0, &used) != filter || status != 0) {
        (void)fprintf(stderr, "pipe: %s failed (%d)\n", argv[dashes + 1],
                      status);
        return EXIT_FAILURE;
    }
    (void)waitpid(writer, NULL, 0);
    (void)printf("mb_s=%.2f out_mb=%.1f cpu_ms=%.0f\n",
                 (double)total / 1e6 / took, (double)out / 1e6,
                 (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) /
                         1e3);
    return 0;
}
