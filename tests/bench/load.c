/*
 * load - an HTTP/1.1 load client: one thread, epoll, closed loop.
 *
 *   load (-u SOCKET | -t PORT) [-c CONNECTIONS] [-n REQUESTS] [-m METHOD]
 *        [-p PATH] [-b BODY] [-H HEADER]… [-s STATUS] [-x]
 *
 * Each connection sends, waits for the whole answer, sends again; with -x it
 * is closed and opened anew for every request. `%d` in PATH and in BODY becomes
 * the number of the request. An answer with another status than STATUS (200) fails the
 * run and the first one is shown. Prints one line of KEY=VALUE: rps, p50_us,
 * p99_us, requests.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/attr.h"

enum {
    CONNECTIONS_MAX_COUNT = 1024,
    REQUEST_MAX_BYTES = 4 * 1024, /* head and body of one request */
    ANSWER_MAX_BYTES = 64 * 1024,
    HEADERS_MAX_BYTES = 2048,
    EXIT_FAULT = 70,
};

struct settings {
    const char *socket_path; /* NULL: TCP */
    uint16_t port;
    size_t connection_count;
    size_t request_count;
    const char *method;
    const char *path;
    const char *body;
    char headers[HEADERS_MAX_BYTES];
    int status;
    bool is_reconnecting;
};

struct connection {
    int fd;
    size_t got;
    uint64_t sent_ns;
    char answer[ANSWER_MAX_BYTES];
};

struct bench {
    struct settings set;
    int epoll_fd;
    size_t started;
    size_t done;
    uint32_t *latency_ns; /* request_count of them */
    struct connection *connections;
};

