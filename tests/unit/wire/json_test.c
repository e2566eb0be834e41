/* Strict JSON: what is refused, pointers, the walk; and that nothing of a
 * caller's text comes back in a sentence. */
#include "base/secret.h"
#include "common/check.h"
#include "wire/json.h"

enum {
    ARENA_BYTES = 256 * 1024,
};

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

static json_t *
sample(void)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(
        span_str("{\"a\":{\"b\":[10,{\"c\":\"deep\"}]},\"x/y\":1,\"m~n\":2,"
                 "\"\":3,\"t\":true,\"n\":null,\"o\":{\"p\":\"q\"}}"),
        WJSON_MAX_BYTES, &tree));
    return tree;
}

static void
check_at(json_t *tree, const char *pointer, const char *want)
{
    AG_AUTO(secret) struct secret *found = NULL;

    check_ok(wjson_secret_at(tree, span_str(pointer), &found));
    check_span(secret_view(found), want);
}

static void
test_pointers(void **state)
{
    AG_AUTO(wjson) json_t *tree = sample();
    json_t *at = NULL;

    (void)state;
    check_at(tree, "/a/b/1/c", "deep");
    check_at(tree, "/a/b/0", "10");
    check_at(tree, "/x~1y", "1");
    check_at(tree, "/m~0n", "2");
    check_at(tree, "/", "3");
    check_at(tree, "/t", "true");
    check_at(tree, "/o", "{\"p\":\"q\"}");
    check_ok(wjson_at(tree, span_str(""), &at));
    assert_ptr_equal(at, tree);
    check_err(wjson_at(tree, span_str("/a/b/01"), &at), AG_ENOTFOUND);
    check_err(wjson_at(tree, span_str("/a/b/-"), &at), AG_ENOTFOUND);
    check_err(wjson_at(tree, span_str("/a/b/9"), &at), AG_ENOTFOUND);
    check_err(wjson_at(tree, span_str("/none"), &at), AG_ENOTFOUND);
    check_err(wjson_at(tree, span_str("/t/x"), &at), AG_ENOTFOUND);
    check_err(wjson_at(tree, span_str("a"), &at), AG_EINVAL);
    check_err(wjson_at(tree, span_str("/m~2n"), &at), AG_EINVAL);
    check_err(wjson_at(tree, span_str("/m~"), &at), AG_EINVAL);
}

struct walked {
    char text[512];
};

static enum ag_err
collect(void *ctx, struct span pointer, struct span text)
{
    struct walked *w = ctx;
    size_t len = strlen(w->text);

    (void)snprintf(w->text + len, sizeof(w->text) - len, "%.*s=%.*s;",
                   (int)pointer.len, (const char *)pointer.ptr, (int)text.len,
                   (const char *)text.ptr);
    return AG_OK;
}

static enum ag_err
stop_at_once(void *ctx, struct span pointer, struct span text)
{
    (void)pointer;
    (void)text;
    (*(int *)ctx)++;
    return AG_EBUSY;
}

static void
test_walk(void **state)
{
    AG_AUTO(wjson) json_t *tree = sample();
    struct walked w = {""};
    int calls = 0;

    (void)state;
    check_ok(wjson_walk(tree, collect, &w));
    assert_string_equal(w.text, "/a/b/0=10;/a/b/1/c=deep;/x~1y=1;/m~0n=2;/=3;"
                                "/t=true;/o/p=q;");
    check_err(wjson_walk(tree, stop_at_once, &calls), AG_EBUSY);
    assert_int_equal(calls, 1);
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
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_walk),
    };

    if (secret_arena_open(ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
