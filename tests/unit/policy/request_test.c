/* What a request may carry, and where: each rule with its own failure. */
#include <jansson.h>

#include "base/secret.h"
#include "common/check.h"
#include "policy/places.h"
#include "policy/request.h"
#include "wire/json.h"

enum {
    TEXT_MAX_BYTES = 65536,
};

static const char SEALED[] =
    "{\"places\":["
    "{\"service\":\"api\",\"hosts\":[\"*.example.com\",\"api.example.com\"],"
    "\"paths\":[\"/v1/*\"],\"methods\":[\"GET\",\"POST\"],\"field\":\"\","
    "\"in\":\"header\",\"name\":\"Authorization\",\"format\":\"Bearer {}\"},"
    "{\"hosts\":[\"10.0.0.1:8080\"],\"field\":\"/k\",\"in\":\"query\","
    "\"name\":\"key\",\"format\":\"x-{}-y\",\"inner\":true,\"plain\":true},"
    "{\"hosts\":[\"git.example.org\"],\"field\":\"\",\"in\":\"basic\","
    "\"name\":\"bot\",\"format\":\"{}\"}]}";

static enum ag_err
read_places(const char *text, struct places *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;

    check_ok(wjson_parse(span_str(text), TEXT_MAX_BYTES, &tree));
    return places_read(tree, ret);
}

static void
test_what_is_sealed_is_read_strictly(void **state)
{
    static const char *const BAD[] = {
        "{\"places\":{}}",
        "{\"places\":[{}]}",
        "{\"places\":[{\"hosts\":[],\"field\":\"\",\"in\":\"header\",\"name\":"
        "\"A\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"A.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"*.com\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b/c\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A B\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"none\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}{}\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}\\r\\nX: 1\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"header\","
        "\"name\":\"A\",\"format\":\"{}\",\"plain\":true}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"field\":\"\",\"in\":\"body\","
        "\"name\":\"A\",\"format\":\"{}\"}]}",
        "{\"places\":[{\"hosts\":[\"a.b\"],\"paths\":[\"v1\"],\"field\":\"\","
        "\"in\":\"header\",\"name\":\"A\",\"format\":\"{}\"}]}",
    };
    AG_AUTO(places) struct places p = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(read_places(BAD[i], &p), AG_EINVAL);
        assert_int_equal(p.places.count, 0);
    }
    check_ok(read_places("{}", &p));
    assert_int_equal(p.places.count, 0);
    check_ok(read_places(SEALED, &p));
    assert_int_equal(p.places.count, 3);
    assert_true(p.places.items[1].inner && p.places.items[1].plain);
}

static void
test_hosts(void **state)
{
    (void)state;
    assert_true(place_host_covers("a.b", span_str("a.b")));
    assert_false(place_host_covers("a.b", span_str("a.b:1")));
    assert_false(place_host_covers("a.b", span_str("xa.b")));
    assert_true(place_host_covers("*.a.b", span_str("x.a.b")));
    assert_true(place_host_covers("*.a.b", span_str("y.x.a.b")));
    assert_false(place_host_covers("*.a.b", span_str("a.b")));
    assert_false(place_host_covers("*.a.b", span_str(".a.b")));
    assert_false(place_host_covers("*.a.b", span_str("xa.b")));
    assert_false(place_host_covers("*.a.b", span_str("x.a.b.evil")));
}

static void
test_services_by_name_and_by_host(void **state)
{
    AG_AUTO(places) struct places p = {0};
    char host[GUARD_AUTHORITY_BYTES];

    (void)state;
    check_ok(read_places(SEALED, &p));
    assert_ptr_equal(places_serve(&p, span_str("api"), host),
                     &p.places.items[0]);
    assert_string_equal(host, "api.example.com");
    assert_ptr_equal(places_serve(&p, span_str("x.example.com"), host),
                     &p.places.items[0]);
    assert_string_equal(host, "x.example.com");
    assert_ptr_equal(places_serve(&p, span_str("10.0.0.1:8080"), host),
                     &p.places.items[1]);
    assert_null(places_serve(&p, span_str("10.0.0.1"), host));
    assert_null(places_serve(&p, span_str("example.com"), host));
    assert_null(places_serve(&p, span_str(""), host));
}

