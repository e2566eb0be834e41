/* 64 streams at once, started, held, resumed and given up from many threads. */
#include <sched.h>

#include "base/secret.h"
#include "common/talk.h"

enum {
    THREADS_COUNT = 8,
    STREAMS_COUNT = 8, /* of each thread */
    ROUNDS_COUNT = 3,
    DOWN_BYTES = 400000,
    UP_BYTES = 300000,
};

static struct upstream *u;

/* Holds each third part back until somebody resumes. */
static enum upstream_flow
on_some(void *ctx, struct span part)
{
    struct talk *t = ctx;

    if (atomic_fetch_add(&t->held_count, 1) % 3 == 0) {
        return UPSTREAM_WAIT;
    }
    return talk_on_body(ctx, part);
}

static enum upstream_flow
on_some_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct talk *t = ctx;

    if (atomic_fetch_add(&t->held_count, 1) % 3 == 0) {
        return UPSTREAM_WAIT;
    }
    return talk_on_send(ctx, into, room < 20000 ? room : 20000, ret_len);
}

static const struct upstream_events SOME = {
    .on_send = on_some_send,
    .on_head = talk_on_head,
    .on_body = on_some,
    .on_trailers = talk_on_trailers,
    .on_end = talk_on_end,
};

static struct talk *
start_one(int number)
{
    const uint16_t ports[] = {service.plain, service.good,
                              service.h2 != 0 ? service.h2 : service.good};
    struct talk *t = talk_new(ports[number % 3], "/bytes?n=400000");

    if (number % 2 == 0) {
        t->request.target = span_str("/connection");
        talk_post(t, NULL, UP_BYTES, number % 4 == 0);
    }
    t->request.owner = (uint32_t)number % 5;
    talk_field(t, "Authorization", "Bearer canary-value");
    check_ok(upstream_start(u, &t->request, &SOME, t, &t->call));
    return t;
}

static void
finish_one(struct talk *t, bool give_up)
{
    while (!give_up && !talk_ends_within(t, 1)) {
        upstream_resume(t->call);
    }
    upstream_cancel(AG_TAKE(t->call));
    if (!give_up) {
        check_ok(t->err);
        assert_int_equal(t->status, 200);
        assert_true(t->got_bytes == DOWN_BYTES || t->given_bytes == UP_BYTES);
        assert_false(t->got_bytes == DOWN_BYTES && t->pattern_broken);
    }
    talk_free(t);
}

static void *
run_some(void *arg)
{
    int first = *(const int *)arg;

    for (int round = 0; round < ROUNDS_COUNT; round++) {
        struct talk *talks[STREAMS_COUNT];

        for (int i = 0; i < STREAMS_COUNT; i++) {
            talks[i] = start_one(first + i);
        }
        for (int i = 0; i < STREAMS_COUNT; i++) {
            upstream_resume(talks[i]->call);
        }
        for (int i = 0; i < STREAMS_COUNT; i++) {
            finish_one(talks[i], (first + i + round) % 7 == 0);
        }
    }
    return NULL;
}

static void
test_sixty_four_streams(void **state)
{
    pthread_t threads[THREADS_COUNT];
    int firsts[THREADS_COUNT];

    (void)state;
    for (int i = 0; i < THREADS_COUNT; i++) {
        firsts[i] = i * STREAMS_COUNT;
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_some, &firsts[i]), 0);
    }
    for (int i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static int
setup(void **state)
{
    struct upstream_limits limits = upstream_limits_default();

    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    (void)service_start();
    limits.calls_per_host = limits.calls;
    limits.connections = limits.calls / 4; /* some are closed, some are kept */
    check_ok(upstream_new(&limits, service.ca, &u));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    upstream_free(u);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return service_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sixty_four_streams),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
