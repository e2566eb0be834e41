/* Commands in a text for a shell; names that look like secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "common/check.h"
#include "hook/reach.h"
#include "hook/shell.h"

enum {
    TOLD_MAX_BYTES = 64 * 1024,
};

static struct buf told;

/* "a b <c" and a newline; variables in braces behind a word, * behind one that
 * is quoted, | behind a command that goes into the next. */
static enum ag_err
tell(void *ctx, const struct shell_command *c)
{
    static const char *const marks[] = {"", "<", ">", "<<<"};

    (void)ctx;
    for (size_t i = 0; i < c->count; i++) {
        const struct shell_word *w = &c->words[i];

        check_ok(buf_fmt(&told, "%s%s%s%s", i == 0 ? "" : " ", marks[w->place],
                         w->text, w->is_quoted ? "*" : ""));
        if (*w->variables != '\0') {
            check_ok(buf_fmt(&told, "{%s}", w->variables));
        }
    }
    return buf_add_str(&told, c->is_piped ? " |\n" : "\n");
}

static void
check_read(const char *text, const char *want)
{
    buf_init(&told, TOLD_MAX_BYTES, BUF_PLAIN);
    check_ok(shell_read(span_str(text), tell, NULL));
    assert_string_equal(buf_cstr(&told), want);
    buf_done(&told);
}

static void
test_words_and_commands(void **state)
{
    (void)state;
    check_read("", "");
    check_read("a b\tc\n", "a b c\n");
    check_read("a&&b||c;d&e\nf | g |& h", "a\nb\nc\nd\ne\nf |\ng |\nh\n");
    check_read("a 'b c' \"d e\" f\\ g '' x'y'z", "a b c* d e* f g* * xyz*\n");
    check_read("a \"b\\\"c\\n\" 'd\\'", "a b\"c\\n* d\\*\n");
    check_read("a # b\nc#d", "a\nc#d\n");
    check_read("a b\\\n c", "a b c\n");
    check_read("(a; b) | { c; }", "a\nb\n{ c\n}\n");
    check_read("a 'unended", "a unended*\n");
    check_read("a \"unended $(b", "b\na unended *\n");
    check_read("a\\", "a*\n");
}

static void
test_redirections(void **state)
{
    (void)state;
    check_read("a <b >c 2>&1 >>d <<<e", "a <b >c 2 >1 >d <<<e\n");
    check_read("a &>b", "a >b\n");
    check_read("diff <(a x) <(b y)", "a x\nb y\ndiff\n");
    check_read("a <<E b\nc d\nE\nf", "a b\nf\n");
    check_read("a <<-'E' <<F\nb\n\tE\nc\nF\nd", "a\nd\n");
    check_read("a <<E\nb", "a\n");
}

static void
test_inner_commands_come_first(void **state)
{
    (void)state;
    check_read("a $(b \"$(c)\" d) e", "c\nb * d\na  e\n");
    check_read("a \"x`b c`y\" `d`", "b c\nd\na xy* \n");
}

static void
test_variables(void **state)
{
    (void)state;
    assert_int_equal(setenv("SHELL_TEST_DIR", "/some/where", 1), 0);
    assert_int_equal(setenv("SHELL_TEST_WORD", "word", 1), 0);
    check_read("a $SHELL_TEST_DIR/b ${SHELL_TEST_DIR}c",
               "a /some/where/b{SHELL_TEST_DIR } "
               "/some/wherec{SHELL_TEST_DIR }\n");
    check_read("a \"$SHELL_TEST_WORD${X:-y z}\" '$X' \\$X $ $1",
               "a $SHELL_TEST_WORD${X:-y z}*{SHELL_TEST_WORD X } $X* $X* $ "
               "$1\n");
    check_read("a ${!X} ${#Y}", "a ${!X}{X } ${#Y}{Y }\n");
}

static void
test_limits(void **state)
{
    static char deep[64];
    static char many[3 * (SHELL_WORDS_MAX_COUNT + 1)];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(deep); i += 2) {
        deep[i] = '$';
        deep[i + 1] = '(';
    }
    for (size_t i = 0; i + 1 < sizeof(many); i++) {
        many[i] = i % 2 == 0 ? 'a' : ' ';
    }
    buf_init(&told, TOLD_MAX_BYTES, BUF_PLAIN);
    assert_int_equal(shell_read(span_str(deep), tell, NULL), AG_ELIMIT);
    assert_int_equal(shell_read(span_str(many), tell, NULL), AG_ELIMIT);
    assert_int_equal(
        shell_read(span_of(many, SHELL_TEXT_MAX_BYTES + 1), tell, NULL),
        AG_ELIMIT);
    buf_done(&told);
}

static void
test_any_bytes_come_to_an_end(void **state)
{
    static const char pieces[] = "a'\"$({`)<|;&\\\n#\0 }>";
    uint32_t seed = 7;
    char text[48];

    (void)state;
    for (unsigned run = 0; run < 20000; run++) {
        for (size_t i = 0; i < sizeof(text); i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = pieces[(seed >> 16) % (sizeof(pieces) - 1)];
        }
        buf_init(&told, TOLD_MAX_BYTES, BUF_PLAIN);
        if (shell_read(span_of(text, sizeof(text)), tell, NULL) != AG_OK) {
            err_clear();
        }
        buf_done(&told);
    }
}

static void
test_names_that_look_like_secrets(void **state)
{
    static const char *const are[] = {
        "GITHUB_TOKEN", "token",   "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",   "DB_PASS", "OPENAI_API_KEY",
        "ApiKey",       "NPM_PAT", "MY_PWD",
        "CLIENT_SECRET"};
    static const char *const are_not[] = {
        "PATH",          "PWD",    "AWS_ACCESS_KEY_ID", "DEPLOY_PUBLIC_KEY",
        "SSH_AUTH_SOCK", "KEYMAP", "TOKENS_MAX",        ""};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(are); i++) {
        assert_true(reach_is_secret_name(span_str(are[i])));
    }
    for (size_t i = 0; i < AG_COUNT(are_not); i++) {
        assert_false(reach_is_secret_name(span_str(are_not[i])));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_commands),
        cmocka_unit_test(test_redirections),
        cmocka_unit_test(test_inner_commands_come_first),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_any_bytes_come_to_an_end),
        cmocka_unit_test(test_names_that_look_like_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
