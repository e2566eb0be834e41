/* The refresh of a login without the wire: what is sent, what an answer makes
 * of the value. */
#include <string.h>

#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "profile/load.h"
#include "rotate/oauth2.h"

/* {"alg":"none"} . {"exp":1900000000} */
#define JWT "eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDB9.c2ln"

static const char CODEX[] =
    "{\n  \"OPENAI_API_KEY\": null,\n  \"tokens\": {\n"
    "    \"id_token\": \"" JWT "\",\n    \"access_token\": \"" JWT "\",\n"
    "    \"refresh_token\": \"rt_old\", \"account_id\": \"acct\"\n  },\n"
    "  \"last_refresh\": \"2026-01-01T00:00:00Z\"\n}\n";

static const char CLAUDE[] =
    "{\"claudeAiOauth\":{\"accessToken\":\"sk-ant-oat01-old\","
    "\"refreshToken\":\"sk-ant-ort01-old\",\"expiresAt\":1700000000000,"
    "\"scopes\":[\"user\"]},\"other\":1}";

enum {
    NOW_S = 1800000000,
};

static struct profiles *profiles;

static int
open_profiles(void **state)
{
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles));
    return arena_set_up(state);
}

static int
close_profiles(void **state)
{
    profiles_free(profiles);
    return arena_tear_down(state);
}

static struct oauth2_login
login_of(const char *name, const char *content)
{
    const struct profile *p = NULL;

    check_ok(profile_find(profiles, name, &p));
    assert_non_null(p->refresh);
    return (struct oauth2_login){p->refresh, FORMAT_JSON, span_str(content)};
}

static void
check_secret(const struct secret *s, const char *want)
{
    struct span text = secret_view(s);

    if (!span_is(text, want)) {
        fail_msg("got: %.*s", (int)text.len, (const char *)text.ptr);
    }
}

static void
check_body(const char *profile, const char *content, const char *want)
{
    const struct oauth2_login login = login_of(profile, content);
    AG_AUTO(secret) struct secret *body = NULL;

    check_ok(oauth2_body(&login, &body));
    check_secret(body, want);
}

static void
test_the_body_is_as_the_profile_says(void **state)
{
    (void)state;
    check_body("codex", CODEX,
               "{\"client_id\":\"app_EMoamEEZ73f0CkXaXp7hrann\","
               "\"grant_type\":\"refresh_token\",\"refresh_reason\":"
               "\"scheduled\",\"refresh_token\":\"rt_old\"}");
    check_body("claude", CLAUDE,
               "{\"client_id\":\"9d1c250a-e61b-44d9-88ed-5944d1962f5e\","
               "\"grant_type\":\"refresh_token\",\"refresh_token\":"
               "\"sk-ant-ort01-old\"}");
    check_body("gcloud-adc",
               "{\"client_id\":\"a.b\",\"client_secret\":\"c\\\"d&e\","
               "\"refresh_token\":\"1//x+y\"}",
               "client_id=a.b&client_secret=c%22d%26e&grant_type=refresh_token"
               "&refresh_token=1%2F%2Fx%2By");
}

static void
test_a_quote_in_a_token_stays_inside_its_string(void **state)
{
    const struct oauth2_login login = login_of(
        "claude", "{\"claudeAiOauth\":{\"refreshToken\":\"a\\\"b\\\\c\"}}");
    AG_AUTO(secret) struct secret *body = NULL;

    (void)state;
    check_ok(oauth2_body(&login, &body));
    assert_non_null(memmem(secret_view(body).ptr, secret_view(body).len,
                           "\"a\\\"b\\\\c\"", 9));
}

