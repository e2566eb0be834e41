/* Any token in any value: what goes in by an answer is what the next request
 * sends, whatever characters it has, and no other field moves. */
#include <string.h>

#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "common/prop.h"
#include "profile/fields.h"
#include "rotate/oauth2.h"
#include "wire/json.h"

enum {
    TOKEN_BYTES = 200,
    TEXT_BYTES = 4096,
};

static const struct profile_replace REPLACES[] = {
    {"access_token", "/a/access"},
    {"refresh_token", "/refresh"},
};

/* Visible ASCII, spelled as JSON into `spelled`. */
static void
draw(char token[TOKEN_BYTES], char spelled[2 * TOKEN_BYTES])
{
    size_t len = 1 + prop_below(TOKEN_BYTES - 2);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        char c = (char)('!' + prop_below('~' - '!' + 1));

        token[i] = c;
        if (c == '"' || c == '\\') {
            spelled[at++] = '\\';
        }
        spelled[at++] = c;
    }
    token[len] = '\0';
    spelled[at] = '\0';
}

static void
check_field(struct span content, const char *pointer, const char *want)
{
    AG_AUTO(secret) struct secret *value = NULL;

    check_ok(field_get(content, FORMAT_JSON, span_str(pointer), &value));
    assert_true(secret_equal_span(value, span_str(want)));
}

/* The body as its reader decodes it. */
static void
check_body(const struct oauth2_login *login, const char *want)
{
    AG_AUTO(secret) struct secret *body = NULL;

    check_ok(oauth2_body(login, &body));
    if (login->refresh->body == REFRESH_BODY_JSON) {
        check_field(secret_view(body), "/refresh_token", want);
        check_field(secret_view(body), "/client_id", "client");
        return;
    }
    {
        struct span text = secret_view(body);
        static const char KEY[] = "&refresh_token=";
        const uint8_t *at = memmem(text.ptr, text.len, KEY, sizeof(KEY) - 1);
        size_t n = 0;

        assert_non_null(at);
        at += sizeof(KEY) - 1;
        while (at < text.ptr + text.len) {
            unsigned c = *at;

            if (c == '%') {
                char hex[3] = {(char)at[1], (char)at[2], '\0'};

                c = (unsigned)strtoul(hex, NULL, 16);
                at += 2;
            }
            assert_int_equal((uint8_t)want[n++], c);
            at++;
        }
        assert_int_equal(want[n], '\0');
    }
}

static void
one_round(void)
{
    static char token[4][TOKEN_BYTES];
    static char spelled[4][2 * TOKEN_BYTES];
    static char content[TEXT_BYTES];
    static char answer[TEXT_BYTES];
    const struct profile_refresh refresh = {
        .body = prop_below(2) ? REFRESH_BODY_FORM : REFRESH_BODY_JSON,
        .client_id = "client",
        .refresh_field = "/refresh",
        .access_field = "/a/access",
        .expiry = EXPIRY_MS,
        .expiry_field = "/until",
        .replaces = {REPLACES, 2},
    };
    struct oauth2_login login = {&refresh, FORMAT_JSON, {NULL, 0}};
    struct oauth2_answer given = {.status = 200, .now_ms = 1000};
    struct oauth2_result got = {0};
    bool rotates = prop_below(2) == 0;

    for (size_t i = 0; i < 4; i++) {
        draw(token[i], spelled[i]);
    }
    (void)snprintf(content, sizeof(content),
                   "{\"keep\":\"%s\",\"a\":{\"access\":\"%s\"},\"until\":1,"
                   "\"refresh\":\"%s\"}",
                   spelled[0], spelled[0], spelled[1]);
    (void)snprintf(answer, sizeof(answer),
                   "{\"access_token\":\"%s\",\"expires_in\":5%s%s%s}",
                   spelled[2], rotates ? ",\"refresh_token\":\"" : "",
                   rotates ? spelled[3] : "", rotates ? "\"" : "");
    login.content = span_str(content);
    given.body = span_str(answer);
    check_body(&login, token[1]);
    check_ok(oauth2_read(&login, &given, &got));
    assert_int_equal(got.outcome, OAUTH2_FRESH);
    login.content = secret_view(got.content);
    check_field(login.content, "/keep", token[0]);
    check_field(login.content, "/a/access", token[2]);
    check_field(login.content, "/until", "6000");
    check_field(login.content, "/refresh", rotates ? token[3] : token[1]);
    check_body(&login, rotates ? token[3] : token[1]);
    oauth2_result_done(&got);
}

static void
test_tokens_survive_any_character(void **state)
{
    uint64_t runs = prop_begin(2000);

    (void)state;
    while (runs-- > 0) {
        one_round();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_survive_any_character),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