/* One host however it is spelled; the usual port is that of the scheme. */
static void
test_hosts_have_one_spelling(void **state)
{
    static const char *const same[] = {"a.example.com", "a.example.com:443",
                                       "A.Example.COM", "A.example.com:443"};
    static const char *const others[] = {
        "a.example.com:80",   "a.example.com:8443",  "a.example.com.",
        "a.example.com:0443", "a.example.com:",      "a.example.com:443:443",
        "xn--\xc3\xa4.com",   "\xc3\xa4.example.com"};
    AG_AUTO(places) struct places p = {0};
    AG_AUTO(places) struct places twin = {0};
    char host[GUARD_AUTHORITY_BYTES];

    (void)state;
    check_ok(read_places(
        "{\"places\":[{\"hosts\":[\"a.example.com:443\",\"*.b.com:443\"],"
        "\"field\":\"\",\"in\":\"header\",\"name\":\"A\",\"format\":\"{}\"},"
        "{\"hosts\":[\"10.0.0.1:80\",\"[0:0::1]:80\"],\"field\":\"\","
        "\"in\":\"header\",\"name\":\"A\",\"format\":\"{}\",\"inner\":true,"
        "\"plain\":true}]}",
        &p));
    check_ok(read_places(
        "{\"places\":[{\"hosts\":[\"a.example.com\",\"*.b.com\"],"
        "\"field\":\"\",\"in\":\"header\",\"name\":\"A\",\"format\":\"{}\"}]}",
        &twin));
    assert_true(place_equal(&p.places.items[0], &twin.places.items[0]));
    for (size_t i = 0; i < AG_COUNT(same); i++) {
        assert_ptr_equal(places_serve(&p, span_str(same[i]), host),
                         &p.places.items[0]);
        assert_string_equal(host, "a.example.com");
    }
    for (size_t i = 0; i < AG_COUNT(others); i++) {
        assert_null(places_serve(&p, span_str(others[i]), host));
    }
    assert_ptr_equal(places_serve(&p, span_str("x.b.com:443"), host),
                     &p.places.items[0]);
    assert_ptr_equal(places_serve(&p, span_str("10.0.0.1"), host),
                     &p.places.items[1]);
    assert_string_equal(host, "10.0.0.1");
    assert_ptr_equal(places_serve(&p, span_str("[::1]:80"), host),
                     &p.places.items[1]);
    assert_string_equal(host, "[::1]");
    assert_null(places_serve(&p, span_str("10.0.0.1:443"), host));
}

static void
test_a_path_has_one_reading(void **state)
{
    static const char *const GOOD[] = {
        "/",      "/a",   "/a/",        "/a/b.c",        "/...",
        "/a..b",  "/%20", "/a%3Ab",     "/~a/@b",        "/%C3%A4",
        "/.well", "/a+b", "/%E0%A4%85", "/%F0%9F%98%80", "/%E0/9f",
        "/%C2%AE"};
    static const char *const BAD[] = {"",
                                      "a",
                                      "//",
                                      "/a//b",
                                      "/.",
                                      "/..",
                                      "/a/../b",
                                      "/a/.",
                                      "/%2e",
                                      "/a%2Fb",
                                      "/a%2f",
                                      "/a%5Cb",
                                      "/a\\b",
                                      "/a;b",
                                      "/a%3bb",
                                      "/a%25b",
                                      "/a%0ab",
                                      "/a%00",
                                      "/a%7f",
                                      "/%",
                                      "/%4",
                                      "/%zz",
                                      "/a/..",
                                      "/./a",
                                      "/%2e%2e/",
                                      "/a%2Eb",
                                      "/a/.%2e/b",
                                      "/%c0%ae%c0%ae/b",
                                      "/%C1%9C",
                                      "/%e0%80%af",
                                      "/%e0%9f%bf",
                                      "/%F0%80%80%AF",
                                      "/%f0%8f%bf%bf"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(request_check_path(span_str(GOOD[i])));
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(request_check_path(span_str(BAD[i])), AG_ETARGET);
    }
}

static void
test_each_rule_refuses_by_itself(void **state)
{
    AG_AUTO(places) struct places p = {0};
    struct request_ask ask = {.host = span_str("api.example.com"),
                              .method = span_str("GET"),
                              .path = span_str("/v1/a/b")};

    (void)state;
    check_ok(read_places(SEALED, &p));
    check_ok(request_allows(&p.places.items[0], &ask));
    ask.path = span_str("/v2/a");
    check_err(request_allows(&p.places.items[0], &ask), AG_EPATH);
    ask.path = span_str("/v1");
    check_err(request_allows(&p.places.items[0], &ask), AG_EPATH);
    ask.path = span_str("/v1/");
    check_ok(request_allows(&p.places.items[0], &ask));
    ask.method = span_str("DELETE");
    check_err(request_allows(&p.places.items[0], &ask), AG_EVERB);
    ask.method = span_str("get");
    check_err(request_allows(&p.places.items[0], &ask), AG_EVERB);
    ask.host = span_str("evil.com");
    check_err(request_allows(&p.places.items[0], &ask), AG_EHOST);
}

