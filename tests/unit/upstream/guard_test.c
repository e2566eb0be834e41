/* The guard's table: every kind of address, plain and carried within another,
 * and every spelling of a host that somebody's parser takes for an address. */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/check.h"
#include "upstream/guard.h"

static const struct {
    const char *address;
    enum guard_rule rule;
} ADDRESSES[] = {
    {"1.1.1.1", GUARD_PUBLIC},
    {"8.8.8.8", GUARD_PUBLIC},
    {"9.255.255.255", GUARD_PUBLIC},
    {"11.0.0.0", GUARD_PUBLIC},
    {"100.63.255.255", GUARD_PUBLIC},
    {"100.128.0.0", GUARD_PUBLIC},
    {"126.255.255.255", GUARD_PUBLIC},
    {"128.0.0.0", GUARD_PUBLIC},
    {"169.253.255.255", GUARD_PUBLIC},
    {"169.255.0.0", GUARD_PUBLIC},
    {"172.15.255.255", GUARD_PUBLIC},
    {"172.32.0.0", GUARD_PUBLIC},
    {"192.167.255.255", GUARD_PUBLIC},
    {"192.169.0.0", GUARD_PUBLIC},
    {"198.17.255.255", GUARD_PUBLIC},
    {"198.20.0.0", GUARD_PUBLIC},
    {"168.63.129.15", GUARD_PUBLIC},
    {"223.255.255.255", GUARD_PUBLIC},
    {"0.0.0.0", GUARD_UNSPECIFIED},
    {"0.0.0.1", GUARD_UNSPECIFIED},
    {"0.255.255.255", GUARD_UNSPECIFIED},
    {"127.0.0.1", GUARD_LOOPBACK},
    {"127.0.0.53", GUARD_LOOPBACK},
    {"127.255.255.255", GUARD_LOOPBACK},
    {"10.0.0.0", GUARD_PRIVATE},
    {"10.255.255.255", GUARD_PRIVATE},
    {"172.16.0.0", GUARD_PRIVATE},
    {"172.31.255.255", GUARD_PRIVATE},
    {"192.168.0.1", GUARD_PRIVATE},
    {"192.168.255.255", GUARD_PRIVATE},
    {"100.64.0.0", GUARD_SHARED},
    {"100.127.255.255", GUARD_SHARED},
    {"169.254.0.1", GUARD_LINK_LOCAL},
    {"169.254.255.255", GUARD_LINK_LOCAL},
    {"169.254.169.254", GUARD_METADATA},
    {"169.254.170.2", GUARD_METADATA},
    {"169.254.170.23", GUARD_METADATA},
    {"169.254.0.23", GUARD_METADATA},
    {"100.100.100.200", GUARD_METADATA},
    {"192.0.0.192", GUARD_METADATA},
    {"168.63.129.16", GUARD_METADATA},
    {"192.0.0.1", GUARD_RESERVED},
    {"192.0.2.1", GUARD_RESERVED},
    {"192.88.99.1", GUARD_RESERVED},
    {"198.51.100.1", GUARD_RESERVED},
    {"203.0.113.1", GUARD_RESERVED},
    {"198.18.0.0", GUARD_BENCHMARK},
    {"198.19.255.255", GUARD_BENCHMARK},
    {"224.0.0.1", GUARD_MULTICAST},
    {"239.255.255.255", GUARD_MULTICAST},
    {"240.0.0.1", GUARD_RESERVED},
    {"255.255.255.255", GUARD_RESERVED},
    {"2606:4700:4700::1111", GUARD_PUBLIC},
    {"2a00:1450:4001:81b::200e", GUARD_PUBLIC},
    {"::", GUARD_UNSPECIFIED},
    {"::1", GUARD_LOOPBACK},
    {"::2", GUARD_UNSPECIFIED}, /* carries 0.0.0.2 */
    {"fc00::1", GUARD_PRIVATE},
    {"fd12:3456:789a::1", GUARD_PRIVATE},
    {"fdff:ffff:ffff::1", GUARD_PRIVATE},
    {"fe80::1", GUARD_LINK_LOCAL},
    {"febf::1", GUARD_LINK_LOCAL},
    {"fec0::1", GUARD_PRIVATE},
    {"ff02::1", GUARD_MULTICAST},
    {"fd00:ec2::254", GUARD_METADATA},
    {"fd00:ec2::23", GUARD_METADATA},
    {"fd20:ce::254", GUARD_METADATA},
    {"fd00:ec2::255", GUARD_PRIVATE},
    {"2001:db8::1", GUARD_RESERVED},
    {"3fff::1", GUARD_RESERVED},
    {"2001:10::1", GUARD_RESERVED},
    {"100::1", GUARD_RESERVED},
    {"5f00::1", GUARD_RESERVED},
    {"2001:2::1", GUARD_BENCHMARK},
    /* IPv4 within IPv6 */
    {"::ffff:127.0.0.1", GUARD_LOOPBACK},
    {"::ffff:7f00:1", GUARD_LOOPBACK},
    {"::ffff:10.1.2.3", GUARD_PRIVATE},
    {"::ffff:169.254.169.254", GUARD_METADATA},
    {"::ffff:0.0.0.0", GUARD_UNSPECIFIED},
    {"::ffff:8.8.8.8", GUARD_PUBLIC},
    {"::ffff:0:127.0.0.1", GUARD_LOOPBACK},
    {"::127.0.0.1", GUARD_LOOPBACK},
    {"::a9fe:a9fe", GUARD_METADATA},
    {"64:ff9b::127.0.0.1", GUARD_LOOPBACK},
    {"64:ff9b::169.254.169.254", GUARD_METADATA},
    {"64:ff9b::192.168.1.1", GUARD_PRIVATE},
    {"64:ff9b::8.8.8.8", GUARD_PUBLIC},
    {"64:ff9b:1::7f00:1", GUARD_PRIVATE},
    {"2002:7f00:1::1", GUARD_LOOPBACK},
    {"2002:a9fe:a9fe::1", GUARD_METADATA},
    {"2002:a00:1::", GUARD_PRIVATE},
    {"2002:808:808::1", GUARD_PUBLIC},
    {"2001:0:808:808::80ff:fffe", GUARD_LOOPBACK}, /* Teredo, flipped */
    {"2001:0:808:808::5601:5601", GUARD_METADATA},
    {"2001:0:808:808::f7f7:f7f7", GUARD_PUBLIC},
    {"2a00::5efe:127.0.0.1", GUARD_LOOPBACK}, /* ISATAP */
    {"2a00::200:5efe:10.0.0.1", GUARD_PRIVATE},
    {"2a00::5efe:8.8.8.8", GUARD_PUBLIC},
};

