/* What a request may look like, what its lines are, and where they lie. */
#include <curl/curl.h>

#include "base/secret.h"
#include "common/check.h"
#include "upstream/fail.h"
#include "upstream/request.h"

static struct upstream_request
sample(void)
{
    return (struct upstream_request){
        .method = span_str("GET"),
        .host = span_str("api.example.com"),
        .target = span_str("/v1?a=b"),
        .body_bytes = UPSTREAM_BODY_NONE,
    };
}

static void
refused(struct upstream_request r, enum ag_err want)
{
    struct request_parts parts;

    check_err(request_check(&r, &parts), want);
}

static void
test_parts(void **state)
{
    struct upstream_request r = sample();
    struct request_parts parts;

    (void)state;
    check_ok(request_check(&r, &parts));
    assert_string_equal(parts.method, "GET");
    assert_string_equal(parts.host.text, "api.example.com");
    assert_int_equal(parts.port, 443);
    assert_int_equal(parts.may, GUARD_MAY_PUBLIC);
    r.flags = UPSTREAM_PLAIN | UPSTREAM_INNER;
    check_ok(request_check(&r, &parts));
    assert_int_equal(parts.port, 80);
    assert_int_equal(parts.may, GUARD_MAY_INNER);
    r.host = span_str("169.254.169.254");
    check_ok(request_check(&r, &parts));
    assert_int_equal(parts.may, GUARD_MAY_NAMED);
    r.flags = 0;
    check_err(request_check(&r, &parts), AG_EADDRESS);
    assert_non_null(strstr(err_text(AG_EADDRESS), "metadata address"));
}

static void
test_methods(void **state)
{
    static const char *const BAD[] = {
        "",
        "GET ",
        "G\r\nX: y",
        "CONNECT",
        "G:",
        "G\x80",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG",
    };
    struct upstream_request r = sample();

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        r.method = span_str(BAD[i]);
        refused(r, AG_EINVAL);
    }
    r.method = span_str("M-SEARCH");
    refused(r, AG_OK);
    r.method = span_str("HEAD");
    r.body_bytes = 0;
    refused(r, AG_EINVAL);
    r.method = span_str("POST");
    r.body_bytes = UPSTREAM_BODY_NONE - 1;
    refused(r, AG_EINVAL);
    r = sample();
    r.flags = UPSTREAM_UPGRADE;
    refused(r, AG_OK);
    r.body_bytes = 3;
    refused(r, AG_EINVAL);
    r.body_bytes = UPSTREAM_BODY_NONE;
    r.method = span_str("POST");
    refused(r, AG_EINVAL);
}

static void
test_targets(void **state)
{
    static const char *const BAD[] = {
        "",     "v1",         "*",      "http://x/", "/a b",
        "/a#b", "/a\r\nX: y", "/a\x7f", "/\xc3\xa9", "?a",
    };
    static char large[UPSTREAM_TARGET_MAX_BYTES + 1];
    struct upstream_request r = sample();

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        r.target = span_str(BAD[i]);
        refused(r, AG_EINVAL);
    }
    memset(large, '/', sizeof(large));
    r.target = span_of(large, sizeof(large) - 1);
    refused(r, AG_OK);
    r.target = span_of(large, sizeof(large));
    refused(r, AG_ELIMIT);
    r.target = span_of("/a\0b", 4);
    refused(r, AG_EINVAL);
}

static void
try_field(const char *name, const char *value, unsigned flags, enum ag_err want)
{
    struct upstream_request r = sample();
    struct upstream_field field = {.name = span_str(name),
                                   .value = span_str(value)};
    struct request_parts parts;
    enum ag_err err;

    r.fields = &field;
    r.field_count = 1;
    r.flags = flags;
    err = request_check(&r, &parts);
    if (err != want) {
        fail_msg("%s: %s: %s", name, value, err_code(err));
    }
    /* A value is never repeated in a sentence. */
    assert_null(strstr(err_text(want), "canary"));
}

static void
test_fields(void **state)
{
    static const char *const OURS[] = {
        "Host",       "content-length",   "Transfer-Encoding",
        "CONNECTION", "Expect",           "Trailer",
        "Keep-Alive", "Proxy-Connection", "Proxy-Authorization",
        "Upgrade",    "HTTP2-Settings",   "TE",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(OURS); i++) {
        try_field(OURS[i], "canary", 0, AG_EINVAL);
    }
    try_field("TE", "trailers", 0, AG_OK);
    try_field("Upgrade", "websocket", UPSTREAM_UPGRADE, AG_OK);
    try_field("Connection", "Upgrade", UPSTREAM_UPGRADE, AG_EINVAL);
    try_field("X-A", "", 0, AG_OK);
    try_field("X-A", "tab\tand \xc3\xa9", 0, AG_OK);
    try_field("X-A", "canary\r\nX-B: c", 0, AG_EINVAL);
    try_field("X-A", "canary\n", 0, AG_EINVAL);
    try_field("X-A", " canary", 0, AG_EINVAL);
    try_field("X-A", "canary ", 0, AG_EINVAL);
    try_field("X-A", "canary\x7f", 0, AG_EINVAL);
    try_field("", "canary", 0, AG_EINVAL);
    try_field("X A", "canary", 0, AG_EINVAL);
    try_field("X-A:", "canary", 0, AG_EINVAL);
    try_field(":path", "/canary", 0, AG_EINVAL);
    try_field("X-A;", "canary", 0, AG_EINVAL);
    try_field("@file", "canary", 0, AG_EINVAL);
}

