/* A connection that is to switch finds no memory, no thread, no descriptor: it
 * is closed, its request ends, and the next one is served. */
// WRAP: calloc pthread_create epoll_create1 eventfd epoll_ctl
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "common/fault.h"
#include "common/fdcount.h"
#include "http/pass.h"
#include "unit/http/serve.h"

enum {
    LONG_MS = 20 * 1000, /* none is left to wait */
};

/* The server's threads ask too. */
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
fails_now(void)
{
    bool now;

    (void)pthread_mutex_lock(&fault_lock);
    now = fault_now();
    (void)pthread_mutex_unlock(&fault_lock);
    return now;
}

static void
arm(unsigned n)
{
    (void)pthread_mutex_lock(&fault_lock);
    fault_arm(n);
    (void)pthread_mutex_unlock(&fault_lock);
}

static bool
has_fired(void)
{
    bool fired;

    (void)pthread_mutex_lock(&fault_lock);
    fired = fault_done();
    (void)pthread_mutex_unlock(&fault_lock);
    return fired;
}

#define FAILS(type, name, params, args, bad)                                   \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        return fails_now() ? (bad) : __real_##name args;                       \
    }

FAILS(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAILS(int, pthread_create,
      (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *),
       void *arg),
      (thread, attr, run, arg), EAGAIN)
FAILS(int, epoll_create1, (int flags), (flags), -1)
FAILS(int, eventfd, (unsigned start, int flags), (start, flags), -1)
FAILS(int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *event),
      (epoll, op, fd, event), -1)

/* ---- who answers: by 101, and what comes is sent back ---- */

struct side {
    struct pass *pass;
    uint8_t bytes[64];
    size_t len;
    bool cut;
};

static struct side sides[2]; /* one connection after the other */
static pthread_mutex_t side_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int begun;
static atomic_int ended;

static enum ag_err
on_begin(void *ctx, struct pass *pass, const struct pass_head *head,
         bool may_block, void **ret)
{
    const struct request_field field = {span_str("Upgrade"),
                                        span_str("websocket")};
    const struct pass_answer answer = {
        .status = PASS_SWITCHED_STATUS, .fields = &field, .field_count = 1};
    struct side *s = &sides[atomic_fetch_add(&begun, 1) % 2];

    (void)ctx;
    (void)head;
    (void)may_block;
    (void)pthread_mutex_lock(&side_lock);
    *s = (struct side){.pass = pass};
    (void)pthread_mutex_unlock(&side_lock);
    *ret = s;
    pass_answer(pass, &answer);
    return AG_OK;
}

static size_t
on_take(void *state, struct span part)
{
    struct side *s = state;

    (void)pthread_mutex_lock(&side_lock);
    s->len = part.len < sizeof(s->bytes) ? part.len : sizeof(s->bytes);
    memcpy(s->bytes, part.ptr, s->len);
    (void)pthread_mutex_unlock(&side_lock);
    pass_wake(s->pass);
    return part.len;
}

static void
on_taken(void *state)
{
    (void)state;
}

static ssize_t
on_give(void *state, uint8_t *into, size_t room)
{
    struct side *s = state;
    size_t n = 0;
    bool cut = false;

    (void)pthread_mutex_lock(&side_lock);
    n = s->len < room ? s->len : room;
    memcpy(into, s->bytes, n);
    s->len = 0;
    cut = s->cut;
    (void)pthread_mutex_unlock(&side_lock);
    return cut ? PASS_BROKEN : n > 0 ? (ssize_t)n : PASS_WAIT;
}

static bool
on_wanted(void *state)
{
    (void)state;
    return true;
}

static void
on_cut(void *state)
{
    struct side *s = state;

    (void)pthread_mutex_lock(&side_lock);
    s->cut = true;
    (void)pthread_mutex_unlock(&side_lock);
    pass_fail(s->pass, AG_EREVOKED, "cut");
}

static void
on_end(void *state)
{
    (void)state;
    atomic_fetch_add(&ended, 1);
}

static const struct pass_app APP = {
    .begin = on_begin,
    .take = on_take,
    .taken = on_taken,
    .left = on_cut,
    .give = on_give,
    .wanted = on_wanted,
    .cut = on_cut,
    .end = on_end,
};

/* True: it switches, and works. */
static bool
echoes(int fd)
{
    static const char HEAD[] = "GET /p/s/a HTTP/1.1\r\nHost: localhost\r\n"
                               "Connection: Upgrade\r\n"
                               "Upgrade: websocket\r\n\r\n";
    struct answer a;
    char text[4] = "";
    ssize_t n = 0;

    serve_send(fd, HEAD, sizeof(HEAD) - 1);
    serve_read(fd, &a);
    if (a.status == 101) {
        serve_send(fd, "echo", 4);
        n = serve_recv(fd, text, sizeof(text));
    }
    (void)close(fd);
    return n == 4 && memcmp(text, "echo", 4) == 0;
}

static void
test_each_step_fails_in_turn(void **state)
{
    const size_t fds = fd_count_open();
    unsigned n = 0;
    bool fired = true;
    int failed = 0;

    (void)state;
    serve_pass = &APP;
    for (n = 1; fired; n++) {
        const int64_t begun_ms = clock_steady_ms();
        bool works = false;
        int fd = -1;

        serve_start(NULL);
        fd = serve_connect(HTTP_TASK);
        arm(n);
        works = echoes(fd);
        fired = has_fired();
        assert_true(works || fired);
        assert_true(clock_steady_ms() - begun_ms < LONG_MS);
        failed += works ? 0 : 1;
        assert_true(echoes(serve_connect(HTTP_TASK)));
        serve_end();
        assert_int_equal(atomic_load(&begun), atomic_load(&ended));
        assert_int_equal(fd_count_open(), fds);
    }
    /* Its own two of memory and three of the system, the others' before. */
    assert_true(failed >= 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_step_fails_in_turn),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
