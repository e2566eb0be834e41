/* Classes, checksums and scores of rules, each by its borders. */
#include "base/encode.h"
#include "common/check.h"
#include "redact/rule_class.h"
#include "redact/rule_score.h"
#include "redact/rule_sum.h"
#include "redact/rule_words.h"

static struct rule_class
class_of(const char *text)
{
    struct rule_class c;

    check_ok(rule_class_parse(span_str(text), &c));
    return c;
}

static void
test_classes(void **state)
{
    struct rule_class c = class_of("a-cX\\-\\]\\n");
    struct rule_class ignored;

    (void)state;
    assert_int_equal(rule_class_run(&c, span_str("abcX-]\nd")), 7);
    assert_false(rule_class_has(&c, 'd'));
    c = class_of("^a\\s");
    assert_true(rule_class_has(&c, 0xff));
    assert_false(rule_class_has(&c, 'a'));
    assert_false(rule_class_has(&c, '\t'));
    assert_false(rule_class_has(&c, '\v'));
    c = class_of("a-"); /* a dash at the end is one */
    assert_true(rule_class_has(&c, '-'));
    check_err(rule_class_parse(span_str(""), &ignored), AG_EINVAL);
    check_err(rule_class_parse(span_str("^"), &ignored), AG_EINVAL);
    check_err(rule_class_parse(span_str("z-a"), &ignored), AG_EINVAL);
    check_err(rule_class_parse(span_str("a\\"), &ignored), AG_EINVAL);
    check_err(rule_class_parse(span_str("\\w"), &ignored), AG_EINVAL);
}

static void
test_crc32_base62(void **state)
{
    char token[] = "npm_0123456789abcdefghijklmnopqrst??????";
    struct span whole = span_of(token, sizeof(token) - 1);

    (void)state;
    encode_checksum(span_sub(whole, 4, 30), token + 34);
    assert_true(rule_sum_holds(RULE_SUM_CRC32_BASE62, whole));
    token[10] ^= 1;
    assert_false(rule_sum_holds(RULE_SUM_CRC32_BASE62, whole));
    assert_false(rule_sum_holds(RULE_SUM_CRC32_BASE62, span_str("a_12345")));
    assert_false(rule_sum_holds(RULE_SUM_CRC32_BASE62, span_str("abc")));
    assert_false(rule_sum_holds(RULE_SUM_NONE, whole));
}

static void
test_structures(void **state)
{
    (void)state;
    /* {"alg":"none"} . {} */
    assert_true(
        rule_sum_holds(RULE_SUM_JWT, span_str("eyJhbGciOiJub25lIn0.e30.x")));
    /* {"typ":"JWT"} */
    assert_false(
        rule_sum_holds(RULE_SUM_JWT, span_str("eyJ0eXAiOiJKV1QifQ.e30.x")));
    assert_false(rule_sum_holds(RULE_SUM_JWT, span_str("eyJhbGci*.e30.x")));
    assert_false(rule_sum_holds(RULE_SUM_JWT, span_str("")));
    /* user:pass, user:, userpass, with a byte that can't be printed */
    assert_true(rule_sum_holds(RULE_SUM_BASIC, span_str("dXNlcjpwYXNz")));
    assert_false(rule_sum_holds(RULE_SUM_BASIC, span_str("dXNlcjo=")));
    assert_false(rule_sum_holds(RULE_SUM_BASIC, span_str("dXNlcnBhc3M=")));
    assert_false(rule_sum_holds(RULE_SUM_BASIC, span_str("dXNlcjoBYQ==")));
    /* Accounts 000000000000 and 2^40 - 1, which is above 10^12. */
    assert_true(
        rule_sum_holds(RULE_SUM_AWS_KEY_ID, span_str("AKIAAAAAAAAAAAAAAAAA")));
    assert_false(
        rule_sum_holds(RULE_SUM_AWS_KEY_ID, span_str("AKIA7777777777777777")));
    assert_false(
        rule_sum_holds(RULE_SUM_AWS_KEY_ID, span_str("AKIA1AAAAAAAAAAAAAAA")));
}

static void
test_entropy(void **state)
{
    (void)state;
    assert_int_equal(rule_score_entropy(span_str("")), 0);
    assert_int_equal(rule_score_entropy(span_str("aaaa")), 0);
    assert_int_equal(rule_score_entropy(span_str("abab")), 100);
    assert_int_equal(rule_score_entropy(span_str("abcdefgh")), 300);
    assert_int_equal(rule_score_entropy(span_str("0123456789abcdef")), 400);
    assert_in_range(rule_score_entropy(span_str("aab")), 91, 92); /* 0.918 */
}

static void
test_efficiency(void **state)
{
    (void)state;
    assert_int_equal(rule_words_longest(span_str("passwordx")), 8);
    assert_int_equal(rule_words_longest(span_str("PassWord")), 8);
    assert_int_equal(rule_words_longest(span_str("xq")), 0);
    assert_int_equal(rule_words_longest(span_str("9abc")), 0);
    assert_int_equal(rule_words_longest(span_str("zoo")), 0); /* not zoom */
    assert_int_equal(rule_words_longest(span_str("android1")), 7);
    assert_int_equal(rule_words_longest(span_str("andro")), 3);
    assert_int_equal(rule_words_longest(span_str("AZURE")), 5);
    assert_int_equal(rule_words_longest(span_str("able")), 4);
    assert_int_equal(rule_words_longest(span_str("xml")), 3);
    assert_int_equal(rule_words_longest(span_str("uuid")), 4);
    assert_int_equal(rule_words_longest(span_str("a-b")), 0);
    /* Two words; two words and what joins them; nothing but chance. */
    assert_int_equal(rule_score_efficiency(span_str("secrettoken")), 550);
    assert_int_equal(rule_score_efficiency(span_str("client_secret")), 520);
    assert_int_equal(rule_score_efficiency(span_str("x9Qz7Kp2")), 200);
    assert_int_equal(rule_score_efficiency(span_str("")), 0);
}

static void
test_placeholders(void **state)
{
    static const char *const NONE[] = {
        "xxxxxxxx",  "${PASSWORD}", "$PASSWORD",    "<your-key>",
        "changeme1", "EXAMPLEKEY",  "your_api_key", "121212121212"};
    static const char *const SOME[] = {"x9Qz7Kp2", "p$ssw0rd", "q1w2e3r4"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NONE); i++) {
        if (!rule_score_is_placeholder(span_str(NONE[i]))) {
            fail_msg("%s", NONE[i]);
        }
    }
    for (size_t i = 0; i < AG_COUNT(SOME); i++) {
        if (rule_score_is_placeholder(span_str(SOME[i]))) {
            fail_msg("%s", SOME[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),    cmocka_unit_test(test_crc32_base62),
        cmocka_unit_test(test_structures), cmocka_unit_test(test_entropy),
        cmocka_unit_test(test_efficiency), cmocka_unit_test(test_placeholders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