static void
test_fields_have_limits(void **state)
{
    static struct upstream_field many[UPSTREAM_FIELDS_MAX_COUNT + 1];
    static char large[UPSTREAM_HEAD_MAX_BYTES];
    struct upstream_request r = sample();

    (void)state;
    for (size_t i = 0; i < AG_COUNT(many); i++) {
        many[i].name = span_str("a");
    }
    r.fields = many;
    r.field_count = UPSTREAM_FIELDS_MAX_COUNT;
    refused(r, AG_OK);
    r.field_count++;
    refused(r, AG_ELIMIT);
    memset(large, 'a', sizeof(large));
    many[0].value = span_of(large, sizeof(large) - 1);
    r.field_count = 1;
    refused(r, AG_OK);
    many[0].value = span_of(large, sizeof(large));
    refused(r, AG_ELIMIT);
}

static void
check_lines(const struct upstream_request *r, const char *const *want)
{
    AG_AUTO(request_lines) struct request_lines *lines = NULL;
    const struct curl_slist *at;

    check_ok(request_lines_new(r, &lines));
    for (at = request_lines_list(lines); at != NULL && *want != NULL;
         at = at->next, want++) {
        assert_string_equal(at->data, *want);
    }
    assert_null(at);
    assert_null(*want);
}

static void
test_lines(void **state)
{
    struct upstream_field fields[] = {
        {.name = span_str("Authorization"),
         .value = span_str("Bearer x"),
         .secret = true},
        {.name = span_str("X-Empty"), .value = span_str("")},
        {.name = span_str("accept"), .value = span_str("*/*")},
    };
    static const char *const NOTHING[] = {"Accept:", "Expect:", NULL};
    static const char *const ALL[] = {"Authorization: Bearer x", "X-Empty;",
                                      "accept: */*", "Expect: 100-continue",
                                      NULL};
    static const char *const UPGRADE[] = {
        "Authorization: Bearer x", "Accept:", "Expect:", "Connection: Upgrade",
        "Transfer-Encoding:",      NULL};
    struct upstream_request r = sample();

    (void)state;
    check_lines(&r, NOTHING);
    r.fields = fields;
    r.field_count = 1;
    r.flags = UPSTREAM_UPGRADE;
    check_lines(&r, UPGRADE);
    r.field_count = 3;
    r.body_bytes = 1;
    r.flags = UPSTREAM_EXPECT;
    check_lines(&r, ALL);
}

/* In the arena, for as long as the lines live. */
static void
test_secret_lines_are_locked(void **state)
{
    struct upstream_field field = {.name = span_str("Authorization"),
                                   .value = span_str("Bearer x")};
    struct upstream_request r = sample();
    struct request_lines *lines = NULL;

    (void)state;
    r.fields = &field;
    r.field_count = 1;
    check_ok(request_lines_new(&r, &lines));
    assert_int_equal(secret_arena_used_bytes(), 0);
    request_lines_free(lines);
    field.secret = true;
    check_ok(request_lines_new(&r, &lines));
    assert_true(secret_arena_used_bytes() > 0);
    request_lines_free(lines);
    assert_int_equal(secret_arena_used_bytes(), 0);
}

static void
expect_fail(CURLcode code, long verify, enum ag_err want, const char *says)
{
    check_err(fail_of(code, verify, "h.example"), want);
    if (strstr(err_text(want), says) == NULL ||
        strstr(err_text(want), "h.example: ") == NULL) {
        fail_msg("%d: %s", (int)code, err_text(want));
    }
}

static void
test_failures(void **state)
{
    (void)state;
    check_ok(fail_of(CURLE_OK, 0, "h.example"));
    expect_fail(CURLE_COULDNT_RESOLVE_HOST, 0, AG_EUNREACHABLE, "no address");
    expect_fail(CURLE_COULDNT_CONNECT, 0, AG_EUNREACHABLE, "no connection");
    expect_fail(CURLE_PEER_FAILED_VERIFICATION, 10, AG_EUPTLS, "expired");
    expect_fail(CURLE_PEER_FAILED_VERIFICATION, 9, AG_EUPTLS, "not valid yet");
    expect_fail(CURLE_PEER_FAILED_VERIFICATION, 18, AG_EUPTLS, "self-signed");
    expect_fail(CURLE_PEER_FAILED_VERIFICATION, 99, AG_EUPTLS, "not verify");
    expect_fail(CURLE_SSL_CACERT_BADFILE, 0, AG_EUPTLS, "roots");
    expect_fail(CURLE_OUT_OF_MEMORY, 0, AG_ENOMEM, "memory");
    expect_fail(CURLE_OPERATION_TIMEDOUT, 0, AG_EUPTIME, "no connection");
    expect_fail(CURLE_PARTIAL_FILE, 0, AG_EUPSTREAM, "within its answer");
    expect_fail(CURLE_HTTP2_STREAM, 0, AG_EUPSTREAM, "HTTP/2 stream");
    expect_fail(CURLE_WEIRD_SERVER_REPLY, 0, AG_EUPSTREAM, "not HTTP");
    check_err(fail_late(PHASE_ASK, false, "h.example"), AG_EUPTIME);
    check_err(fail_late(PHASE_ANSWER, true, "h.example"), AG_EUPTIME);
    assert_non_null(strstr(err_text(AG_EUPTIME), "h.example: the call took"));
}

static int
setup(void **state)
{
    (void)state;
    return secret_arena_open(SECRET_ARENA_CLI_BYTES) == AG_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_fields_have_limits),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_secret_lines_are_locked),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
