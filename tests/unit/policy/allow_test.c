/* Hosts that a task may reach without a credential: what is read, what covers
 * what. */
#include "common/check.h"
#include "policy/allow.h"

static bool
covers(const char *allow, const char *host, uint16_t port)
{
    struct allow a = {0};
    struct guard_host h = {0};

    check_ok(allow_read(span_str(allow), &a));
    check_ok(guard_read_host(span_str(host), &h));
    return allow_covers(&a, &h, port);
}

static void
test_a_host_is_itself_on_the_usual_ports(void **state)
{
    (void)state;
    assert_true(covers("Example.org", "example.org", 443));
    assert_true(covers("example.org", "EXAMPLE.ORG", 80));
    assert_false(covers("example.org", "example.org", 8443));
    assert_false(covers("example.org", "a.example.org", 443));
    assert_false(covers("example.org", "example.org.evil.net", 443));
    assert_false(covers("example.org", "xexample.org", 443));
    assert_true(covers("1.2.3.4", "1.2.3.4", 443));
    assert_true(covers("[2606:4700::1]:8080", "2606:4700:0::1", 8080));
}

static void
test_a_port_is_that_port(void **state)
{
    (void)state;
    assert_true(covers("example.org:22", "example.org", 22));
    assert_false(covers("example.org:22", "example.org", 443));
    assert_false(covers("example.org:443", "example.org", 80));
}

static void
test_a_wildcard_is_what_is_below(void **state)
{
    (void)state;
    assert_true(covers("*.example.org", "a.example.org", 443));
    assert_true(covers("*.example.org", "b.a.example.org", 80));
    assert_false(covers("*.example.org", "example.org", 443));
    assert_false(covers("*.example.org", "aexample.org", 443));
    assert_false(covers("*.example.org", "abcexample.org", 443));
    assert_true(covers("*.example.org:8443", "a.example.org", 8443));
    assert_false(covers("*.example.org:8443", "a.example.org", 443));
}

static void
test_what_is_no_such_host_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "*",
        "*.",
        "*.org",
        "*.1.2.3.4",
        "*.*.example.org",
        "a.*.org",
        "a*.example.org",
        "https://example.org",
        "example.org/",
        "example.org:",
        "example.org:0",
        "example.org:080",
        "example.org:65536",
        "example.org:443:1",
        "user@example.org",
        "example.org ",
        "example.org.",
        ".example.org",
        "2606:4700::1",
        "0x7f.1",
        "127.1:80,inner",
        "example.org,inner",
        "*.example.org:80,inner",
        "example.org:80,INNER",
        ",inner",
    };
    struct allow a = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(allow_read(span_str(BAD[i]), &a), AG_EINVAL);
    }
}

static void
test_inner_and_protocol(void **state)
{
    struct allow a = {0};

    (void)state;
    check_ok(allow_read(span_str("127.0.0.1:5432,inner"), &a));
    assert_true(a.inner && a.port == 5432 && allow_any_protocol(&a));
    check_ok(allow_read(span_str("example.org"), &a));
    assert_false(a.inner || allow_any_protocol(&a));
    check_ok(allow_read(span_str("example.org:443"), &a));
    assert_false(allow_any_protocol(&a));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_is_itself_on_the_usual_ports),
        cmocka_unit_test(test_a_port_is_that_port),
        cmocka_unit_test(test_a_wildcard_is_what_is_below),
        cmocka_unit_test(test_what_is_no_such_host_is_refused),
        cmocka_unit_test(test_inner_and_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