static void
test_no_body_without_a_token_of_visible_ascii(void **state)
{
    static const struct {
        const char *content;
        enum ag_err err;
    } ROWS[] = {
        {"{}", AG_ENOTFOUND},
        {"{\"claudeAiOauth\":{\"refreshToken\":\"\"}}", AG_ENOTFOUND},
        {"{\"claudeAiOauth\":{\"refreshToken\":null}}", AG_ENOTFOUND},
        {"{\"claudeAiOauth\":{\"refreshToken\":\"a b\"}}", AG_EINVAL},
        {"{\"claudeAiOauth\":{\"refreshToken\":\"a\\nb\"}}", AG_EINVAL},
        {"not json", AG_ENOTFOUND},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        const struct oauth2_login login = login_of("claude", ROWS[i].content);
        struct secret *body = NULL;

        assert_int_equal(oauth2_body(&login, &body), ROWS[i].err);
        assert_null(body);
    }
}

static void
test_what_has_no_tokens_is_not_refreshed(void **state)
{
    struct oauth2_login login = login_of("codex", CODEX);

    (void)state;
    check_ok(oauth2_check(&login));
    login.content = span_str("{\"OPENAI_API_KEY\":\"sk-x\"}");
    assert_int_equal(oauth2_check(&login), AG_ENOTFOUND);
    login.content = span_str("{\"tokens\":{\"access_token\":\"a\"}}");
    assert_int_equal(oauth2_check(&login), AG_ENOTFOUND);
    login.content = span_str("{\"tokens\":{\"refresh_token\":\"a\"}}");
    assert_int_equal(oauth2_check(&login), AG_ENOTFOUND);
}

static void
test_the_expiry_is_read(void **state)
{
    struct oauth2_login login = login_of("codex", CODEX);
    int64_t ms = 0;

    (void)state;
    check_ok(oauth2_expiry(&login, &ms));
    assert_int_equal(ms, INT64_C(1900000000000));
    login.content = span_str("{\"tokens\":{\"access_token\":\"opaque\"}}");
    assert_int_equal(oauth2_expiry(&login, &ms), AG_ENOTFOUND);
    login = login_of("claude", CLAUDE);
    check_ok(oauth2_expiry(&login, &ms));
    assert_int_equal(ms, INT64_C(1700000000000));
    login.content = span_str("{\"claudeAiOauth\":{\"expiresAt\":-5}}");
    assert_int_equal(oauth2_expiry(&login, &ms), AG_ENOTFOUND);
}

static enum ag_err
read_answer(const struct oauth2_login *login, int status, const char *body,
            struct oauth2_result *ret)
{
    const struct oauth2_answer answer = {.status = status,
                                         .body = span_str(body),
                                         .now_ms = NOW_S * INT64_C(1000)};

    *ret = (struct oauth2_result){0};
    return oauth2_read(login, &answer, ret);
}

static void
test_new_tokens_take_their_fields_and_nothing_else_changes(void **state)
{
    struct oauth2_login login = login_of("codex", CODEX);
    struct oauth2_result got;

    (void)state;
    check_ok(read_answer(&login, 200,
                         "{\"id_token\":\"i\",\"access_token\":\"a\","
                         "\"refresh_token\":\"r\\\"q\",\"scope\":\"x\"}",
                         &got));
    assert_int_equal(got.outcome, OAUTH2_FRESH);
    check_secret(got.content,
                 "{\n  \"OPENAI_API_KEY\": null,\n  \"tokens\": {\n"
                 "    \"id_token\": \"i\",\n    \"access_token\": \"a\",\n"
                 "    \"refresh_token\": \"r\\\"q\", \"account_id\": \"acct\""
                 "\n  },\n  \"last_refresh\": \"2027-01-15T08:00:00.000Z\"\n}"
                 "\n");
    oauth2_result_done(&got);

    login = login_of("claude", CLAUDE);
    check_ok(read_answer(&login, 201,
                         "{\"access_token\":\"a\",\"expires_in\":60}", &got));
    assert_int_equal(got.outcome, OAUTH2_FRESH);
    check_secret(got.content,
                 "{\"claudeAiOauth\":{\"accessToken\":\"a\","
                 "\"refreshToken\":\"sk-ant-ort01-old\",\"expiresAt\":"
                 "1800000060000,\"scopes\":[\"user\"]},\"other\":1}");
    oauth2_result_done(&got);
}

