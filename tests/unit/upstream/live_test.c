/* Calls against a real service: what is sent, what is told, and each way in
 * which a service can be at fault. */
#include <stdatomic.h>

#include "common/talk.h"
#include "unit/upstream/fixture.h"

static void
expect_in(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", wanted, text);
    }
}

static void
expect_not_in(const char *text, const char *unwanted)
{
    if (strstr(text, unwanted) != NULL) {
        fail_msg("\"%s\" is in \"%s\"", unwanted, text);
    }
}

/* Runs a GET that must be answered whole with `status`. */
static struct talk *
get(uint16_t port, const char *target, int status)
{
    struct talk *t = talk_new(port, target);

    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, status);
    return t;
}

static void
test_request_is_sent_as_it_is(void **state)
{
    struct talk *t =
        talk_new(service.good, "/echo/a/../%2e%2E//b;c?q=1&q=%00+[]{}|^?");

    (void)state;
    talk_field(t, "Authorization", "Bearer canary-value");
    talk_field(t, "X-Two", "first");
    talk_field(t, "x-two", "second, \"quoted\"");
    talk_field(t, "X-Empty", "");
    talk_field(t, "Cookie", "a=b; c=d");
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, 200);
    expect_in(t->body, "[\"GET /echo/a/../%2e%2E//b;c?q=1&q=%00+[]{}|^? "
                       "HTTP/1.1\", \"Host: localhost:");
    expect_in(t->body, "\"Authorization: Bearer canary-value\", "
                       "\"X-Two: first\", "
                       "\"x-two: second, \\\"quoted\\\"\", \"X-Empty:\", "
                       "\"Cookie: a=b; c=d\"");
    /* Nothing that nobody asked for. */
    expect_not_in(t->body, "User-Agent");
    expect_not_in(t->body, "Accept");
    expect_not_in(t->body, "Expect");
    expect_not_in(t->body, "Content-");
    expect_not_in(t->body, "Transfer-");
    expect_not_in(t->body, "Connection:");
    talk_done(t);
}

/* Neither a proxy of the environment nor a password of ~/.netrc, and the keys of
 * TLS go to no file (fixture.h). */
static void
test_nothing_steers_a_call(void **state)
{
    const uint16_t ports[] = {service.plain, service.good};
    char path[sizeof(service.dir) + 16];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ports); i++) {
        struct talk *t = get(ports[i], "/echo", 200);

        expect_in(t->body, "[\"GET /echo HTTP/1.1\"");
        expect_not_in(t->body, "Authorization");
        talk_done(t);
    }
    (void)snprintf(path, sizeof(path), "%s/keys", service.dir);
    assert_int_equal(access(path, F_OK), -1);
}

static void
test_answer_is_told_as_it_is(void **state)
{
    struct talk *t = get(service.good, "/echo", 200);

    (void)state;
    expect_in(t->head, "Set-Cookie: a=1\nSet-Cookie: b=2\nX-Empty: \n"
                       "Content-Type: application/json\n");
    assert_int_equal(t->field_count, 5);
    talk_done(t);
    t = get(service.good, "/redirect", 302);
    expect_in(t->head, "Location: /echo\n");
    talk_done(t);
    t = get(service.good, "/gzip", 200); /* left alone, broken or not */
    assert_int_equal(t->got_bytes, 12);
    talk_done(t);
    t = get(service.good, "/interim", 200);
    expect_not_in(t->head, "Link");
    assert_string_equal(t->body, "after hints");
    talk_done(t);
    t = get(service.good, "/chunked?n=3", 200);
    assert_string_equal(t->body, "<0><1><2>");
    talk_done(t);
    t = get(service.good, "/until-close", 200);
    assert_string_equal(t->body, "to the end");
    talk_done(t);
    t = get(service.good, "/head?status=304+Not+Modified", 304);
    expect_in(t->head, "X-Here: yes\n");
    talk_done(t);
}

static void
test_cookies_stay_nowhere(void **state)
{
    struct talk *t;

    (void)state;
    talk_done(get(service.good, "/echo", 200));
    t = get(service.good, "/echo", 200);
    expect_not_in(t->body, "Cookie: a=1");
    talk_done(t);
}

static void
test_head_has_no_body(void **state)
{
    struct talk *t = talk_new(service.good, "/head?status=200+OK");

    (void)state;
    t->request.method = span_str("HEAD");
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, 200);
    assert_int_equal(t->got_bytes, 0);
    talk_done(t);
}

static void
test_trailers_are_told(void **state)
{
    struct talk *t = get(service.good, "/trailers", 200);

    (void)state;
    assert_string_equal(t->body, "body");
    assert_string_equal(t->trailers, "X-Sum: 4\nX-Sum: again\n");
    talk_done(t);
}

