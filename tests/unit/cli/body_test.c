#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"
#include "base/span.h"
#include "body.h"
#include "wire/json.h"

static struct secret *
secret_of(const char *text, size_t len)
{
    struct secret *s = NULL;

    assert_int_equal(secret_from(span_of(text, len), &s), AG_OK);
    return s;
}

static void
assert_body(const json_t *object, const char *text, bool base64,
            const char *want)
{
    struct secret *value = secret_of(text, strlen(text));
    struct secret *body = NULL;
    struct body_member member = {
        .name = "value", .value = value, .base64 = base64};

    assert_int_equal(body_make(object, &member, 1, &body), AG_OK);
    assert_true(span_is(secret_view(body), want));
    secret_free(value);
    secret_free(body);
}

static void
test_values_are_escaped(void **state)
{
    json_t *rest = json_pack("{s:s}", "kind", "file");

    (void)state;
    assert_body(NULL, "plain", false, "{\"value\":\"plain\"}");
    assert_body(rest, "a\"b\\c\nd\x01", false,
                "{\"kind\":\"file\",\"value\":\"a\\\"b\\\\c\\u000ad\\u0001\"}");
    assert_body(NULL, "", false, "{\"value\":\"\"}");
    assert_body(NULL, "f", true, "{\"value\":\"Zg==\"}");
    assert_body(NULL, "fo", true, "{\"value\":\"Zm8=\"}");
    assert_body(NULL, "foo\xff", true, "{\"value\":\"Zm9v/w==\"}");
    json_decref(rest);
}

static void
test_text_must_be_utf8(void **state)
{
    struct secret *value = secret_of("\xff\xfe", 2);
    struct secret *body = NULL;

    (void)state;
    assert_int_equal(
        body_make(NULL, &(struct body_member){.name = "v", .value = value}, 1,
                  &body),
        AG_EINVAL);
    assert_null(body);
    secret_free(value);
}

static void
assert_taken(const char *text, const char *want, size_t want_len)
{
    struct secret *answer = secret_of(text, strlen(text));
    struct secret *value = NULL;
    json_t *rest = NULL;

    assert_int_equal(body_take(answer, "value", &value, &rest), AG_OK);
    assert_int_equal(secret_len(value), want_len);
    assert_memory_equal(secret_view(value).ptr, want, want_len);
    assert_true(json_is_null(json_object_get(rest, "value")));
    secret_free(answer);
    secret_free(value);
    json_decref(rest);
}

static void
test_values_are_unescaped(void **state)
{
    (void)state;
    assert_taken("{\"value\":\"abc\",\"encoding\":\"text\"}", "abc", 3);
    assert_taken(" {\"n\" : [1,{\"value\":\"x\"}], \"value\" :\"\" } ", "", 0);
    assert_taken("{\"a\":\"}\\\"\",\"value\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
                 "\"\\/\b\f\n\r\t", 8);
    assert_taken("{\"value\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}",
                 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    assert_taken("{\"value\":\"\\u0000\",\"z\":-1.5e3}", "\0", 1);
}

static void
test_others_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"value\":1}",
        "{\"value\":\"a\"",
        "{\"value\":\"a\"}}",
        "{\"value\":\"a\",\"value\":\"b\"}",
        "{\"value\":\"\\x\"}",
        "{\"value\":\"\\ud800\"}",
        "{\"value\":\"\\ude00\\ud83d\"}",
        "{\"value\":\"a\n\"}",
        "{\"value\":\"a",
        "{\"x\":[\"value\",\"a\"]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct secret *answer = secret_of(bad[i], strlen(bad[i]));
        struct secret *value = NULL;
        enum ag_err err = body_take(answer, "value", &value, NULL);

        assert_int_equal(err, AG_ECORRUPT);
        assert_null(value);
        secret_free(answer);
    }
}

static void
test_nothing_is_left_in_the_arena(void **state)
{
    (void)state;
    assert_int_equal(secret_arena_used_bytes(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_text_must_be_utf8),
        cmocka_unit_test(test_values_are_unescaped),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_nothing_is_left_in_the_arena),
    };

    wjson_setup();
    if (secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
