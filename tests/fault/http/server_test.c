/* Each allocation and each thread of the server's start fails in turn: an
 * error, nothing left, and the next start works. */
// WRAP: calloc pthread_create
#include "common/fault.h"
#include "unit/http/serve.h"

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

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *), void *arg);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                      void *(*run)(void *), void *arg)
{
    return fails_now() ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static enum ag_err
start(struct server **ret)
{
    const struct server_app app = {
        .state = serve_state,
        .admit = serve_admit,
        .leave = serve_leave,
        .used = serve_used,
        .write = serve_write,
        .stop = serve_stop,
    };
    const struct route_set routes = {SERVE_ROUTES, AG_COUNT(SERVE_ROUTES)};
    struct http_limits limits = http_limits_default();

    return server_new(&app, &routes, &limits, ret);
}

static void
test_each_step_of_the_start_fails_in_turn(void **state)
{
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        struct server *server = NULL;
        enum ag_err err;

        arm(n);
        err = start(&server);
        if (!has_fired()) {
            assert_int_equal(err, AG_OK);
            server_free(server);
            break;
        }
        assert_int_equal(err, AG_ENOMEM);
        assert_null(server);
    }
    assert_true(n > 6);
}

/* A request that finds no memory is answered by an error or a closed
 * connection, and the server goes on. */
static void
test_requests_without_memory(void **state)
{
    static const char REQUEST[] = "PUT /v1/echo HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: 13\r\n\r\n"
                                  "{\"value\":\"x\"}";
    unsigned n;

    (void)state;
    serve_start(NULL);
    for (n = 1;; n++) {
        struct answer a;
        int fd = serve_connect(HTTP_ADMIN);
        bool fired;

        arm(n);
        serve_send(fd, REQUEST, strlen(REQUEST));
        serve_read(fd, &a);
        fired = has_fired();
        (void)close(fd);
        if (!fired) {
            assert_int_equal(a.status, 200);
            break;
        }
        assert_true(a.status == 0 || a.status == 500);
    }
    assert_true(n > 2);
    serve_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_step_of_the_start_fails_in_turn),
        cmocka_unit_test(test_requests_without_memory),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
