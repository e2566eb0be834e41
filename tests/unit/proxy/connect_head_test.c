/* The head of a CONNECT, strictly. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "proxy/connect_head.h"

static void
check_refused(const char *text, enum ag_err wanted)
{
    struct connect_head head = {0};
    size_t len = 7;

    check_err(connect_head_read(span_str(text), &head, &len), wanted);
    assert_int_equal(len, 0);
}

static size_t
check_read(const char *text, const char *host, uint16_t port)
{
    struct connect_head head = {0};
    size_t len = 0;

    check_ok(connect_head_read(span_str(text), &head, &len));
    assert_true(len > 0);
    assert_string_equal(head.host.text, host);
    assert_int_equal(head.port, port);
    return len;
}

static void
test_clients_heads(void **state)
{
    static const char CURL[] = "CONNECT api.example.org:443 HTTP/1.1\r\n"
                               "Host: api.example.org:443\r\n"
                               "User-Agent: curl/7.88.1\r\n"
                               "Proxy-Connection: Keep-Alive\r\n\r\n";

    (void)state;
    assert_int_equal(check_read(CURL, "api.example.org", 443),
                     sizeof(CURL) - 1);
    (void)check_read("CONNECT A.example.org:8443 HTTP/1.0\r\n\r\n",
                     "a.example.org", 8443);
    (void)check_read("CONNECT [::1]:1 HTTP/1.1\r\nhost: [::1]\r\n\r\n", "[::1]",
                     1);
    (void)check_read("CONNECT x.y:443 HTTP/1.1\r\nHost: x.y\r\n"
                     "Content-Length: 0\r\n\r\n",
                     "x.y", 443);
    /* Node's own client has the proxy there. */
    (void)check_read("CONNECT x.y:443 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
                     "x.y", 443);
    /* What comes behind it is not its own. */
    assert_int_equal(
        check_read("CONNECT x.y:1 HTTP/1.1\r\n\r\n\x16\x03", "x.y", 1), 26);
}

static void
test_any_cut_is_waited_for(void **state)
{
    static const char TEXT[] =
        "CONNECT x.y:443 HTTP/1.1\r\nHost: x.y:443\r\nA: b\r\n\r\n";
    struct connect_head head = {0};
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(TEXT) - 1; i++) {
        check_ok(connect_head_read(span_of(TEXT, i), &head, &len));
        assert_int_equal(len, 0);
    }
    for (size_t i = 0; i <= 8; i++) {
        assert_true(connect_head_begins(span_of(TEXT, i)));
    }
    assert_false(connect_head_begins(span_str("GET http")));
    assert_false(connect_head_begins(span_str("CONNECTX")));
    assert_false(connect_head_begins(span_str("c")));
}

static void
test_what_is_malformed(void **state)
{
    static const char *const BAD[] = {
        "CONNECT x.y HTTP/1.1\r\n\r\n",
        "CONNECT x.y: HTTP/1.1\r\n\r\n",
        "CONNECT x.y:0 HTTP/1.1\r\n\r\n",
        "CONNECT x.y:00443 HTTP/1.1\r\n\r\n",
        "CONNECT x.y:65536 HTTP/1.1\r\n\r\n",
        "CONNECT x.y:443x HTTP/1.1\r\n\r\n",
        "CONNECT :443 HTTP/1.1\r\n\r\n",
        "CONNECT x.y.:443 HTTP/1.1\r\n\r\n",
        "CONNECT a@x.y:443 HTTP/1.1\r\n\r\n",
        "CONNECT http://x.y:443 HTTP/1.1\r\n\r\n",
        "CONNECT ::1:443 HTTP/1.1\r\n\r\n",
        "CONNECT  x.y:443 HTTP/1.1\r\n\r\n",
        "CONNECT x.y:443  HTTP/1.1\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1 \r\n\r\n",
        "CONNECT x.y:443 HTTP/2.0\r\n\r\n",
        "CONNECT x.y:443\r\n\r\n",
        "connect x.y:443 HTTP/1.1\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\n\n",
        "CONNECT x.y:443 HTTP/1.1\r\nA: b\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\n A: b\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nA : b\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nA\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\n: b\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nA: b\x01\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nHost: x y\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nHost: http://x.y\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nHost:\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nHost: x.y\r\nHost: x.y\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        "CONNECT x.y:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_refused(BAD[i], AG_EHTTP);
    }
    check_refused("CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n", AG_EADDRESS);
    check_refused("CONNECT 2130706433:443 HTTP/1.1\r\n\r\n", AG_EADDRESS);
}

static void
test_what_is_too_large(void **state)
{
    static char text[CONNECT_HEAD_MAX_BYTES + 1];
    static const char LINE[] = "CONNECT x.y:443 HTTP/1.1\r\n";
    char *at = text + sizeof(LINE) - 1;

    (void)state;
    memcpy(text, LINE, sizeof(LINE));
    for (int i = 0; i <= CONNECT_FIELDS_MAX_COUNT; i++) {
        memcpy(at, "A: b\r\n", sizeof("A: b\r\n"));
        at += sizeof("A: b\r\n") - 1;
    }
    check_refused(text, AG_EHEAD);
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "CONNECT ", 8);
    check_refused(text, AG_EHEAD);
    memcpy(text, "CONNECT x.y:443 HTTP/1.1\r\nA:", 28);
    check_refused(text, AG_EHEAD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_heads),
        cmocka_unit_test(test_any_cut_is_waited_for),
        cmocka_unit_test(test_what_is_malformed),
        cmocka_unit_test(test_what_is_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