static enum guard_rule
judge(const char *text)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
        return guard_judge((const struct sockaddr *)&in4, sizeof(in4));
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return guard_judge((const struct sockaddr *)&in6, sizeof(in6));
}

static void
test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(ADDRESSES); i++) {
        enum guard_rule as_text = GUARD_RESERVED;

        if (judge(ADDRESSES[i].address) != ADDRESSES[i].rule) {
            fail_msg("%s %s", ADDRESSES[i].address,
                     guard_says(judge(ADDRESSES[i].address)));
        }
        check_ok(guard_judge_text(ADDRESSES[i].address, &as_text));
        assert_int_equal(as_text, ADDRESSES[i].rule);
    }
}

static void
test_what_is_no_address(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in cut = {.sin_family = AF_INET};
    struct sockaddr_in6 cut6 = {.sin6_family = AF_INET6};
    char text[GUARD_TEXT_BYTES];
    enum guard_rule rule = GUARD_PUBLIC;

    (void)state;
    assert_int_equal(
        guard_judge((const struct sockaddr *)&local, sizeof(local)),
        GUARD_RESERVED);
    cut.sin_addr.s_addr = htonl(0x08080808);
    assert_int_equal(
        guard_judge((const struct sockaddr *)&cut, sizeof(cut) - 1),
        GUARD_RESERVED);
    assert_int_equal(inet_pton(AF_INET6, "2606:4700::1", &cut6.sin6_addr), 1);
    assert_int_equal(guard_judge((const struct sockaddr *)&cut6, sizeof(cut6)),
                     GUARD_PUBLIC);
    assert_int_equal(
        guard_judge((const struct sockaddr *)&cut6, sizeof(cut6) - 1),
        GUARD_RESERVED);
    guard_text((const struct sockaddr *)&local, sizeof(local), text);
    assert_string_equal(text, "?");
    guard_text((const struct sockaddr *)&cut, sizeof(cut), text);
    assert_string_equal(text, "8.8.8.8");
    check_err(guard_judge_text("localhost", &rule), AG_EINVAL);
    check_err(guard_judge_text("0x7f.1", &rule), AG_EINVAL);
    check_err(guard_judge_text("", &rule), AG_EINVAL);
}

