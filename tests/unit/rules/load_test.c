/* Files of rules: what is taken, and the sentence for each way to be wrong. */
#include "common/check.h"
#include "rules/load.h"

#define ITEM_HEAD                                                              \
    "{\"id\":\"x-token\",\"service\":\"X\",\"description\":\"d\","             \
    "\"source\":\"s\","
#define ITEM_TAIL "\"examples\":[\"«xx_‹hex:8›»\"],\"negatives\":[\"xx\"]}"
#define FILE_OF(items)                                                         \
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":[" items "]}"
#define GOOD                                                                   \
    ITEM_HEAD "\"regex\":\"xx_[0-9a-f]{8}\",\"keywords\":[\"xx_\"]," ITEM_TAIL

static void
refuse(const char *json, const char *sentence)
{
    struct rule_book *book = NULL;
    enum ag_err last = rule_book_load_one(span_str(json), "dir/x.json", &book);

    assert_int_not_equal(last, AG_OK);
    assert_null(book);
    assert_string_equal(err_text(last), sentence);
}

static void
test_a_good_file(void **state)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;

    (void)state;
    assert_int_equal(
        rule_book_load_one(span_str(FILE_OF(GOOD)), "dir/x.json", &book),
        AG_OK);
    assert_int_equal(rule_book_count(book), 1);
    assert_string_equal(rule_book_at(book, 0)->id, "x-token");
    assert_string_equal(rule_book_source(book, 0), "dir/x.json");
    assert_int_equal(rule_book_at(book, 0)->level, RULE_LEVEL_DEFAULT);
}

static void
test_wrong_files_are_named(void **state)
{
    (void)state;
    refuse("{\"rules\":2,\"group\":\"x\",\"title\":\"X\",\"items\":[" GOOD "]}",
           "dir/x.json: rules: 2 is above 1");
    refuse("{\"rules\":1,\"group\":\"y\",\"title\":\"X\",\"items\":[" GOOD "]}",
           "dir/x.json: group: must be the file's name without .json");
    refuse(FILE_OF(GOOD "," GOOD),
           "dir/x.json: rule x-token: there is one of this id in this file");
    refuse(FILE_OF(""), "dir/x.json: items: fewer than 1");
}

static void
test_wrong_rules_are_named(void **state)
{
    (void)state;
    refuse(FILE_OF(ITEM_HEAD "\"keywords\":[\"xx_\"]," ITEM_TAIL),
           "dir/x.json: rule x-token: regex: is missing");
    refuse(FILE_OF(ITEM_HEAD "\"colour\":1,\"regex\":\"a{3}\","
                             "\"keywords\":[\"xx_\"]," ITEM_TAIL),
           "dir/x.json: rule x-token: colour: no such field");
    refuse(
        FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"x\"]," ITEM_TAIL),
        "dir/x.json: rule x-token: a keyword has 2 to 32 bytes");
    refuse(
        FILE_OF(ITEM_HEAD
                "\"regex\":\"^a{3}\",\"keywords\":[\"aaa\"]," ITEM_TAIL),
        "dir/x.json: rule x-token: regex: anchors (^ $ \\A \\z \\B) can't be "
        "used; \\b may stand before the secret, `stop` says what may not "
        "follow it");
    refuse(FILE_OF(ITEM_HEAD
                   "\"regex\":\"a{3}\\\\b\",\"keywords\":[\"aaa\"]," ITEM_TAIL),
           "dir/x.json: rule x-token: regex: ends in \\b; say by `stop` what "
           "may not follow the secret");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"aaa\"],"
                             "\"until\":\"END\"," ITEM_TAIL),
           "dir/x.json: rule x-token: tail_max and until belong to a `tail`");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"aaa\"],"
                             "\"checksum_must\":true," ITEM_TAIL),
           "dir/x.json: rule x-token: checksum_must needs a `checksum`");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"aaa\"],"
                             "\"tail\":\"z-a\"," ITEM_TAIL),
           "dir/x.json: rule x-token: a class has the range z-a "
           "backwards");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"xx=a{3}\",\"context\":true,"
                             "\"keywords\":[\"xx\"]," ITEM_TAIL),
           "dir/x.json: rule x-token: keywords: one of two bytes stands "
           "everywhere, and would slow all text; name the service");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"aaa\"],"
                             "\"lead\":\"0-9\"," ITEM_TAIL),
           "dir/x.json: rule x-token: lead and lead_max belong together");
    refuse(FILE_OF("{\"id\":\"x-token\"}"),
           "dir/x.json: rule x-token: service: is missing");
    refuse(FILE_OF(ITEM_HEAD "\"regex\":\"a{3}\",\"keywords\":[\"aaa\"],"
                             "\"negatives\":[\"xx\"]}"),
           "dir/x.json: rule x-token: examples: is missing");
}

/* An escaped anchor and one in a class are none. */
static void
test_anchors_as_characters(void **state)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;

    (void)state;
    assert_int_equal(
        rule_book_load_one(
            span_str(FILE_OF(ITEM_HEAD "\"regex\":\"\\\\$[$^]a{3}[]^]\","
                                       "\"keywords\":[\"aaa\"]," ITEM_TAIL)),
            "x.json", &book),
        AG_OK);
}

static void
test_shipped_rules(void **state)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    char dir[] = AG_SOURCE_DIR "/schema/rules";
    char *paths[] = {dir};

    (void)state;
    assert_int_equal(rule_book_load(paths, 1, &book), AG_OK);
    assert_true(rule_book_count(book) > 0);
    assert_true(rule_book_at(book, rule_book_count(book) - 1)->context);
}

static void
test_missing_path(void **state)
{
    struct rule_book *book = NULL;
    char path[] = "/nowhere/x.json";
    char *paths[] = {path};

    (void)state;
    assert_int_equal(rule_book_load(paths, 1, &book), AG_ENOTFOUND);
    assert_string_equal(err_text(AG_ENOTFOUND),
                        "/nowhere/x.json: No such file or directory");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file),
        cmocka_unit_test(test_wrong_files_are_named),
        cmocka_unit_test(test_wrong_rules_are_named),
        cmocka_unit_test(test_anchors_as_characters),
        cmocka_unit_test(test_shipped_rules),
        cmocka_unit_test(test_missing_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