static void
test_what_is_no_answer_changes_nothing(void **state)
{
    static const char *const BODIES[] = {
        "", "garbage", "[]", "{}", "{\"access_token\":null}",
    };
    static const char *const SPENT[] = {
        "{\"access_token\":1}",
        "{\"access_token\":\"\"}",
        "{\"access_token\":\"a b\"}",
        "{\"access_token\":\"a\\u0000b\"}",
        "{\"access_token\":\"a\",\"refresh_token\":{}}",
        "{\"access_token\":\"a\",\"access_token\":\"b\"}",
        "{\"access_token\":\"a\"}x",
        "{\"refresh_token\":\"a",
    };
    static const char *const ODD[] = {
        "{\"access_token\":\"a\",\"expires_in\":-1}",
        "{\"access_token\":\"a\",\"expires_in\":99999999999}",
    };
    const struct oauth2_login login = login_of("claude", CLAUDE);
    struct oauth2_result got;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BODIES); i++) {
        check_ok(read_answer(&login, 200, BODIES[i], &got));
        assert_int_equal(got.outcome, OAUTH2_LATER);
        assert_null(got.content);
        assert_string_equal(got.code, "malformed_answer");
    }
    /* With tokens in it: the old ones are no good any more. */
    for (size_t i = 0; i < AG_COUNT(SPENT); i++) {
        check_ok(read_answer(&login, 200, SPENT[i], &got));
        assert_int_equal(got.outcome, OAUTH2_DENIED);
        assert_null(got.content);
        assert_string_equal(got.code, OAUTH2_UNUSABLE);
    }
    /* An end that can't be is no reason to lose them. */
    for (size_t i = 0; i < AG_COUNT(ODD); i++) {
        check_ok(read_answer(&login, 200, ODD[i], &got));
        assert_int_equal(got.outcome, OAUTH2_FRESH);
        oauth2_result_done(&got);
    }
}

static void
test_a_huge_answer_is_unusable(void **state)
{
    static char huge[OAUTH2_ANSWER_MAX_BYTES + 64];
    const struct oauth2_login login = login_of("claude", CLAUDE);
    struct oauth2_result got;

    (void)state;
    memset(huge, ' ', sizeof(huge) - 1);
    memcpy(huge, "{\"access_token\":\"a\"", 19);
    huge[sizeof(huge) - 2] = '}';
    check_ok(read_answer(&login, 200, huge, &got));
    assert_int_equal(got.outcome, OAUTH2_DENIED);
    assert_string_equal(got.code, OAUTH2_UNUSABLE);
}

static void
test_only_the_codes_of_the_profile_are_for_good(void **state)
{
    static const struct {
        const char *body;
        int status;
        enum oauth2_outcome outcome;
        const char *code;
    } ROWS[] = {
        {"{\"error\":{\"code\":\"refresh_token_reused\"}}", 401, OAUTH2_DENIED,
         "refresh_token_reused"},
        {"{\"error\":\"refresh_token_expired\"}", 400, OAUTH2_DENIED,
         "refresh_token_expired"},
        {"{\"code\":\"refresh_token_invalidated\"}", 403, OAUTH2_DENIED,
         "refresh_token_invalidated"},
        {"{\"error\":\"refresh_token_reused\"}", 500, OAUTH2_LATER, "http_500"},
        {"{\"error\":\"invalid_request\"}", 400, OAUTH2_LATER, "http_400"},
        {"{\"error\":\"rt_old\"}", 401, OAUTH2_LATER, "http_401"},
        {"{\"access_token\":\"a\"}", 302, OAUTH2_LATER, "http_302"},
        {"{\"error\":\"refresh_token_reused\"}", 302, OAUTH2_LATER, "http_302"},
        {"<html>", 503, OAUTH2_LATER, "http_503"},
    };
    const struct oauth2_login login = login_of("codex", CODEX);
    struct oauth2_result got;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        check_ok(read_answer(&login, ROWS[i].status, ROWS[i].body, &got));
        assert_int_equal(got.outcome, ROWS[i].outcome);
        assert_string_equal(got.code, ROWS[i].code);
        assert_null(got.content);
    }
}

