/* Passed requests under all kinds of bad luck, many at once: clients that leave
 * in any state, answers that come before the decision, bodies cut short, a
 * server that stops in the midst of it. For the sanitizers; what it asserts is
 * that each request that was begun is ended once, and none is called whole that
 * was not. */
#include "common/prop.h"
#include "unit/http/answerer.h"

#define HEAD " HTTP/1.1\r\nHost: localhost\r\n"

enum {
    CLIENTS_COUNT = 8,
    REQUESTS_COUNT = 60, /* of each; PROP_RUNS */
    STOPPED_ROUNDS_COUNT = 8,
    BODY_MAX_BYTES = 60000,
};

struct client {
    pthread_t thread;
    uint32_t seed;
    unsigned count;
};

static unsigned runs;

static uint32_t
next(struct client *c, uint32_t below)
{
    c->seed = c->seed * 1664525U + 1013904223U;
    return (c->seed >> 8) % below;
}

/* A head, and in `body_bytes` what is to follow it. */
static int
write_head(struct client *c, char *out, size_t size, size_t *body_bytes)
{
    static const char ALL[] = {WANTS_BLOCK, WANTS_BLOCK,  WANTS_REFUSE,
                               WANTS_EARLY, WANTS_SHORT,  WANTS_FAIL,
                               WANTS_NEVER, WANTS_ENDLESS};
    char wanted[3] = "";

    for (size_t i = 0; i < 2; i++) {
        wanted[i] = ALL[next(c, sizeof(ALL))];
    }
    *body_bytes = 0;
    if (next(c, 3) == 0) {
        return snprintf(out, size, "GET /p/s/a?%s" HEAD "\r\n", wanted);
    }
    *body_bytes = next(c, BODY_MAX_BYTES);
    return snprintf(out, size,
                    "POST /p/s/a?%s" HEAD "Content-Length: %zu\r\n\r\n", wanted,
                    *body_bytes);
}

static void
make_request(struct client *c)
{
    static const char BYTES[BODY_MAX_BYTES];
    const struct timeval wait = {.tv_usec = 1000L * (1 + next(c, 20))};
    char head[256];
    char answer[512];
    size_t body_bytes = 0;
    int len = write_head(c, head, sizeof(head), &body_bytes);
    int fd = serve_connect(HTTP_TASK);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    (void)!send(fd, head, (size_t)len, MSG_NOSIGNAL);
    if (next(c, 3) == 0) {
        body_bytes = body_bytes == 0 ? 0 : next(c, (uint32_t)body_bytes);
    }
    (void)!send(fd, BYTES, body_bytes, MSG_NOSIGNAL);
    for (uint32_t i = next(c, 4); i > 0; i--) {
        (void)!recvfrom(fd, answer, sizeof(answer), 0, NULL, NULL);
    }
    (void)close(fd);
}

static void *
make_requests(void *arg)
{
    struct client *c = arg;

    for (unsigned i = 0; i < c->count; i++) {
        make_request(c);
    }
    return NULL;
}

static void
start_clients(struct client *clients, unsigned count)
{
    for (size_t i = 0; i < CLIENTS_COUNT; i++) {
        clients[i] = (struct client){.seed = (uint32_t)prop_below(UINT32_MAX),
                                     .count = count};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, make_requests,
                                        &clients[i]),
                         0);
    }
}

static void
join_clients(struct client *clients)
{
    for (size_t i = 0; i < CLIENTS_COUNT; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
    }
}

static void
test_whatever_clients_do(void **state)
{
    struct client clients[CLIENTS_COUNT];

    (void)state;
    answerer_start(NULL);
    atomic_store(&answerer.restless, true);
    start_clients(clients, runs);
    join_clients(clients);
    answerer_end();
}

/* The clients have connections that stay open while the server is freed. */
static void
test_a_stop_in_the_midst(void **state)
{
    (void)state;
    for (int round = 0; round < STOPPED_ROUNDS_COUNT; round++) {
        struct client clients[CLIENTS_COUNT];
        int open[CLIENTS_COUNT];

        answerer_start(NULL);
        atomic_store(&answerer.restless, true);
        start_clients(clients, 8);
        join_clients(clients);
        for (int i = 0; i < CLIENTS_COUNT; i++) {
            struct client c = {.seed = (uint32_t)prop_below(UINT32_MAX)};
            char head[256];
            size_t body_bytes = 0;
            int len = write_head(&c, head, sizeof(head), &body_bytes);

            open[i] = serve_connect(HTTP_TASK);
            (void)!send(open[i], head, (size_t)len, MSG_NOSIGNAL);
        }
        (void)poll(NULL, 0, round);
        answerer_end();
        for (int i = 0; i < CLIENTS_COUNT; i++) {
            (void)close(open[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_clients_do),
        cmocka_unit_test(test_a_stop_in_the_midst),
    };

    runs = (unsigned)prop_begin(REQUESTS_COUNT);
    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
