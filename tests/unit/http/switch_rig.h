/*
 * switch_rig.h - an answerer that switches every connection to a protocol of its
 * own, and clients of it over raw sockets.
 */
#ifndef AG_TESTS_UNIT_HTTP_SWITCH_RIG_H
#define AG_TESTS_UNIT_HTTP_SWITCH_RIG_H

#include "base/clock.h"
#include "common/check.h"
#include "http/pass.h"
#include "unit/http/serve.h"

enum {
    KEPT_BYTES = 1024 * 1024,
    SOCKETS_COUNT = 40,
    LONG_MS = 20 * 1000, /* what must not be waited for */
};

/* The answerer: what it got, and what it gives. */
struct side {
    struct pass *pass;
    uint8_t got[KEPT_BYTES];
    size_t got_len;
    size_t room; /* of what is still taken; SIZE_MAX: of anything */
    const uint8_t *gives;
    size_t left;
    ssize_t then; /* PASS_WAIT, PASS_END or PASS_BROKEN behind it */
    bool stays;   /* although its client has left */
    int left_count;
    int cut_count;
    bool ended;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct side sides[SOCKETS_COUNT];
    int begun;
    int ended;
    int status; /* of the answer */
    atomic_bool unwanted;
} t;

static inline void
lock(void)
{
    (void)pthread_mutex_lock(&t.lock);
}

static inline void
unlock(void)
{
    (void)pthread_cond_broadcast(&t.changed);
    (void)pthread_mutex_unlock(&t.lock);
}

static inline enum ag_err
on_begin(void *ctx, struct pass *pass, const struct pass_head *head,
         bool may_block, void **ret)
{
    const struct request_field field = {span_str("Upgrade"),
                                        span_str("websocket")};
    const struct pass_answer answer = {.status = t.status,
                                       .body_bytes = PASS_BODY_CHUNKED,
                                       .fields = &field,
                                       .field_count = 1};

    (void)ctx;
    (void)head;
    (void)may_block;
    lock();
    t.sides[t.begun].pass = pass;
    *ret = &t.sides[t.begun++];
    unlock();
    pass_answer(pass, &answer);
    return AG_OK;
}

static inline size_t
on_take(void *state, struct span part)
{
    struct side *s = state;
    size_t n = 0;

    lock();
    n = part.len < s->room ? part.len : s->room;
    n = n < sizeof(s->got) - s->got_len ? n : sizeof(s->got) - s->got_len;
    memcpy(s->got + s->got_len, part.ptr, n);
    s->got_len += n;
    s->room -= s->room == SIZE_MAX ? 0 : n;
    unlock();
    return n;
}

static inline void
on_taken(void *state)
{
    (void)state;
}

static inline void
on_left(void *state)
{
    struct side *s = state;

    lock();
    s->left_count++;
    if (!s->stays) {
        s->then = PASS_BROKEN;
        s->left = 0;
    }
    unlock();
}

static inline ssize_t
on_give(void *state, uint8_t *into, size_t room)
{
    struct side *s = state;
    size_t n = 0;
    ssize_t ret = 0;

    lock();
    n = s->left < room ? s->left : room;
    if (n > 0) {
        memcpy(into, s->gives, n);
        s->gives += n;
        s->left -= n;
    }
    ret = n > 0 ? (ssize_t)n : s->then;
    unlock();
    return ret;
}

static inline bool
on_wanted(void *state)
{
    (void)state;
    return !atomic_load(&t.unwanted);
}

static inline void
on_cut(void *state)
{
    struct side *s = state;

    lock();
    s->cut_count++;
    s->then = PASS_BROKEN;
    s->left = 0;
    pass_fail(s->pass, AG_EREVOKED, "cut");
    unlock();
}

static inline void
on_end(void *state)
{
    lock();
    ((struct side *)state)->ended = true;
    t.ended++;
    unlock();
}

static const struct pass_app APP = {
    .begin = on_begin,
    .take = on_take,
    .taken = on_taken,
    .left = on_left,
    .give = on_give,
    .wanted = on_wanted,
    .cut = on_cut,
    .end = on_end,
};

/* ---- waiting ---- */

static inline void
wait_ended(int count)
{
    lock();
    while (t.ended < count) {
        (void)pthread_cond_wait(&t.changed, &t.lock);
    }
    unlock();
}

static inline void
wait_left(struct side *s)
{
    lock();
    while (s->left_count == 0) {
        (void)pthread_cond_wait(&t.changed, &t.lock);
    }
    unlock();
}

static inline void
check_got(struct side *s, const char *want)
{
    lock();
    while (s->got_len < strlen(want)) {
        (void)pthread_cond_wait(&t.changed, &t.lock);
    }
    check_span(span_of(s->got, s->got_len), want);
    unlock();
}

static inline void
give(struct side *s, const char *text, ssize_t then)
{
    lock();
    s->gives = (const uint8_t *)text;
    s->left = strlen(text);
    s->then = then;
    unlock();
    pass_wake(s->pass);
}

/* ---- the client ---- */

static inline void
say(int fd, const char *text)
{
    serve_send(fd, text, strlen(text));
}

static inline void
check_heard(int fd, const char *want)
{
    char text[256];
    size_t len = 0;

    while (len < strlen(want)) {
        ssize_t n = serve_recv(fd, text + len, strlen(want) - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
    check_span(span_of(text, len), want);
}

/* A connection that has switched; its side is the next one. */
static inline int
open_one(const char *behind)
{
    char head[256];
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)snprintf(head, sizeof(head),
                   "GET /p/s/a HTTP/1.1\r\nHost: localhost\r\n"
                   "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n%s",
                   behind);
    say(fd, head);
    serve_read(fd, &a);
    assert_int_equal(a.status, 101);
    assert_non_null(strstr(a.head, "Upgrade: websocket"));
    return fd;
}

static inline void
start(const struct http_limits *limits)
{
    memset(&t, 0, sizeof(t));
    (void)pthread_mutex_init(&t.lock, NULL);
    (void)pthread_cond_init(&t.changed, NULL);
    t.status = PASS_SWITCHED_STATUS;
    for (size_t i = 0; i < AG_COUNT(t.sides); i++) {
        t.sides[i].room = SIZE_MAX;
    }
    serve_pass = &APP;
    serve_start(limits);
}

static inline void
stop(void)
{
    serve_end();
    assert_int_equal(t.begun, t.ended);
}

/* Limits so long that only the one in question can be what ended it. */
static inline struct http_limits
patient(void)
{
    struct http_limits limits = http_limits_default();

    limits.socket_stall_s = 600;
    limits.socket_left_s = 600;
    limits.socket_end_s = 60;
    limits.idle_s = 600;
    return limits;
}

static inline int
setup(void **state)
{
    struct http_limits limits = patient();

    (void)state;
    start(&limits);
    return 0;
}

static inline int
teardown(void **state)
{
    (void)state;
    stop();
    return 0;
}

#endif