/* Held back with the body, they come together. */
static void
test_trailers_after_a_pause(void **state)
{
    const uint16_t ports[] = {service.plain, service.good};

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct talk *t = talk_new(ports[i % 2], "/trailers");

        atomic_store(&t->hold_body, true);
        talk_start(u, t);
        talk_wait_held(t, 1);
        talk_done(get(service.good, "/connection", 200));
        atomic_store(&t->hold_body, false);
        upstream_resume(t->call);
        talk_wait_end(t);
        check_ok(t->err);
        assert_string_equal(t->body, "body");
        assert_string_equal(t->trailers, "X-Sum: 4\nX-Sum: again\n");
        talk_done(t);
    }
}

static void
expect_body(bool chunked, const char *say, const char *head, const char *bytes)
{
    struct talk *t = talk_new(service.good, "/echo");

    talk_post(t, say, 0, chunked);
    talk_run(u, t, AG_OK, NULL);
    expect_in(t->body, head);
    expect_in(t->body, bytes);
    expect_not_in(t->body, "Expect");
    talk_done(t);
}

static void
test_bodies_have_one_length(void **state)
{
    (void)state;
    expect_body(false, "twelve bytes", "\"Content-Length: 12\"",
                "\"bytes\": 12,");
    expect_body(true, "twelve bytes", "\"Transfer-Encoding: chunked\"",
                "\"bytes\": 12,");
    expect_body(false, "", "\"Content-Length: 0\"", "\"bytes\": 0,");
    expect_body(true, "", "\"Transfer-Encoding: chunked\"", "\"bytes\": 0,");
}

static void
test_body_may_come_later(void **state)
{
    struct talk *t = talk_new(service.good, "/echo");

    (void)state;
    talk_post(t, "late", 0, true);
    atomic_store(&t->hold_send, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    upstream_resume(t->call); /* early: asked once more, nothing lost */
    talk_wait_held(t, 2);
    atomic_store(&t->hold_send, false);
    upstream_resume(t->call);
    talk_wait_end(t);
    check_ok(t->err);
    expect_in(t->body, "\"bytes\": 4,");
    talk_done(t);
}

static void
test_short_body_is_our_fault(void **state)
{
    struct talk *t = talk_new(service.good, "/echo");

    (void)state;
    talk_post(t, "short", 0, false);
    t->request.body_bytes = 6;
    talk_run(u, t, AG_EINVAL, "localhost: the body ended before its length");
    talk_done(t);
}

static void
test_no_more_is_sent_than_was_said(void **state)
{
    struct talk *t = talk_new(service.good, "/echo");

    (void)state;
    talk_post(t, "longer than that", 0, false);
    t->request.body_bytes = 6;
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->given_bytes, 6);
    expect_in(t->body, "\"bytes\": 6,");
    talk_done(t);
}