static void
test_who_may_call_what(void **state)
{
    static const struct {
        enum guard_rule rule;
        bool inner;
        bool named;
    } MAY[] = {
        {GUARD_LOOPBACK, true, true},      {GUARD_PRIVATE, true, true},
        {GUARD_SHARED, true, true},        {GUARD_BENCHMARK, true, true},
        {GUARD_LINK_LOCAL, false, true},   {GUARD_METADATA, false, true},
        {GUARD_UNSPECIFIED, false, false}, {GUARD_MULTICAST, false, false},
        {GUARD_RESERVED, false, false},
    };

    (void)state;
    assert_true(guard_allows(GUARD_PUBLIC, GUARD_MAY_PUBLIC));
    for (size_t i = 0; i < AG_COUNT(MAY); i++) {
        assert_false(guard_allows(MAY[i].rule, GUARD_MAY_PUBLIC));
        assert_int_equal(guard_allows(MAY[i].rule, GUARD_MAY_INNER),
                         MAY[i].inner);
        assert_int_equal(guard_allows(MAY[i].rule, GUARD_MAY_NAMED),
                         MAY[i].named);
    }
}

static const struct {
    const char *host;
    const char *read; /* NULL: refused */
    enum guard_rule rule;
    enum ag_err err;
} HOSTS[] = {
    {"api.openai.com", "api.openai.com", GUARD_PUBLIC, AG_OK},
    {"API.OpenAI.com", "api.openai.com", GUARD_PUBLIC, AG_OK},
    {"a_b-c.example", "a_b-c.example", GUARD_PUBLIC, AG_OK},
    {"localhost", "localhost", GUARD_PUBLIC, AG_OK},
    {"1.2.3.4.example", "1.2.3.4.example", GUARD_PUBLIC, AG_OK},
    {"deadbeef", "deadbeef", GUARD_PUBLIC, AG_OK},
    {"8.8.8.8", "8.8.8.8", GUARD_PUBLIC, AG_OK},
    {"127.0.0.1", "127.0.0.1", GUARD_LOOPBACK, AG_OK},
    {"::1", "[::1]", GUARD_LOOPBACK, AG_OK},
    {"[::1]", "[::1]", GUARD_LOOPBACK, AG_OK},
    {"[0:0:0:0:0:0:0:1]", "[::1]", GUARD_LOOPBACK, AG_OK},
    {"[::FFFF:127.0.0.1]", "[::ffff:127.0.0.1]", GUARD_LOOPBACK, AG_OK},
    {"[2606:4700::1111]", "[2606:4700::1111]", GUARD_PUBLIC, AG_OK},
    /* others read these as addresses */
    {"0x7f.1", NULL, 0, AG_EADDRESS},
    {"0x7f000001", NULL, 0, AG_EADDRESS},
    {"2130706433", NULL, 0, AG_EADDRESS},
    {"017700000001", NULL, 0, AG_EADDRESS},
    {"127.1", NULL, 0, AG_EADDRESS},
    {"127.0.1", NULL, 0, AG_EADDRESS},
    {"0177.0.0.1", NULL, 0, AG_EADDRESS},
    {"127.0.0.01", NULL, 0, AG_EADDRESS},
    {"127.0.0.0x1", NULL, 0, AG_EADDRESS},
    {"127.0.0.1.1", NULL, 0, AG_EADDRESS},
    {"256.0.0.1", NULL, 0, AG_EADDRESS},
    {"0", NULL, 0, AG_EADDRESS},
    {"0x", NULL, 0, AG_EADDRESS},
    {"0X7F.1", NULL, 0, AG_EADDRESS},
    {"foo.1", NULL, 0, AG_EADDRESS},
    /* and these are no hosts */
    {"", NULL, 0, AG_EINVAL},
    {".", NULL, 0, AG_EINVAL},
    {"example.com.", NULL, 0, AG_EINVAL},
    {"127.0.0.1.", NULL, 0, AG_EINVAL},
    {".example.com", NULL, 0, AG_EINVAL},
    {"a..b", NULL, 0, AG_EINVAL},
    {"a b", NULL, 0, AG_EINVAL},
    {"a\tb", NULL, 0, AG_EINVAL},
    {"user@host", NULL, 0, AG_EINVAL},
    {"host/path", NULL, 0, AG_EINVAL},
    {"host:443", NULL, 0, AG_EINVAL},
    {"127.0.0.1:443", NULL, 0, AG_EINVAL},
    {"host#x", NULL, 0, AG_EINVAL},
    {"host?x", NULL, 0, AG_EINVAL},
    {"host\\x", NULL, 0, AG_EINVAL},
    {"%31%32%37.0.0.1", NULL, 0, AG_EINVAL},
    {"\xe2\x91\xa0.example", NULL, 0, AG_EINVAL},
    {"[::1", NULL, 0, AG_EINVAL},
    {"::1]", NULL, 0, AG_EINVAL},
    {"[]", NULL, 0, AG_EINVAL},
    {"[[::1]]", NULL, 0, AG_EINVAL},
    {"x::1]", NULL, 0, AG_EINVAL},
    {"[::1x", NULL, 0, AG_EINVAL},
    {"[127.0.0.1]", NULL, 0, AG_EINVAL},
    {"[fe80::1%eth0]", NULL, 0, AG_EINVAL},
    {"fe80::1%1", NULL, 0, AG_EINVAL},
    {"[v1.x]", NULL, 0, AG_EINVAL},
};