/* What stands at the header's place of a request with this one field. */
static enum ag_err
look(const struct place *place, const char *name, const char *value,
     struct request_found *ret)
{
    const struct request_field field = {span_str(name), span_str(value)};
    const struct request_ask ask = {.fields = &field, .field_count = 1};

    request_found_done(ret);
    return request_look(place, &ask, ret);
}

static void
test_header(void **state)
{
    AG_AUTO(places) struct places p = {0};
    AG_AUTO(request_found) struct request_found f = {0};
    const struct place *place = NULL;

    (void)state;
    check_ok(read_places(SEALED, &p));
    place = &p.places.items[0];
    check_ok(look(place, "authorization", "bearer KEY", &f));
    assert_true(f.there);
    check_span(f.value, "KEY");
    check_ok(look(place, "Authorization", "Bearer ", &f));
    assert_false(f.there);
    check_ok(look(place, "Authorization", "Basic KEY", &f));
    assert_false(f.there);
    check_ok(look(place, "X-Authorization", "Bearer KEY", &f));
    assert_false(f.there);
}

static void
test_a_place_stands_once(void **state)
{
    AG_AUTO(places) struct places p = {0};
    AG_AUTO(request_found) struct request_found f = {0};
    const struct request_field twice[] = {
        {span_str("Authorization"), span_str("Bearer A")},
        {span_str("authorization"), span_str("Bearer B")}};
    struct request_ask ask = {.fields = twice, .field_count = 2};

    (void)state;
    check_ok(read_places(SEALED, &p));
    check_err(request_look(&p.places.items[0], &ask, &f), AG_EPLACE);
    request_found_done(&f);
    ask.query = span_str("key=x-A-y&key=x-B-y");
    check_err(request_look(&p.places.items[1], &ask, &f), AG_EPLACE);
}

static void
test_query(void **state)
{
    AG_AUTO(places) struct places p = {0};
    AG_AUTO(request_found) struct request_found f = {0};
    struct request_ask ask = {.query = span_str("a=1&key=x-K%2FE-y&b")};

    (void)state;
    check_ok(read_places(SEALED, &p));
    check_ok(request_look(&p.places.items[1], &ask, &f));
    assert_true(f.there);
    check_span(f.value, "K/E");
    assert_int_equal(f.at, 8);
    assert_int_equal(f.len, 9);
    request_found_done(&f);
    ask.query = span_str("a=1&kex=x-K-y&key");
    check_ok(request_look(&p.places.items[1], &ask, &f));
    assert_false(f.there);
    request_found_done(&f);
    ask.query = span_str("key=x-%zz-y");
    check_err(request_look(&p.places.items[1], &ask, &f), AG_EHTTP);
}

static void
test_basic(void **state)
{
    AG_AUTO(places) struct places p = {0};
    AG_AUTO(request_found) struct request_found f = {0};
    const struct place *place = NULL;

    (void)state;
    check_ok(read_places(SEALED, &p));
    place = &p.places.items[2];
    check_ok(look(place, "Authorization", "Basic Ym90OktFWQ==", &f));
    assert_true(f.there); /* bot:KEY */
    check_span(f.value, "KEY");
    assert_int_equal(f.at, 4);
    check_ok(look(place, "Authorization", "Basic eG90OktFWQ==", &f));
    assert_false(f.there); /* another user */
    check_ok(look(place, "Authorization", "Basic Ym90", &f));
    assert_false(f.there); /* no colon */
    check_ok(look(place, "Authorization", "Basic !!!!", &f));
    assert_false(f.there);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sealed_is_read_strictly),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_services_by_name_and_by_host),
        cmocka_unit_test(test_hosts_have_one_spelling),
        cmocka_unit_test(test_a_path_has_one_reading),
        cmocka_unit_test(test_each_rule_refuses_by_itself),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_a_place_stands_once),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_basic),
    };

    wjson_setup();
    if (secret_arena_open(TEXT_MAX_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
