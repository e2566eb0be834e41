/* What the shells are told: from the tables that the verbs read and help from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "complete.h"
#include "verb_helper.h"

static char asked[65536];

/* `auth-guard completion words -- line`; a line that ends with a blank has an
 * empty word at its end. The answer in `asked`. */
static const char *
ask(const char *line)
{
    char text[LINE_BYTES];

    (void)snprintf(text, sizeof(text), "auth-guard completion words -- %s",
                   line);
    assert_int_equal(run(text), 0);
    (void)snprintf(asked, sizeof(asked), "%s", output);
    return asked;
}

/* Is there a line that begins with `word` and a tab? */
static bool
offers(const char *word)
{
    size_t len = strlen(word);
    const char *p = asked;

    while (p != NULL && *p != '\0') {
        if (strncmp(p, word, len) == 0 && p[len] == '\t') {
            return true;
        }
        p = strchr(p, '\n');
        p = p == NULL ? NULL : p + 1;
    }
    return false;
}

static void
test_verbs_and_acts_are_those_of_the_tables(void **state)
{
    (void)state;
    (void)ask("");
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run != NULL) {
            assert_true(offers(v->name));
        }
    }
    assert_string_equal(
        ask("reda"), "redact\ttake known secrets out of text\n"
                     "redaction-set\tfind secrets where there is no vault\n");
    assert_string_equal(ask("task e"), "end\tend one now\n");
    (void)ask("hook install c");
    assert_true(offers("claude") && offers("codex") && offers("command"));
    assert_false(offers("git"));
    (void)ask("rotate r");
    assert_true(offers("rule"));
    assert_string_equal(ask("rotate rule --json rem"), "remove\tend one\n");
    assert_string_equal(ask("nothing like this "), "");
    assert_string_equal(ask("task nothing "), "");
}

/* Every line "  --name" of a verb's help is offered, and nothing else. */
static void
check_options(const char *path)
{
    char line[LINE_BYTES];
    static char help[sizeof(output)];
    size_t said = 0;
    size_t told = 0;

    (void)snprintf(line, sizeof(line), "auth-guard %s --help", path);
    assert_int_equal(run(line), 0);
    (void)snprintf(help, sizeof(help), "%s", output);
    if (strstr(help, "\nacts:\n") != NULL) {
        return; /* the acts have them */
    }
    (void)snprintf(line, sizeof(line), "%s --", path);
    (void)ask(line);
    assert_non_null(strstr(help, "\noptions:\n"));
    for (const char *p = strstr(help, "\noptions:\n");
         (p = strstr(p, "\n  --")) != NULL; p++) {
        (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(p + 3, " [\n"),
                       p + 3);
        if (!offers(line)) {
            fail_msg("%s does not offer %s", path, line);
        }
        said++;
    }
    for (const char *p = asked; (p = strchr(p, '\n')) != NULL; p++) {
        told++;
    }
    assert_true(said >= 3);
    assert_int_equal(told, said);
}

static void
test_options_are_those_of_the_help(void **state)
{
    static const char *const acts[] = {"rotate rule set", "hook install git",
                                       "hook run codex",  "mint set",
                                       "token create",    "shim install"};

    (void)state;
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run != NULL) {
            check_options(v->name);
        }
    }
    for (size_t i = 0; i < AG_COUNT(acts); i++) {
        check_options(acts[i]);
    }
}

static void
test_a_value_is_of_the_option_before_it(void **state)
{
    (void)state;
    assert_string_equal(ask("run --grade "), "proxy\t\nfile\t\nenv\t\n");
    assert_string_equal(ask("run --grade f"), "file\t\n");
    assert_string_equal(ask("run --grade=f"), "--grade=file\t\n");
    assert_string_equal(ask("redact --set "), ":files\n");
    assert_string_equal(ask("redact --set="), ":files\n");
    assert_string_equal(ask("run --keep-home "), ":dirs\n");
    assert_string_equal(ask("task list --nothing "), "");
    /* A flag has none, nor one that is said already. */
    assert_string_equal(ask("redact --in-place "), ":files\n");
    assert_string_equal(ask("redact --set --ru"), ":files\n");
    assert_string_equal(ask("redact --set=x "), ":files\n");
    assert_string_equal(ask("redact -- --se"), ":files\n");
}

static void
test_words_are_what_the_usage_calls_them(void **state)
{
    (void)state;
    assert_string_equal(ask("redact a b "), ":files\n");
    assert_string_equal(ask("watch "), "transcripts\t\n");
    assert_string_equal(ask("watch transcripts "), ":dirs\n");
    assert_string_equal(ask("receipt verify --json "), ":files\n");
    assert_string_equal(ask("rotate program add name "), ":files\n");
    assert_string_equal(ask("rotate program add --limit 3s name "), ":files\n");
    assert_string_equal(ask("status "), "");
    assert_string_equal(ask("rollback name "), "");
    assert_string_equal(ask("help rek"),
                        "rekey\tnew keys for everything in the vault\n");
}

static void
test_a_command_is_the_shells_own(void **state)
{
    (void)state;
    assert_string_equal(ask("run "), ":command 1\n");
    assert_string_equal(ask("run --grade file -- git a"), ":command 4\n");
    assert_string_equal(ask("run git --he"), ":command 1\n");
    assert_string_equal(ask("render --watch a b -- sys"), ":command 5\n");
    assert_string_equal(ask("hook run post -- g"), ":command 4\n");
    assert_string_equal(ask("shim exec name -- x"), "");
}

/* Each verb in turn: none does its work for a key pressed. */
static void
test_nothing_is_done(void **state)
{
    static const char *const lines[] = {
        "", "init ", "unlock ", "adopt --all ", "rm x ", "lock ", "stop "};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(lines); i++) {
        (void)ask(lines[i]);
    }
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        char line[LINE_BYTES];

        (void)snprintf(line, sizeof(line), "%s ",
                       v->run == NULL ? "" : v->name);
        (void)ask(line);
    }
    assert_int_equal(access(".local", F_OK), -1);
    assert_int_equal(access("run", F_OK), -1);
}

static void
test_the_scripts_are_printed(void **state)
{
    (void)state;
    assert_int_equal(run("auth-guard completion bash"), 0);
    assert_string_equal(output, complete_bash);
    assert_int_equal(run("auth-guard completion zsh"), 0);
    assert_string_equal(output, complete_zsh);
    assert_int_equal(run("auth-guard completion fish"), 0);
    assert_string_equal(output, complete_fish);
    assert_int_equal(run("auth-guard completion tcsh"), 64);
    assert_non_null(strstr(output, "bash, fish, zsh"));
    assert_int_equal(run("auth-guard completion words"), 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs_and_acts_are_those_of_the_tables),
        cmocka_unit_test(test_options_are_those_of_the_help),
        cmocka_unit_test(test_a_value_is_of_the_option_before_it),
        cmocka_unit_test(test_words_are_what_the_usage_calls_them),
        cmocka_unit_test(test_a_command_is_the_shells_own),
        cmocka_unit_test(test_nothing_is_done),
        cmocka_unit_test(test_the_scripts_are_printed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
