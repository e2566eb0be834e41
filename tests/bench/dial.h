/*
 * dial.h - what the clients of the benchmarks share: connecting, the clock, an
 * order of times, giving up.
 */
#ifndef AG_TESTS_BENCH_DIAL_H
#define AG_TESTS_BENCH_DIAL_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
    EXIT_FAULT = 70,
};

static inline _Noreturn void
die(const char *what)
{
    perror(what);
    exit(EXIT_FAULT); // NOLINT(concurrency-mt-unsafe)
}

static inline uint64_t
now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* For qsort(). */
static inline int
compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static inline int
connect_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) < 0 ||
        connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        die(path);
    }
    return fd;
}

static inline void
set_nodelay(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static inline int
connect_tcp(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        die("connect");
    }
    set_nodelay(fd);
    return fd;
}

/* Listens on a free port of 127.0.0.1 and prints it. */
static inline int
listen_tcp(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        die("listen");
    }
    (void)printf("%u\n", (unsigned)ntohs(addr.sin_port));
    (void)fflush(stdout);
    return fd;
}

#endif
