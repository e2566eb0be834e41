// LINKS: daemon
/*
 * 64 requests at once through the real server, proxy and upstream: events,
 * uploads of both kinds, downloads, echoes of the credential, clients that go
 * away in the middle either way; and a task that ends under 64 streams.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common/proxied.h"

enum {
    STREAMS_COUNT = 64,
    ROUNDS_COUNT = 3,
    UP_BYTES = 300000,
    DOWN_BYTES = 3000000,
    PART_BYTES = 4 * 1024,
    ANSWER_BYTES = 4096,
    EVENTS_COUNT = 3,
};

struct stream {
    pthread_t thread;
    int number;
    char why[160];             /* empty: as it should be */
    char answer[ANSWER_BYTES]; /* its beginning */
    size_t answer_len;
    int64_t got_bytes;
};

static struct stream streams[STREAMS_COUNT];
static atomic_int reached_count;

static bool
failed(struct stream *s, const char *what)
{
    (void)snprintf(s->why, sizeof(s->why), "stream %d: %s: %.80s", s->number,
                   what, s->answer);
    return false;
}

/* Up to the end, or to `limit` bytes. */
static void
read_answer(struct stream *s, int fd, int64_t limit)
{
    char part[PART_BYTES];
    ssize_t n = 1;

    s->answer_len = 0;
    s->got_bytes = 0;
    while (n > 0 && s->got_bytes < limit) {
        size_t room = ANSWER_BYTES - 1 - s->answer_len;

        n = recv(fd, part, sizeof(part), 0);
        if (n <= 0) {
            break;
        }
        room = (size_t)n < room ? (size_t)n : room;
        memcpy(s->answer + s->answer_len, part, room);
        s->answer_len += room;
        s->got_bytes += n;
    }
    s->answer[s->answer_len] = '\0';
}

static int64_t
body_bytes(const struct stream *s)
{
    const char *body = strstr(s->answer, "\r\n\r\n");

    return body == NULL ? -1 : s->got_bytes - (body + 4 - s->answer);
}

/* The service says what it was sent, the credential with it. */
static bool
echo(struct stream *s, int fd)
{
    if (!proxied_ask(fd, "GET", "/echo", "Connection: close\r\n")) {
        return failed(s, "not sent");
    }
    read_answer(s, fd, INT64_MAX);
    return strstr(s->answer, "Bearer [redacted]") != NULL &&
                   strstr(s->answer, VALUE) == NULL
               ? true
               : failed(s, "echo");
}

static bool
send_body(int fd, bool chunked, int bytes)
{
    char part[1000];
    bool ok = true;

    memset(part, 'x', sizeof(part));
    for (int sent = 0; ok && sent < bytes; sent += (int)sizeof(part)) {
        ok = (!chunked || proxied_send(fd, "3e8\r\n", 5)) &&
             proxied_send(fd, part, sizeof(part)) &&
             (!chunked || proxied_send(fd, "\r\n", 2));
    }
    return ok &&
           (!chunked || bytes < UP_BYTES || proxied_send(fd, "0\r\n\r\n", 5));
}

static bool
upload(struct stream *s, int fd, bool chunked)
{
    char head[128];

    (void)snprintf(head, sizeof(head), "Connection: close\r\n%s",
                   chunked ? "Transfer-Encoding: chunked\r\n"
                           : "Content-Length: 300000\r\n");
    if (!proxied_ask(fd, "POST", "/echo", head) ||
        !send_body(fd, chunked, UP_BYTES)) {
        return failed(s, "not sent");
    }
    read_answer(s, fd, INT64_MAX);
    return strstr(s->answer, "\"bytes\": 300000") != NULL ? true
                                                          : failed(s, "upload");
}

static bool
upload_cut(struct stream *s, int fd)
{
    if (!proxied_ask(fd, "POST", "/echo", "Content-Length: 300000\r\n") ||
        !send_body(fd, false, UP_BYTES / 2)) {
        return failed(s, "not sent");
    }
    return true;
}

static bool
download(struct stream *s, int fd)
{
    if (!proxied_ask(fd, "GET", "/bytes?n=3000000", "Connection: close\r\n")) {
        return failed(s, "not sent");
    }
    read_answer(s, fd, INT64_MAX);
    return body_bytes(s) == DOWN_BYTES ? true : failed(s, "download");
}

