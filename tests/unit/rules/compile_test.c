/* Rules become packs; what the engines refuse is said; shipped rules find
 * their examples. */
#include "common/check.h"
#include "redact/rule_pack.h"
#include "redact/rule_set.h"
#include "rules/check.h"
#include "rules/compile.h"
#include "rules/example.h"

#define RULE(more)                                                             \
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":[{\"id\":\"xt\","  \
    "\"service\":\"X\",\"description\":\"d\",\"source\":\"s\","                \
    "\"keywords\":[\"xx_\"]," more "}]}"
#define EXAMPLES(e, n) "\"examples\":[\"" e "\"],\"negatives\":[\"" n "\"]"

static struct rule_book *
book_of(const char *json)
{
    struct rule_book *book = NULL;

    assert_int_equal(rule_book_load_one(span_str(json), "x.json", &book),
                     AG_OK);
    return book;
}

static void
refuse(const char *json, const char *sentence)
{
    AG_AUTO(rule_book) struct rule_book *book = book_of(json);
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    assert_int_equal(rule_compile(book, RULE_LEVEL_DEFAULT, &out), AG_EINVAL);
    if (strncmp(err_text(AG_EINVAL), sentence, strlen(sentence)) != 0) {
        fail_msg("%s", err_text(AG_EINVAL));
    }
    assert_int_equal(out.len, 0);
}

static void
test_engines_refuse(void **state)
{
    (void)state;
    refuse(RULE("\"regex\":\"xx_(\"," EXAMPLES("«xx_1»", "xx")),
           "x.json: rule xt: regex: missing closing parenthesis (at character "
           "5)");
    refuse(RULE("\"regex\":\"xx_[0-9]+\"," EXAMPLES("«xx_1»", "xx")),
           "x.json: rule xt: regex: its longest match has more than 1024 "
           "bytes; give each repeat an end, and let the secret go on by "
           "`tail`");
    refuse(RULE("\"regex\":\"xx_(?=a)b\"," EXAMPLES("«xx_1»", "xx")),
           "x.json: rule xt: regex: Vectorscan can't take it: ");
    refuse(RULE("\"regex\":\"xx_a\",\"secret\":1," EXAMPLES("«xx_1»", "xx")),
           "x.json: rule xt: secret: there is no group 1 in the regex, it has "
           "0");
    refuse(
        RULE("\"regex\":\"xx_a\",\"allow\":[\"[\"]," EXAMPLES("«xx_1»", "xx")),
        "x.json: rule xt: allow: missing terminating ] for character class "
        "(at character 2)");
}

static void
keep(void *ctx, const char *problem)
{
    (void)snprintf(ctx, 512, "%s", problem);
}

static void
expect_problem(const char *json, const char *sentence)
{
    AG_AUTO(rule_book) struct rule_book *book = book_of(json);
    char problem[512] = "";
    size_t count = 0;

    assert_int_equal(rule_check(book, keep, problem, &count), AG_OK);
    assert_int_equal(count, sentence[0] == '\0' ? 0 : 1);
    if (strncmp(problem, sentence, strlen(sentence)) != 0) {
        fail_msg("%s", problem);
    }
}

static void
test_examples_are_tried(void **state)
{
    (void)state;
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES(
                       "a «xx_‹digits:4›» b", "xx_12")),
                   "");
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES(
                       "a «xx_‹digits:5›» b", "xx_12")),
                   "x.json: rule xt: example 1: left in at byte 9");
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES(
                       "a xx_«‹digits:4›» b", "xx_12")),
                   "x.json: rule xt: example 1: taken out beyond «…» at byte "
                   "2");
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES(
                       "a xx_‹digits:4› b", "xx_12")),
                   "x.json: rule xt: example 1: has no «…»");
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES("«xx_‹digits:4›»",
                                                              "xx_‹digits:4›")),
                   "x.json: rule xt: negative 1: is found");
    expect_problem(RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES("«xx_‹digits:4›»",
                                                              "«xx_1»")),
                   "x.json: rule xt: negative 1: has a «…»");
    expect_problem(
        RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES("«xx_‹digits:4»", "xx")),
        "x.json: rule xt: example 1: ‹ has no ›");
    expect_problem(
        RULE("\"regex\":\"xx_[0-9]{4}\"," EXAMPLES("«xx_‹sum›»", "xx")),
        "x.json: rule xt: example 1: no checksum can be computed "
        "for none");
}

static void
test_examples_are_made(void **state)
{
    const struct rule_item item = {.checksum = RULE_SUM_CRC32_BASE62,
                                   .id = (char[]){"a"}};
    AG_AUTO(rule_example) struct rule_example a;
    AG_AUTO(rule_example) struct rule_example b;

    (void)state;
    assert_int_equal(
        rule_example_make(&item, "t=«ghp_‹base62:30›‹sum›» ‹b64:a:b›", 1, &a),
        AG_OK);
    assert_int_equal(a.secret_count, 1);
    assert_int_equal(a.secrets[0].from, 2);
    assert_int_equal(a.secrets[0].to, 2 + 40);
    assert_true(rule_sum_holds(RULE_SUM_CRC32_BASE62,
                               span_sub(buf_view(&a.text), 2, 40)));
    assert_true(span_is(span_sub(buf_view(&a.text), 42, 100), " YTpi"));
    assert_int_equal(
        rule_example_make(&item, "t=«ghp_‹base62:30›‹sum›» ‹b64:a:b›", 2, &b),
        AG_OK);
    assert_false(span_equal(buf_view(&a.text), buf_view(&b.text)));
}

static void
tell(void *ctx, const char *problem)
{
    (void)ctx;
    print_error("%s\n", problem);
}

static void
test_shipped_rules_find_their_examples(void **state)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    char dir[] = AG_SOURCE_DIR "/schema/rules";
    char *paths[] = {dir};
    size_t count = 1;

    (void)state;
    assert_int_equal(rule_book_load(paths, 1, &book), AG_OK);
    assert_int_equal(rule_check(book, tell, NULL, &count), AG_OK);
    assert_int_equal(count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_refuse),
        cmocka_unit_test(test_examples_are_tried),
        cmocka_unit_test(test_examples_are_made),
        cmocka_unit_test(test_shipped_rules_find_their_examples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
