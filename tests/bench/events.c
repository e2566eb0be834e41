/*
 * events - how long a server-sent event is on its way.
 *
 *   events serve                            prints its port, then serves
 *   events read (-u SOCKET | -t PORT) [-p PATH] [-H HEADER]… [-n REQUESTS]
 *
 * The service answers every request with EVENTS_COUNT events, a gap between
 * two, each with the time at which it was written. The reader prints one line
 * of KEY=VALUE: first_us (the request's last byte to the first event's), p50_us
 * and p99_us (an event written to it read), requests.
 */
#include <getopt.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "dial.h"

enum {
    EVENTS_COUNT = 20,
    GAP_US = 2000,
    HEAD_MAX_BYTES = 4096,
    REQUESTS_MAX_COUNT = 1000,
};

/* ---- the service ---- */

static void
put_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void
put_event(int fd)
{
    char event[64];
    char chunk[96];
    int len = snprintf(event, sizeof(event), "data: %llu\n\n",
                       (unsigned long long)now_ns());
    int all =
        snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", (unsigned)len, event);

    put_all(fd, chunk, (size_t)all);
}

static void
answer(int fd)
{
    static const char HEAD[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/event-stream\r\n"
                               "X-Accel-Buffering: no\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";

    put_all(fd, HEAD, sizeof(HEAD) - 1);
    for (int i = 0; i < EVENTS_COUNT; i++) {
        put_event(fd);
        (void)usleep(GAP_US);
    }
    put_all(fd, "0\r\n\r\n", 5);
}

static void *
serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char head[HEAD_MAX_BYTES];
    size_t got = 0;

    for (;;) {
        ssize_t n = read(fd, head + got, sizeof(head) - got);

        if (n <= 0) {
            break;
        }
        got += (size_t)n;
        if (memmem(head, got, "\r\n\r\n", 4) != NULL) {
            answer(fd);
            got = 0;
        }
    }
    (void)close(fd);
    return NULL;
}

static _Noreturn void
serve(void)
{
    int listening = listen_tcp();

    for (;;) {
        int fd = accept(listening, NULL, NULL);
        pthread_t thread;

        if (fd < 0) {
            die("accept");
        }
        set_nodelay(fd);
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) !=
            0) {
            die("thread");
        }
        (void)pthread_detach(thread);
    }
}

/* ---- the reader ---- */

static struct {
    uint64_t first_ns[REQUESTS_MAX_COUNT];
    uint64_t late_ns[REQUESTS_MAX_COUNT * EVENTS_COUNT];
    size_t request_count;
    size_t event_count;
    char held[2 * HEAD_MAX_BYTES];
    size_t held_len;
} got;

/* Events that are whole; what is left is kept for the next part. */
static size_t
take_events(uint64_t at_ns)
{
    static const char MARK[] = "data: ";
    char *from = got.held;
    size_t count = 0;

    for (;;) {
        size_t left = got.held_len - (size_t)(from - got.held);
        char *at = memmem(from, left, MARK, sizeof(MARK) - 1);
        char *end = at == NULL
                        ? NULL
                        : memmem(at, left - (size_t)(at - from), "\n\n", 2);

        if (end == NULL) {
            memmove(got.held, from, left);
            got.held_len = left;
            return count;
        }
        got.late_ns[got.event_count + count] =
            at_ns - strtoull(at + sizeof(MARK) - 1, NULL, 10);
        count++;
        from = end + 2;
    }
}

static void
read_one(int fd, const char *request)
{
    uint64_t sent_ns = 0;
    size_t count = 0;

    got.held_len = 0;
    put_all(fd, request, strlen(request));
    sent_ns = now_ns();
    while (count < EVENTS_COUNT ||
           memmem(got.held, got.held_len, "0\r\n\r\n", 5) == NULL) {
        ssize_t n =
            read(fd, got.held + got.held_len, sizeof(got.held) - got.held_len);
        uint64_t at_ns = now_ns();
        size_t new = 0;

        if (n <= 0 || (got.held_len == 0 && count == 0 && n > 12 &&
                       strncmp(got.held + 9, "200", 3) != 0)) {
            (void)fprintf(stderr, "events: %.*s\n", (int)(n > 0 ? n : 0),
                          got.held);
            exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe)
        }
        got.held_len += (size_t)n;
        new = take_events(at_ns);
        if (count == 0 && new > 0) {
            got.first_ns[got.request_count++] = at_ns - sent_ns;
        }
        got.event_count += new;
        count += new;
    }
}

static void
report(void)
{
    size_t first = got.request_count / 2;
    size_t middle = got.event_count / 2;
    size_t late = got.event_count - 1 - got.event_count / 100;

    qsort(got.first_ns, got.request_count, sizeof(uint64_t), compare_u64);
    qsort(got.late_ns, got.event_count, sizeof(uint64_t), compare_u64);
    (void)printf("first_us=%.1f p50_us=%.1f p99_us=%.1f requests=%zu\n",
                 (double)got.first_ns[first] / 1e3,
                 (double)got.late_ns[middle] / 1e3,
                 (double)got.late_ns[late] / 1e3, got.request_count);
}

int
main(int argc, char **argv)
{
    char headers[HEAD_MAX_BYTES / 2] = "";
    char request[HEAD_MAX_BYTES];
    const char *path = "/";
    size_t count = 20;
    int option;
    int fd = -1;

    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        serve();
    }
    optind = 2;
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt(argc, argv, "u:t:p:H:n:")) != -1) {
        size_t used = strlen(headers);

        if (option == 'u') {
            fd = connect_unix(optarg);
        } else if (option == 't') {
            fd = connect_tcp((uint16_t)strtoul(optarg, NULL, 10));
        } else if (option == 'p') {
            path = optarg;
        } else if (option == 'n') {
            count = strtoul(optarg, NULL, 10);
        } else if (option == 'H') {
            (void)snprintf(headers + used, sizeof(headers) - used, "%s\r\n",
                           optarg);
        }
    }
    if (fd < 0 || count == 0 || count > REQUESTS_MAX_COUNT) {
        (void)fputs("usage: events serve | read (-u SOCKET | -t PORT) "
                    "[-pHn VALUE]\n",
                    stderr);
        return EXIT_FAULT;
    }
    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path,
                   headers);
    for (size_t i = 0; i < count; i++) {
        read_one(fd, request);
    }
    report();
    return 0;
}
