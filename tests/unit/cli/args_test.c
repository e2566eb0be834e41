#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "args.h"
#include "cli.h"

#define W(text) ((char[]){text})

struct values {
    bool flag;
    const char *text;
    int64_t count;
    int64_t ms;
    struct arg_list list;
    struct args args;
    struct cli cli;
};

static enum ag_err
parse(struct values *v, bool stop_at_word, char **argv)
{
    const struct arg_opt opts[] = {
        {"flag", ARG_FLAG, &v->flag, NULL, "a flag"},
        {"text", ARG_TEXT, &v->text, "TEXT", "a text"},
        {"count", ARG_COUNT, &v->count, "N", "a number"},
        {"time", ARG_DURATION, &v->ms, "D", "a time"},
        {"item", ARG_LIST, &v->list, "X", "again and again"},
    };
    const struct arg_spec spec = {.usage = "verb WORD…",
                                  .about = "About.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts),
                                  .words_max = 3,
                                  .stop_at_word = stop_at_word};
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    memset(v, 0, sizeof(*v));
    return args_parse(&v->cli, &spec, argc, argv, &v->args);
}

#define PARSE(v, stop, ...)                                                    \
    parse((v), (stop), (char *[]){W("verb"), __VA_ARGS__, NULL})

static void
test_options_and_words_mix(void **state)
{
    struct values v;

    (void)state;
    assert_int_equal(PARSE(&v, false, W("one"), W("--text"), W("a=b"),
                           W("--count=7"), W("two"), W("--flag"),
                           W("--time=15m"), W("--item"), W("x"), W("--item=y"),
                           W("--json")),
                     AG_OK);
    assert_true(v.flag);
    assert_string_equal(v.text, "a=b");
    assert_int_equal(v.count, 7);
    assert_int_equal(v.ms, 15 * 60 * 1000);
    assert_int_equal(v.list.count, 2);
    assert_string_equal(v.list.items[1], "y");
    assert_int_equal(v.args.count, 2);
    assert_string_equal(v.args.words[0], "one");
    assert_string_equal(v.args.words[1], "two");
    assert_null(v.args.words[2]);
    assert_true(v.cli.out.json);
}

static void
test_two_dashes_and_a_single_one_are_words(void **state)
{
    struct values v;

    (void)state;
    assert_int_equal(PARSE(&v, false, W("-"), W("--"), W("--flag")), AG_OK);
    assert_false(v.flag);
    assert_int_equal(v.args.count, 2);
    assert_string_equal(v.args.words[1], "--flag");
}

static void
test_first_word_ends_options_of_run(void **state)
{
    struct values v;

    (void)state;
    assert_int_equal(PARSE(&v, true, W("--flag"), W("cmd"), W("--text")),
                     AG_OK);
    assert_true(v.flag);
    assert_null(v.text);
    assert_int_equal(v.args.count, 2);
}

static void
test_mistakes_are_named(void **state)
{
    struct values v;

    (void)state;
    assert_int_equal(PARSE(&v, false, W("--nope")), AG_EUSAGE);
    assert_non_null(strstr(err_text(AG_EUSAGE), "--nope"));
    assert_int_equal(PARSE(&v, false, W("--text")), AG_EUSAGE);
    assert_non_null(strstr(err_text(AG_EUSAGE), "--text needs TEXT"));
    assert_int_equal(PARSE(&v, false, W("--flag=1")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("--flag"), W("--flag")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("--count"), W("-1")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("--count=1x")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("--time=soon")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("-x")), AG_EUSAGE);
    assert_int_equal(PARSE(&v, false, W("a"), W("b"), W("c"), W("d")),
                     AG_EUSAGE);
}

static void
test_list_has_a_cap(void **state)
{
    static struct values v;
    char *argv[2 * ARG_LIST_MAX_COUNT + 4] = {W("verb")};
    char item[] = "--item=x";
    int n = 1;

    (void)state;
    for (int i = 0; i <= ARG_LIST_MAX_COUNT; i++) {
        argv[n++] = item;
    }
    assert_int_equal(parse(&v, false, argv), AG_EUSAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_words_mix),
        cmocka_unit_test(test_two_dashes_and_a_single_one_are_words),
        cmocka_unit_test(test_first_word_ends_options_of_run),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_list_has_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
