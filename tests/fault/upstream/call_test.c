/* Each allocation, socket and thread of a call fails in turn, libcurl's own
 * among them: the call ends once or does not start, with an error that says so,
 * and leaves nothing behind. */
// WRAP: wipe_malloc wipe_calloc wipe_realloc wipe_strdup calloc realloc strdup
// WRAP: secret_new pthread_create socket curl_easy_init curl_multi_init
// WRAP: curl_multi_add_handle buf_add curl_easy_pause reactor_watch reactor_want
#include <sys/socket.h>

#include <pthread.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/reactor.h"
#include "base/secret.h"
#include "common/fault.h"
#include "common/fdcount.h"
#include "common/talk.h"

FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, wipe_calloc, (size_t count, size_t len), (count, len),
              NULL)
FAULT_WRAPPER(void *, wipe_realloc, (void *ptr, size_t len), (ptr, len), NULL)
FAULT_WRAPPER(char *, wipe_strdup, (const char *text), (text), NULL)
FAULT_WRAPPER(void *, calloc, (size_t count, size_t len), (count, len), NULL)
FAULT_WRAPPER(void *, realloc, (void *ptr, size_t len), (ptr, len), NULL)
FAULT_WRAPPER(char *, strdup, (const char *text), (text), NULL)
FAULT_WRAPPER(enum ag_err, secret_new, (size_t len, struct secret **ret),
              (len, ret), AG_EMEMLOCK)
FAULT_WRAPPER(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t *attr,
               void *(*run)(void *), void *arg),
              (thread, attr, run, arg), EAGAIN)
FAULT_WRAPPER(int, socket, (int family, int type, int protocol),
              (family, type, protocol), -1)
FAULT_WRAPPER(CURL *, curl_easy_init, (void), (), NULL)
FAULT_WRAPPER(CURLM *, curl_multi_init, (void), (), NULL)
FAULT_WRAPPER(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy),
              (multi, easy), CURLM_OUT_OF_MEMORY)
FAULT_WRAPPER(enum ag_err, buf_add, (struct buf * b, struct span bytes),
              (b, bytes), AG_ENOMEM)
FAULT_WRAPPER(enum ag_err, reactor_watch,
              (struct reactor * r, int fd, reactor_ready_fn fn, void *ctx,
               struct reactor_source **ret),
              (r, fd, fn, ctx, ret), AG_ENOMEM)
FAULT_WRAPPER(enum ag_err, reactor_want,
              (struct reactor_source * source, unsigned events),
              (source, events), AG_EIO)
FAULT_WRAPPER(CURLcode, curl_easy_pause, (CURL * easy, int mask), (easy, mask),
              CURLE_OUT_OF_MEMORY)

enum {
    WHOLE_MS = 20 * 1000, /* a call that hangs is a failure of the test */
    RUNS_MAX_COUNT = 5000,
};

/* The first part is asked for twice, so that the call is held and goes on. */
static enum upstream_flow
on_held_body(void *ctx, struct span part)
{
    struct talk *t = ctx;

    if (atomic_fetch_add(&t->held_count, 1) == 0) {
        upstream_resume(t->call);
        return UPSTREAM_WAIT;
    }
    return talk_on_body(ctx, part);
}

static struct talk *
make_talk(uint16_t port)
{
    struct talk *t = talk_new(port, "/trailers");

    t->request.host = span_str("127.0.0.1"); /* no resolver's thread */
    t->times = (struct upstream_times){.whole_ms = WHOLE_MS};
    t->request.times = &t->times;
    talk_field(t, "Authorization", "Bearer canary-value");
    talk_post(t, "a body", 0, true);
    return t;
}

static bool
is_told(enum ag_err err)
{
    return err == AG_ENOMEM || err == AG_EMEMLOCK || err == AG_EUPSTREAM ||
           err == AG_EUNREACHABLE || err == AG_EUPTLS;
}

/* Returns whether a call failed; everything must be as before. */
static bool
run_once(uint16_t port, unsigned nth, bool all_later)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream_events events = TALK_EVENTS;
    struct talk *t = make_talk(port);
    struct upstream *u = NULL;
    enum ag_err err;
    bool fired;

    events.on_body = on_held_body;
    fault_arm(nth);
    fault.all_later = all_later;
    err = upstream_new(&limits, service.ca, &u);
    if (err == AG_OK) {
        err = upstream_start(u, &t->request, &events, t, &t->call);
    }
    if (err == AG_OK) {
        talk_wait_end(t);
        err = t->err;
        assert_int_equal(t->ends, 1);
    } else {
        assert_null(t->call);
        assert_int_equal(t->ends, 0);
    }
    fired = fault_done();
    upstream_cancel(t->call);
    upstream_free(u);
    if (err != AG_OK && (!fired || !is_told(err))) {
        fail_msg("call %u: %s (%s)", nth, err_code(err), t->why);
    }
    talk_free(t);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return fired;
}

static void
run_all(uint16_t port, bool all_later)
{
    size_t open_before;
    unsigned n = 1;

    (void)run_once(port, 0, false); /* what is set up once */
    open_before = fd_count_open();
    while (run_once(port, n, all_later)) {
        n++;
        assert_true(n < RUNS_MAX_COUNT);
    }
    assert_true(n > 50);
    assert_int_equal(fd_count_open(), open_before);
}

static void
test_plain(void **state)
{
    (void)state;
    run_all(service.plain, false);
    run_all(service.plain, true);
}

static void
test_tls(void **state)
{
    (void)state;
    run_all(service.good, false);
}

static void
test_http2(void **state)
{
    (void)state;
    if (service.h2 == 0) {
        skip();
    }
    run_all(service.h2, false);
}

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    return service_start();
}

static int
teardown(void **state)
{
    (void)state;
    return service_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_http2),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