static void
test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(HOSTS); i++) {
        struct guard_host host;
        enum ag_err err = guard_read_host(span_str(HOSTS[i].host), &host);

        if (err != HOSTS[i].err) {
            fail_msg("\"%s\": %s", HOSTS[i].host, err_code(err));
        }
        if (err == AG_OK) {
            assert_string_equal(host.text, HOSTS[i].read);
            assert_int_equal(host.rule, HOSTS[i].rule);
        }
    }
}

static void
test_host_lengths(void **state)
{
    char text[GUARD_HOST_MAX_BYTES + 2];
    struct guard_host host;

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 50; i < sizeof(text); i += 51) {
        text[i] = '.';
    }
    text[GUARD_HOST_MAX_BYTES - 1] = 'a';
    check_ok(guard_read_host(span_of(text, GUARD_HOST_MAX_BYTES), &host));
    check_err(guard_read_host(span_of(text, GUARD_HOST_MAX_BYTES + 1), &host),
              AG_EINVAL);
    memset(text, 'a', sizeof(text));
    check_ok(guard_read_host(span_of(text, 63), &host));
    check_err(guard_read_host(span_of(text, 64), &host), AG_EINVAL);
    check_err(guard_read_host(span_of("a\0b", 3), &host), AG_EINVAL);
    memset(text, ':', sizeof(text));
    check_err(guard_read_host(span_of(text, GUARD_HOST_MAX_BYTES), &host),
              AG_EINVAL);
}

static void
test_what_is_said_of_a_host(void **state)
{
    struct guard_host host;

    (void)state;
    check_err(guard_read_host(span_str(""), &host), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "must have 1 to"));
    check_err(guard_read_host(span_str("a\x80"), &host), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "a byte that no host has"));
    check_err(guard_read_host(span_str("a/b"), &host), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "not a name or address"));
}

static const struct {
    const char *text;
    const char *host; /* NULL: refused */
    uint16_t port;
} AUTHORITIES[] = {
    {"a.b", "a.b", 0},
    {"A.b:443", "a.b", 443},
    {"a.b:1", "a.b", 1},
    {"a.b:65535", "a.b", 65535},
    {"127.0.0.1:80", "127.0.0.1", 80},
    {"[::1]", "[::1]", 0},
    {"[::1]:8443", "[::1]", 8443},
    {"", NULL, 0},
    {":80", NULL, 0},
    {"a.b:", NULL, 0},
    {"a.b:0", NULL, 0},
    {"a.b:00", NULL, 0},
    {"a.b:080", NULL, 0},
    {"a.b:65536", NULL, 0},
    {"a.b:+80", NULL, 0},
    {"a.b:-1", NULL, 0},
    {"a.b: 80", NULL, 0},
    {"a.b:80 ", NULL, 0},
    {"a.b:80:80", NULL, 0},
    {"a.b:http", NULL, 0},
    {"::1", NULL, 0},
    {"::1:80", NULL, 0},
    {"[::1]:", NULL, 0},
    {"[::1]80", NULL, 0},
    {"[::1]:0", NULL, 0},
    {"u@a.b:80", NULL, 0},
};

static void
test_authorities(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(AUTHORITIES); i++) {
        struct guard_host host;
        uint16_t port = 7;
        enum ag_err err =
            guard_read_authority(span_str(AUTHORITIES[i].text), &host, &port);

        if ((err == AG_OK) != (AUTHORITIES[i].host != NULL)) {
            fail_msg("\"%s\": %s", AUTHORITIES[i].text, err_code(err));
        }
        if (err == AG_OK) {
            assert_string_equal(host.text, AUTHORITIES[i].host);
            assert_int_equal(port, AUTHORITIES[i].port);
        } else {
            assert_int_equal(port, 7);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_who_may_call_what),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_host_lengths),
        cmocka_unit_test(test_what_is_said_of_a_host),
        cmocka_unit_test(test_authorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