static _Noreturn void
die(const char *what)
{
    perror(what);
    exit(EXIT_FAULT); // NOLINT(concurrency-mt-unsafe)
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int
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

static int
connect_tcp(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        die("connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void
open_connection(struct bench *b, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};

    c->fd = b->set.socket_path != NULL ? connect_unix(b->set.socket_path)
                                       : connect_tcp(b->set.port);
    if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

/* `text` with its first `%d` replaced; no other directive is looked at. */
static void
put_number(const char *text, size_t number, char *out, size_t cap)
{
    const char *mark = strstr(text, "%d");
    int len = mark == NULL ? snprintf(out, cap, "%s", text)
                           : snprintf(out, cap, "%.*s%zu%s", (int)(mark - text),
                                      text, number, mark + 2);

    if (len < 0 || (size_t)len >= cap) {
        errno = EMSGSIZE;
        die("path or body");
    }
}

static void
send_request(struct bench *b, struct connection *c)
{
    const struct settings *set = &b->set;
    char text[REQUEST_MAX_BYTES];
    char path[1024];
    char body[2048] = "";
    char length[128] = "";
    size_t off = 0;
    int len;

    put_number(set->path, b->started, path, sizeof(path));
    if (set->body != NULL) {
        put_number(set->body, b->started, body, sizeof(body));
        (void)snprintf(length, sizeof(length),
                       "Content-Type: application/json\r\n"
                       "Content-Length: %zu\r\n",
                       strlen(body));
    }
    len = snprintf(text, sizeof(text),
                   "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s",
                   set->method, path, set->headers, length, body);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        die("the request is too long");
    }
    if (set->is_reconnecting) {
        open_connection(b, c);
    }
    c->got = 0;
    c->sent_ns = now_ns();
    b->started++;
    while (off < (size_t)len) {
        ssize_t n = write(c->fd, text + off, (size_t)len - off);

        if (n < 0) {
            die("write");
        }
        off += (size_t)n;
    }
}

/* Length of the whole answer once its head is there, else 0. */
static size_t
answer_len(const struct connection *c)
{
    static const char LENGTH[] = "\r\ncontent-length:";
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    size_t head_len;
    const char *at;

    if (end == NULL) {
        return 0;
    }
    head_len = (size_t)(end - c->answer) + 4;
    at = strcasestr(c->answer, LENGTH);
    if (at == NULL || at >= end) {
        return head_len;
    }
    return head_len + strtoul(at + sizeof(LENGTH) - 1, NULL, 10);
}

static void
check_status(const struct bench *b, const struct connection *c)
{
    if (c->got < 12 || strtol(c->answer + 9, NULL, 10) != b->set.status) {
        (void)fprintf(stderr, "load: wanted %d, got:\n%.*s\n", b->set.status,
                      (int)c->got, c->answer);
        exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
    }
}

static void
on_readable(struct bench *b, struct connection *c)
{
    ssize_t n = read(c->fd, c->answer + c->got, ANSWER_MAX_BYTES - c->got - 1);
    uint64_t took;
    size_t whole;

    if (n <= 0) {
        (void)fprintf(stderr, "load: closed after: %.*s\n", (int)c->got,
                      c->answer);
        exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
    }
    c->got += (size_t)n;
    c->answer[c->got] = '\0';
    whole = answer_len(c);
    if (whole == 0 || c->got < whole) {
        return;
    }
    took = now_ns() - c->sent_ns;
    check_status(b, c);
    b->latency_ns[b->done++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    if (b->set.is_reconnecting) {
        (void)close(c->fd);
    }
    if (b->started < b->set.request_count) {
        send_request(b, c);
    }
}

static int
compare_u32(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static void
report(struct bench *b, uint64_t took_ns)
{
    double seconds = (double)took_ns / 1e9;
    size_t n = b->done;
    uint32_t p50_ns;
    uint32_t p99_ns;

    if (n == 0) {
        return;
    }
    qsort(b->latency_ns, n, sizeof(*b->latency_ns), compare_u32);
    p50_ns = b->latency_ns[n / 2];
    p99_ns = b->latency_ns[n - 1 - n / 100];
    (void)printf("rps=%.0f p50_us=%.1f p99_us=%.1f requests=%zu\n",
                 (double)n / seconds, p50_ns / 1e3, p99_ns / 1e3, n);
}

static void
run(struct bench *b)
{
    struct epoll_event events[64];
    uint64_t begun;

    b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    b->latency_ns = calloc(b->set.request_count, sizeof(*b->latency_ns));
    b->connections = calloc(b->set.connection_count, sizeof(*b->connections));
    if (b->epoll_fd < 0 || b->latency_ns == NULL || b->connections == NULL) {
        die("start");
    }
    if (!b->set.is_reconnecting) {
        for (size_t i = 0; i < b->set.connection_count; i++) {
            open_connection(b, &b->connections[i]);
        }
    }
    begun = now_ns();
    for (size_t i = 0; i < b->set.connection_count; i++) {
        send_request(b, &b->connections[i]);
    }
    while (b->done < b->set.request_count) {
        int n = epoll_wait(b->epoll_fd, events, (int)AG_COUNT(events), 20000);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            (void)fprintf(stderr, "load: no answer for 20 s\n");
            exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
        }
        for (int i = 0; i < n; i++) {
            on_readable(b, events[i].data.ptr);
        }
    }
    report(b, now_ns() - begun);
}

static void
add_header(struct settings *set, const char *line)
{
    size_t used = strlen(set->headers);
    int n = snprintf(set->headers + used, sizeof(set->headers) - used, "%s\r\n",
                     line);

    if (n < 0 || (size_t)n >= sizeof(set->headers) - used) {
        die("too many headers");
    }
}

static void
take_option(struct settings *set, int option, const char *value)
{
    switch (option) { // NOLINT(hicpp-multiway-paths-covered)
    case 'u':
        set->socket_path = value;
        break;
    case 't':
        set->port = (uint16_t)strtoul(value, NULL, 10);
        break;
    case 'c':
        set->connection_count = strtoul(value, NULL, 10);
        break;
    case 'n':
        set->request_count = strtoul(value, NULL, 10);
        break;
    case 'm':
        set->method = value;
        break;
    case 'p':
        set->path = value;
        break;
    case 'b':
        set->body = value;
        break;
    case 'H':
        add_header(set, value);
        break;
    case 's':
        set->status = (int)strtol(value, NULL, 10);
        break;
    case 'x':
        set->is_reconnecting = true;
        break;
    default:
        errno = EINVAL;
        die("usage: load (-u SOCKET | -t PORT) [-cnmpbHs VALUE] [-x]");
    }
}

int
main(int argc, char **argv)
{
    static struct bench b = {.set = {.connection_count = 16,
                                     .request_count = 20000,
                                     .method = "GET",
                                     .path = "/",
                                     .status = 200}};
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt(argc, argv, "u:t:c:n:m:p:b:H:s:x")) != -1) {
        take_option(&b.set, option, optarg);
    }
    if (b.set.connection_count == 0 ||
        b.set.connection_count > CONNECTIONS_MAX_COUNT ||
        b.set.request_count < b.set.connection_count) {
        errno = EINVAL;
        die("connections and requests");
    }
    run(&b);
    return 0;
}