static bool
download_cut(struct stream *s, int fd)
{
    if (!proxied_ask(fd, "GET", "/bytes?n=900000000", "")) {
        return failed(s, "not sent");
    }
    read_answer(s, fd, DOWN_BYTES);
    return s->got_bytes >= DOWN_BYTES ? true : failed(s, "download");
}

/* Each event is made when another request asks for it. */
static bool
events(struct stream *s, int fd)
{
    int count = 0;

    if (!proxied_ask(fd, "GET", "/events?n=3", "Connection: close\r\n")) {
        return failed(s, "not sent");
    }
    for (int i = 0; i < EVENTS_COUNT; i++) {
        int tick = proxied_connect(STREAMS_COUNT + s->number);
        bool asked = tick >= 0 &&
                     proxied_ask(tick, "GET", "/tick", "Connection: close\r\n");

        if (asked) {
            read_answer(s, tick, INT64_MAX);
        }
        (void)close(tick);
    }
    read_answer(s, fd, INT64_MAX);
    for (const char *at = s->answer; (at = strstr(at, "data: ")) != NULL;
         at++) {
        count++;
    }
    return count == EVENTS_COUNT ? true : failed(s, "events");
}

static bool
serve_one(struct stream *s, int kind, int fd)
{
    switch (kind) {
    case 0:
        return events(s, fd);
    case 1:
    case 2:
        return upload(s, fd, kind == 1);
    case 3:
        return upload_cut(s, fd);
    case 4:
        return download(s, fd);
    case 5:
        return download_cut(s, fd);
    default:
        return echo(s, fd);
    }
}

static void *
run_stream(void *arg)
{
    struct stream *s = arg;
    bool ok = true;

    for (int round = 0; ok && round < ROUNDS_COUNT; round++) {
        int fd = proxied_connect(s->number);

        ok = fd >= 0 ? serve_one(s, (s->number + round) % 7, fd)
                     : failed(s, "no connection");
        (void)close(fd);
    }
    return NULL;
}

/* One that says a little and then nothing, or takes no more of a body. */
static void *
run_endless(void *arg)
{
    struct stream *s = arg;
    bool up = s->number % 2 == 0;
    int fd = proxied_connect(s->number);
    bool ok = fd >= 0;

    ok = ok && proxied_ask(fd, up ? "POST" : "GET", up ? "/echo" : "/stall",
                           up ? "Content-Length: 300000\r\n" : "");
    ok = ok && (!up || send_body(fd, false, UP_BYTES / 2));
    if (!ok) {
        (void)failed(s, "not sent");
    }
    (void)atomic_fetch_add(&reached_count, 1);
    read_answer(s, fd, INT64_MAX);
    (void)close(fd);
    return NULL;
}

static void
start_all(void *(*run)(void *))
{
    for (int i = 0; i < STREAMS_COUNT; i++) {
        streams[i] = (struct stream){.number = i};
        assert_int_equal(
            pthread_create(&streams[i].thread, NULL, run, &streams[i]), 0);
    }
}

static void
join_all(void)
{
    for (int i = 0; i < STREAMS_COUNT; i++) {
        assert_int_equal(pthread_join(streams[i].thread, NULL), 0);
    }
    for (int i = 0; i < STREAMS_COUNT; i++) {
        if (streams[i].why[0] != '\0') {
            fail_msg("%s", streams[i].why);
        }
    }
}

static void
test_sixty_four_at_once(void **state)
{
    (void)state;
    proxied_start_task();
    start_all(run_stream);
    join_all();
}

/* Each is cut, whether its answer is under way or its body; the supervisor,
 * which would kill the clients too, is not here. */
static void
test_the_tasks_end_ends_all(void **state)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    AG_AUTO(wjson) json_t *receipt = NULL;

    (void)state;
    start_all(run_endless);
    while (atomic_load(&reached_count) < STREAMS_COUNT) {
        (void)nanosleep(&moment, NULL);
    }
    check_ok(handout_finish(flow.core, proxied.task_id, 0, &receipt));
    join_all();
    for (int i = 0; i < STREAMS_COUNT; i++) {
        if (strstr(streams[i].answer, "200 OK") != NULL) {
            assert_true(body_bytes(&streams[i]) < 100);
        } else if (streams[i].got_bytes > 0 &&
                   strstr(streams[i].answer, "\"code\":") == NULL) {
            fail_msg("stream %d: %s", i, streams[i].answer);
        }
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sixty_four_at_once),
        cmocka_unit_test(test_the_tasks_end_ends_all),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, proxied_open, proxied_close);
}
