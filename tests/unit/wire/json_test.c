/* Strict JSON: what is refused; and that nothing of a caller's text comes back
 * in a sentence. */
#include "common/check.h"
#include "wire/json.h"

static void
check_refused(const char *text, enum ag_err want)
{
    json_t *tree = NULL;

    check_err(wjson_parse(span_str(text), WJSON_MAX_BYTES, &tree), want);
    assert_null(tree);
}

static void
test_refused_texts(void **state)
{
    static const char *const BAD[] = {
        "",
        " ",
        "{",
        "}",
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "[1,2",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "[01]",
        "[1.]",
        "[+1]",
        "[NaN]",
        "[Infinity]",
        "// c\n[]",
        "[\"\\x\"]",
        "[\"\t\"]",
        "nul",
        "\"text\"",
        "1",
        "null",
        "[\"\\u0000\"]",
        "{\"\\u0000\":1}",
        "[\"\\ud800\"]",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "[\"\xff\"]",
        "[\"\xc0\x80\"]",
        "[99999999999999999999]",
        "\xef\xbb\xbf{}",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_refused(BAD[i], AG_EINVAL);
    }
}

static void
test_nul_byte_is_refused(void **state)
{
    json_t *tree = NULL;

    (void)state;
    check_err(wjson_parse(span_of("{\"a\0\":1}", 8), WJSON_MAX_BYTES, &tree),
              AG_EINVAL);
    check_err(wjson_parse(span_of("{}\0", 3), WJSON_MAX_BYTES, &tree),
              AG_EINVAL);
}

static void
test_depth_and_count_are_capped(void **state)
{
    char deep[64] = "";
    char *wide = malloc(2 * WJSON_VALUES_MAX_COUNT + 8);
    json_t *tree = NULL;
    size_t n = 0;

    (void)state;
    memset(deep, '[', WJSON_DEPTH_MAX);
    memset(deep + WJSON_DEPTH_MAX, ']', WJSON_DEPTH_MAX);
    check_ok(wjson_parse(span_str(deep), WJSON_MAX_BYTES, &tree));
    json_decref(tree);
    memset(deep, '[', WJSON_DEPTH_MAX + 1);
    memset(deep + WJSON_DEPTH_MAX + 1, ']', WJSON_DEPTH_MAX + 1);
    check_refused(deep, AG_ELIMIT);
    assert_non_null(wide);
    wide[n++] = '[';
    for (int i = 0; i < WJSON_VALUES_MAX_COUNT; i++) {
        wide[n++] = '1';
        wide[n++] = ',';
    }
    wide[n++] = '1';
    wide[n++] = ']';
    wide[n] = '\0';
    check_refused(wide, AG_ELIMIT);
    free(wide);
    /* Brackets inside a string are text. */
    check_ok(wjson_parse(span_str("[\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]"),
                         WJSON_MAX_BYTES, &tree));
    json_decref(tree);
}

static void
test_size_is_capped(void **state)
{
    json_t *tree = NULL;

    (void)state;
    check_err(wjson_parse(span_str("[1,2,3]"), 6, &tree), AG_ELIMIT);
    check_ok(wjson_parse(span_str("[1,2,3]"), 7, &tree));
    json_decref(tree);
}

static void
test_sentences_do_not_quote(void **state)
{
    json_t *tree = NULL;

    (void)state;
    check_err(wjson_parse(span_str("{\"a\":\"CANARY\" \"CANARY\"}"),
                          WJSON_MAX_BYTES, &tree),
              AG_EINVAL);
    assert_null(strstr(err_text(AG_EINVAL), "CANARY"));
    check_err(wjson_parse(span_str("CANARY"), WJSON_MAX_BYTES, &tree),
              AG_EINVAL);
    assert_null(strstr(err_text(AG_EINVAL), "CANARY"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_texts),
        cmocka_unit_test(test_nul_byte_is_refused),
        cmocka_unit_test(test_depth_and_count_are_capped),
        cmocka_unit_test(test_size_is_capped),
        cmocka_unit_test(test_sentences_do_not_quote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
