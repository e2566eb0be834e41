/* One request to a service, against tests/common/service.py. */
#include <string.h>

#include "base/secret.h"
#include "common/check.h"
#include "common/talk.h"
#include "rotate/service.h"

static struct upstream *u;

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open((size_t)1024 * 1024));
    (void)service_start();
    u = talk_upstream();
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

static struct service_base
base_of(const char *scheme, uint16_t port)
{
    struct service_base base = {0};
    char url[64];

    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u", scheme,
                   (unsigned)port);
    check_ok(service_base_read(url, true, &base));
    return base;
}

static void
call(const struct service_base *base, const char *target,
     struct service_answer *ret)
{
    const struct service_request request = {
        .base = base, .method = "GET", .target = target, .owner = 7};

    check_ok(service_call(u, &request, ret));
}

static void
test_where_a_service_is(void **state)
{
    static const char *const BAD[] = {
        "",
        "example.org",
        "http://example.org",
        "http://localhost",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "https://user@example.org",
        "https://example.org?q",
        "https://example.org/a?q",
        "https://example.org/a//b",
        "https://example.org//",
        "https://example.org/%41",
        "https://example.org:0x50/",
    };
    struct service_base base = {0};

    (void)state;
    check_ok(service_base_read("https://Example.org/api/v3/", true, &base));
    assert_string_equal(base.host, "example.org");
    assert_string_equal(base.authority, "example.org");
    assert_string_equal(base.path, "/api/v3");
    assert_int_equal(base.port, 443);
    assert_true(base.inner && !base.plain);
    check_ok(service_base_read("http://127.0.0.1:8080", false, &base));
    assert_string_equal(base.authority, "127.0.0.1:8080");
    assert_string_equal(base.path, "");
    assert_true(!base.inner && base.plain);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(service_base_read(BAD[i], true, &base), AG_EINVAL);
        assert_string_equal(base.authority, "127.0.0.1:8080");
    }
}

static void
test_what_is_sent_arrives_and_its_answer_comes_back(void **state)
{
    const struct service_base base = base_of("https", service.good);
    const struct upstream_field fields[] = {
        {span_str("Authorization"), span_str("Bearer word"), true}};
    const struct service_request request = {.base = &base,
                                            .method = "POST",
                                            .target = "/echo?a=b",
                                            .fields = fields,
                                            .field_count = 1,
                                            .body = span_str("what is sent"),
                                            .owner = 7};
    AG_AUTO(service_answer) struct service_answer answer = {0};
    char text[2048];
    char code[ROTATOR_CODE_BYTES];

    (void)state;
    check_ok(service_call(u, &request, &answer));
    assert_int_equal(answer.end, SERVICE_ANSWERED);
    assert_int_equal(answer.status, 200);
    assert_int_equal(service_outcome(&answer, code), ROTATOR_DONE);
    (void)snprintf(text, sizeof(text), "%.*s", (int)secret_len(answer.body),
                   (const char *)secret_view(answer.body).ptr);
    assert_non_null(strstr(text, "POST /echo?a=b HTTP/1.1"));
    assert_non_null(strstr(text, "Authorization: Bearer word"));
    assert_non_null(strstr(text, "\"bytes\": 12"));
}

static void
test_the_services_clock_is_read(void **state)
{
    static const struct {
        const char *is;
        int64_t ms;
    } DATES[] = {
        {"Sun,%2006%20Nov%201994%2008:49:37%20GMT", INT64_C(784111777000)},
        {"Sun,%2006%20Nov%201994%2008:49:37%20UTC+1", 0},
        {"Sunday,%2006-Nov-94%2008:49:37%20GMT", 0},
        {"Sun,%2031%20Feb%201994%2008:49:37%20GMT", 0},
        {"Sun,%2006%20ovD%201994%2008:49:37%20GMT", 0},
        {"now", 0},
    };
    const struct service_base base = base_of("http", service.plain);
    char target[128];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(DATES); i++) {
        AG_AUTO(service_answer) struct service_answer answer = {0};

        (void)snprintf(target, sizeof(target), "/dated?is=%s", DATES[i].is);
        call(&base, target, &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.date_ms, DATES[i].ms);
    }
}

static void
check_end(const struct service_base *base, const char *target,
          enum service_end end, enum rotator_outcome outcome)
{
    AG_AUTO(service_answer) struct service_answer answer = {0};
    char code[ROTATOR_CODE_BYTES] = "";

    call(base, target, &answer);
    assert_int_equal(answer.end, end);
    assert_int_equal(service_outcome(&answer, code), outcome);
    assert_true(code[0] != '\0' || outcome == ROTATOR_DONE);
}

static void
test_what_may_have_arrived_is_lost_and_not_refused(void **state)
{
    static const char *const LOST[] = {
        "/empty",     "/garbage", "/cut-head",    "/cut-body",
        "/cut-chunk", "/folded",  "/many-fields", "/bytes?n=65537",
    };
    struct service_base base = base_of("http", service.plain);

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LOST); i++) {
        check_end(&base, LOST[i], SERVICE_LOST, ROTATOR_UNSURE);
    }
    check_end(&base, "/bytes?n=65536", SERVICE_ANSWERED, ROTATOR_DONE);
    base = base_of("https", service.wrong);
    check_end(&base, "/echo", SERVICE_NOT_SENT, ROTATOR_LATER);
    base = base_of("https", service.unknown);
    check_end(&base, "/echo", SERVICE_NOT_SENT, ROTATOR_LATER);
    base = base_of("http", 1);
    check_end(&base, "/echo", SERVICE_NOT_SENT, ROTATOR_LATER);
    /* An inner address that no rule names. */
    base = base_of("https", service.good);
    base.inner = false;
    check_end(&base, "/echo", SERVICE_NOT_SENT, ROTATOR_REFUSED);
}

static void
test_what_a_status_means(void **state)
{
    static const struct {
        int status;
        enum rotator_outcome outcome;
    } ROWS[] = {
        {200, ROTATOR_DONE},    {201, ROTATOR_DONE},    {204, ROTATOR_DONE},
        {202, ROTATOR_UNSURE},  {302, ROTATOR_UNSURE},  {400, ROTATOR_REFUSED},
        {404, ROTATOR_REFUSED}, {422, ROTATOR_REFUSED}, {429, ROTATOR_LATER},
        {500, ROTATOR_UNSURE},  {502, ROTATOR_UNSURE},  {503, ROTATOR_LATER},
    };

    char code[ROTATOR_CODE_BYTES];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        const struct service_answer answer = {.end = SERVICE_ANSWERED,
                                              .status = ROWS[i].status};

        assert_int_equal(service_outcome(&answer, code), ROWS[i].outcome);
    }
}

static void
test_whose_connections_they_are(void **state)
{
    AG_AUTO(secret) struct secret *one = NULL;
    AG_AUTO(secret) struct secret *other = NULL;

    (void)state;
    check_ok(secret_from(span_str("one"), &one));
    check_ok(secret_from(span_str("other"), &other));
    assert_int_equal(service_owner(one), service_owner(one));
    assert_int_not_equal(service_owner(one), service_owner(other));
    assert_true(service_owner(one) >= 0x40000000 &&
                service_owner(one) < 0x80000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_service_is),
        cmocka_unit_test(test_what_is_sent_arrives_and_its_answer_comes_back),
        cmocka_unit_test(test_the_services_clock_is_read),
        cmocka_unit_test(test_what_may_have_arrived_is_lost_and_not_refused),
        cmocka_unit_test(test_what_a_status_means),
        cmocka_unit_test(test_whose_connections_they_are),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