static void
test_retry_after_is_kept_within_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } ROWS[] = {
        {"", 0},   {"7", 7000}, {"86400", OAUTH2_RETRY_MAX_MS},
        {"-1", 0}, {"7 ", 0},   {"Wed, 21 Oct 2026 07:28:00 GMT", 0},
    };
    const struct oauth2_login login = login_of("codex", CODEX);

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        const struct oauth2_answer answer = {.status = 429,
                                             .body = span_str("{}"),
                                             .retry_after =
                                                 span_str(ROWS[i].text)};
        struct oauth2_result got = {0};

        check_ok(oauth2_read(&login, &answer, &got));
        assert_int_equal(got.outcome, OAUTH2_LATER);
        assert_int_equal(got.retry_after_ms, ROWS[i].ms);
    }
}

static void
test_a_number_stays_one_and_null_becomes_a_text(void **state)
{
    const struct oauth2_login login = login_of(
        "codex", "{\"tokens\":{\"access_token\":null,\"refresh_token\":\"r\"},"
                 "\"last_refresh\":5}");
    struct oauth2_result got;

    (void)state;
    check_ok(read_answer(&login, 200, "{\"access_token\":\"a\"}", &got));
    assert_int_equal(got.outcome, OAUTH2_FRESH);
    check_secret(got.content,
                 "{\"tokens\":{\"access_token\":\"a\",\"refresh_token\":\"r\"},"
                 "\"last_refresh\":\"2027-01-15T08:00:00.000Z\"}");
    oauth2_result_done(&got);
}

static void
test_the_address_is_read_strictly(void **state)
{
    static const char *const BAD[] = {
        "http://a/b",    "https://",          "https:///b",    "https://a",
        "https://A/b",   "https://u@a/b",     "https://a/b?c", "https://a/b#c",
        "https://a:0/b", "https://a:65536/b", "https://a/%62", "https://a/b c",
        "https://a/\\b",
    };
    struct oauth2_url url;

    (void)state;
    check_ok(oauth2_url_read("https://auth.openai.com/oauth/token", &url));
    assert_true(span_is(url.authority, "auth.openai.com"));
    assert_true(span_is(url.host, "auth.openai.com"));
    assert_true(span_is(url.path, "/oauth/token"));
    assert_int_equal(url.port, 0);
    check_ok(oauth2_url_read("https://a.example:443/t", &url));
    assert_true(span_is(url.authority, "a.example"));
    assert_int_equal(url.port, 0);
    check_ok(oauth2_url_read("https://127.0.0.1:8443/t", &url));
    assert_true(span_is(url.authority, "127.0.0.1:8443"));
    assert_true(span_is(url.host, "127.0.0.1"));
    assert_int_equal(url.port, 8443);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        assert_int_equal(oauth2_url_read(BAD[i], &url), AG_EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_body_is_as_the_profile_says),
        cmocka_unit_test(test_a_quote_in_a_token_stays_inside_its_string),
        cmocka_unit_test(test_no_body_without_a_token_of_visible_ascii),
        cmocka_unit_test(test_what_has_no_tokens_is_not_refreshed),
        cmocka_unit_test(test_the_expiry_is_read),
        cmocka_unit_test(
            test_new_tokens_take_their_fields_and_nothing_else_changes),
        cmocka_unit_test(test_what_is_no_answer_changes_nothing),
        cmocka_unit_test(test_a_huge_answer_is_unusable),
        cmocka_unit_test(test_only_the_codes_of_the_profile_are_for_good),
        cmocka_unit_test(test_retry_after_is_kept_within_bounds),
        cmocka_unit_test(test_a_number_stays_one_and_null_becomes_a_text),
        cmocka_unit_test(test_the_address_is_read_strictly),
    };

    return cmocka_run_group_tests(tests, open_profiles, close_profiles);
}