static void
test_full_reader_holds_the_stream(void **state)
{
    struct talk *t = talk_new(service.good, "/bytes?n=20000000");

    (void)state;
    atomic_store(&t->hold_body, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    upstream_resume(t->call);
    talk_wait_held(t, 2);
    assert_int_equal(t->got_bytes, 0);
    atomic_store(&t->hold_body, false);
    upstream_resume(t->call);
    talk_wait_end(t);
    check_ok(t->err);
    assert_int_equal(t->got_bytes, 20000000);
    assert_false(t->pattern_broken);
    talk_done(t);
}

/* The next event is only made once this one was seen. */
static void
test_events_pass_as_they_come(void **state)
{
    struct talk *t = talk_new(service.good, "/events?n=4");
    int64_t bytes = (int64_t)strlen("data: 0\n\n");

    (void)state;
    talk_start(u, t);
    for (int i = 1; i <= 4; i++) {
        talk_wait_bytes(t, bytes * i);
        assert_int_equal(t->got_bytes, bytes * i);
        talk_done(get(service.good, "/tick", 200));
    }
    talk_wait_end(t);
    check_ok(t->err);
    talk_done(t);
}

/* How much had been told when a turn was over, and how often one was. */
static struct {
    struct talk *talk;
    int64_t bytes;
    int count;
} turn;

static void
on_turn(void *ctx)
{
    struct talk *t = ctx;

    (void)pthread_mutex_lock(&t->lock);
    assert_ptr_equal(t, turn.talk);
    assert_false(t->ended);
    turn.bytes = t->got_bytes;
    turn.count++;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static void
test_turn_is_told_behind_what_it_brought(void **state)
{
    struct upstream_events events = TALK_EVENTS;
    struct talk *t = talk_new(service.good, "/events?n=3");
    int count = 0;

    (void)state;
    events.on_turn = on_turn;
    turn.talk = t;
    check_ok(upstream_start(u, &t->request, &events, t, &t->call));
    for (int64_t i = 1; i <= 3; i++) {
        (void)pthread_mutex_lock(&t->lock);
        while (turn.bytes < i * 9) { /* "data: 0\n\n" */
            (void)pthread_cond_wait(&t->changed, &t->lock);
        }
        assert_true(turn.count > count);
        count = turn.count;
        (void)pthread_mutex_unlock(&t->lock);
        talk_done(get(service.good, "/tick", 200));
    }
    talk_wait_end(t);
    check_ok(t->err);
    talk_done(t);
}

static void
test_expect_waits_for_the_answer(void **state)
{
    struct talk *t = talk_new(service.good, "/echo");

    (void)state;
    talk_post(t, "after 100", 0, false);
    t->request.flags |= UPSTREAM_EXPECT;
    talk_run(u, t, AG_OK, NULL);
    expect_in(t->body, "\"Expect: 100-continue\"");
    expect_in(t->body, "\"bytes\": 9,");
    talk_done(t);

    t = talk_new(service.good, "/early");
    talk_post(t, "never asked for", 0, false);
    t->request.flags |= UPSTREAM_EXPECT;
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, 403);
    assert_int_equal(t->given_bytes, 0);
    talk_done(t);
}

static void
test_early_answer_ends_the_upload(void **state)
{
    struct talk *t = talk_new(service.good, "/early");

    (void)state;
    talk_post(t, NULL, (int64_t)1 << 40, false);
    talk_start(u, t);
    talk_wait_end(t);
    /* Whole, unless the service's reset came first. */
    assert_true(t->err == AG_OK ? t->status == 403 : t->err == AG_EUPSTREAM);
    assert_true(t->given_bytes < (int64_t)1 << 30);
    talk_done(t);
}

static void
test_plain_http_only_by_name(void **state)
{
    struct talk *t = get(service.plain, "/echo", 200);

    (void)state;
    talk_done(t);
    t = talk_new(service.plain, "/echo");
    t->request.flags = UPSTREAM_INNER; /* https to a port that speaks http */
    talk_run(u, t, AG_EUPTLS, "localhost: TLS could not be set up");
    talk_done(t);
}

static void
expect_refused(uint16_t port, const char *host, const char *says)
{
    struct talk *t = talk_new(port, "/echo");

    t->request.host = span_str(host);
    talk_field(t, "Authorization", "Bearer canary-value");
    talk_run(u, t, AG_EUPTLS, says);
    expect_in(t->why, host);
    expect_not_in(t->why, "canary");
    assert_int_equal(t->status, 0);
    talk_done(t);
}

static void
test_certificates_are_verified(void **state)
{
    (void)state;
    expect_refused(service.expired, "localhost", "certificate has expired");
    expect_refused(service.wrong, "localhost", "is for another name");
    expect_refused(service.unknown, "localhost", "unknown authority");
    expect_refused(service.wrong, "127.0.0.1", "is for another");
}

static void
test_faults_of_a_service(void **state)
{
    static const struct {
        const char *target;
        const char *says;
    } FAULTS[] = {
        {"/empty", "closed without an answer"},
        {"/garbage", "not HTTP"},
        {"/cut-head", "localhost: "},
        {"/cut-body", "closed within its answer"},
        {"/cut-chunk", "localhost: "},
        {"/folded", "a field of the answer is not one"},
        {"/many-fields", "more than 256 fields"},
        {"/large-head", "larger than"},
        {"/switch", "nobody asked for"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(FAULTS); i++) {
        struct talk *t = talk_new(service.good, FAULTS[i].target);

        talk_run(u, t, AG_EUPSTREAM, FAULTS[i].says);
        expect_in(t->why, "localhost");
        talk_done(t);
    }
}

static void
test_refused_expectation(void **state)
{
    struct talk *t = talk_new(service.good, "/expectation");

    (void)state;
    talk_post(t, "body", 0, false);
    t->request.flags |= UPSTREAM_EXPECT;
    talk_start(u, t);
    talk_wait_end(t);
    assert_int_equal(t->status, 417); /* told once, whatever follows */
    talk_done(t);
}

static void
test_nothing_listens(void **state)
{
    struct talk *t = talk_new(1, "/");

    (void)state;
    talk_run(u, t, AG_EUNREACHABLE, "localhost: it takes no connection");
    talk_done(t);
    t = talk_new(443, "/");
    t->request.host = span_str("no-such-name.invalid");
    talk_run(u, t, AG_EUNREACHABLE, "no-such-name.invalid: its name has no");
    talk_done(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_sent_as_it_is),
        cmocka_unit_test(test_nothing_steers_a_call),
        cmocka_unit_test(test_answer_is_told_as_it_is),
        cmocka_unit_test(test_cookies_stay_nowhere),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_trailers_are_told),
        cmocka_unit_test(test_trailers_after_a_pause),
        cmocka_unit_test(test_bodies_have_one_length),
        cmocka_unit_test(test_body_may_come_later),
        cmocka_unit_test(test_short_body_is_our_fault),
        cmocka_unit_test(test_no_more_is_sent_than_was_said),
        cmocka_unit_test(test_full_reader_holds_the_stream),
        cmocka_unit_test(test_events_pass_as_they_come),
        cmocka_unit_test(test_turn_is_told_behind_what_it_brought),
        cmocka_unit_test(test_expect_waits_for_the_answer),
        cmocka_unit_test(test_early_answer_ends_the_upload),
        cmocka_unit_test(test_plain_http_only_by_name),
        cmocka_unit_test(test_certificates_are_verified),
        cmocka_unit_test(test_faults_of_a_service),
        cmocka_unit_test(test_refused_expectation),
        cmocka_unit_test(test_nothing_listens),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
