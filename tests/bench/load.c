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
 * p99_us, mb_s (of answers), requests.
 */
#include <sys/epoll.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "dial.h"

enum {
    CONNECTIONS_MAX_COUNT = 1024,
    REQUEST_MAX_BYTES = 4 * 1024, /* head and body of one request */
    PART_BYTES = 256 * 1024,      /* read at once, a head at least */
    HEADERS_MAX_BYTES = 2048,
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
    uint64_t got;
    uint64_t whole; /* bytes of the answer, once its head is there */
    uint64_t sent_ns;
    char *part; /* the head, until it is whole; then any part of the body */
};

struct bench {
    struct settings set;
    int epoll_fd;
    size_t started;
    size_t done;
    uint64_t got;         /* bytes of all answers */
    uint32_t *latency_ns; /* request_count of them */
    struct connection *connections;
};

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
                   "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s\r\n%s",
                   set->method, path, (unsigned)set->port, set->headers, length,
                   body);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        die("the request is too long");
    }
    if (set->is_reconnecting) {
        open_connection(b, c);
    }
    c->got = 0;
    c->whole = 0;
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
static uint64_t
answer_len(const struct connection *c)
{
    static const char LENGTH[] = "\r\ncontent-length:";
    const char *end = memmem(c->part, c->got, "\r\n\r\n", 4);
    uint64_t head_len;
    const char *at;

    if (end == NULL) {
        return 0;
    }
    head_len = (uint64_t)(end - c->part) + 4;
    at = strcasestr(c->part, LENGTH);
    if (at == NULL || at >= end) {
        return head_len;
    }
    return head_len + strtoull(at + sizeof(LENGTH) - 1, NULL, 10);
}

static void
check_status(const struct bench *b, const struct connection *c)
{
    if (strtol(c->part + 9, NULL, 10) != b->set.status) {
        (void)fprintf(stderr, "load: wanted %d, got:\n%.2000s\n", b->set.status,
                      c->part);
        exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
    }
}

static void
read_part(const struct bench *b, struct connection *c)
{
    size_t off = c->whole == 0 ? (size_t)c->got : 0;
    ssize_t n = read(c->fd, c->part + off, PART_BYTES - off - 1);

    if (n <= 0) {
        (void)fprintf(stderr, "load: closed after %llu bytes\n",
                      (unsigned long long)c->got);
        exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
    }
    c->got += (uint64_t)n;
    if (c->whole == 0) {
        c->part[c->got] = '\0';
        c->whole = answer_len(c);
        if (c->whole != 0) {
            check_status(b, c);
        }
    }
}

static void
on_readable(struct bench *b, struct connection *c)
{
    uint64_t took;

    read_part(b, c);
    if (c->whole == 0 || c->got < c->whole) {
        return;
    }
    took = now_ns() - c->sent_ns;
    b->got += c->got;
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
    (void)printf("rps=%.2f p50_us=%.1f p99_us=%.1f mb_s=%.2f requests=%zu\n",
                 (double)n / seconds, p50_ns / 1e3, p99_ns / 1e3,
                 (double)b->got / seconds / 1e6, n);
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
    for (size_t i = 0; i < b->set.connection_count; i++) {
        b->connections[i].part = malloc(PART_BYTES);
        if (b->connections[i].part == NULL) {
            die("start");
        }
        if (!b->set.is_reconnecting) {
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
