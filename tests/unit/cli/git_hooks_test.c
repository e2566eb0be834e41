/* Where git's hooks are put, by git itself. */
#include "verb_helper.h"

/* A repository "one" and the hooks of all; false: there is no git here. */
static bool
begin(void)
{
    if (run("git init -q one") == 127) {
        return false;
    }
    assert_int_equal(run("auth-guard hook install git --global"), 0);
    return true;
}

static void
check_of_all(const char *option)
{
    char text[4096] = "";
    int fd =
        open(".config/git/auth-guard-hooks/pre-commit", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, option));
    assert_int_equal(run("git config --global core.hooksPath"), 0);
    assert_non_null(strstr(output, "/.config/git/auth-guard-hooks\n"));
}

static void
test_of_all_are_not_those_of_one(void **state)
{
    (void)state;
    if (!begin()) {
        skip();
    }
    check_of_all(" --chain-repository ");
    assert_int_not_equal(run("auth-guard hook install git one"), 0);
    assert_non_null(strstr(output, "say --global"));
    check_of_all(" --chain-repository ");
    assert_int_not_equal(run("auth-guard hook remove git one"), 0);
    assert_non_null(strstr(output, "say --global"));
    check_of_all(" --chain-repository ");
    /* By another name too. */
    assert_int_equal(symlink(".config/git/auth-guard-hooks", "link"), 0);
    assert_int_equal(run("git -C one config core.hooksPath ../link"), 0);
    assert_int_not_equal(run("auth-guard hook remove git one"), 0);
    assert_non_null(strstr(output, "say --global"));
    /* One with a place of its own has them there. */
    assert_int_equal(run("git -C one config core.hooksPath .git/hooks"), 0);
    assert_int_equal(run("auth-guard hook install git one"), 0);
    assert_int_equal(access("one/.git/hooks/pre-commit", X_OK), 0);
    assert_int_equal(run("auth-guard hook remove git one"), 0);
    check_of_all(" --chain-repository ");
    assert_int_equal(run("auth-guard hook remove git --global"), 0);
    assert_int_not_equal(run("git config --global core.hooksPath"), 0);
    assert_int_not_equal(access(".config/git/auth-guard-hooks", F_OK), 0);
}

/* What githooks(5) has; fsmonitor-watchman is no hook by its name. */
static void
test_of_all_has_every_hook(void **state)
{
    static const char *const names[] = {
        "applypatch-msg",     "pre-applypatch",   "post-applypatch",
        "pre-commit",         "pre-merge-commit", "prepare-commit-msg",
        "commit-msg",         "post-commit",      "pre-rebase",
        "post-checkout",      "post-merge",       "pre-push",
        "pre-receive",        "update",           "proc-receive",
        "post-receive",       "post-update",      "reference-transaction",
        "push-to-checkout",   "pre-auto-gc",      "post-rewrite",
        "sendemail-validate", "p4-changelist",    "p4-prepare-changelist",
        "p4-post-changelist", "p4-pre-submit",    "post-index-change"};
    char path[256];

    (void)state;
    if (!begin()) {
        skip();
    }
    for (size_t i = 0; i < AG_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), ".config/git/auth-guard-hooks/%s",
                       names[i]);
        if (access(path, X_OK) != 0) {
            fail_msg("%s is not there", path);
        }
    }
    assert_int_equal(run("auth-guard hook remove git --global"), 0);
    assert_int_not_equal(access(".config/git/auth-guard-hooks", F_OK), 0);
}

/* One that is only passed on has as many words as refs were pushed. */
static void
test_others_are_passed_on_whole(void **state)
{
    static const char script[] = "#!/bin/sh\necho \"$# $1\"\nexit 5\n";
    char line[LINE_BYTES] = "auth-guard hook run git --chain ./other "
                            "post-update";
    int fd = open("other", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

    (void)state;
    assert_true(fd >= 0 && write(fd, script, sizeof(script) - 1) ==
                               (ssize_t)sizeof(script) - 1);
    close(fd);
    for (int i = 0; i < 100; i++) {
        size_t len = strlen(line);

        (void)snprintf(line + len, sizeof(line) - len, " refs");
    }
    assert_int_equal(run(line), 5);
    assert_string_equal(output, "100 refs\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_all_are_not_those_of_one),
        cmocka_unit_test(test_of_all_has_every_hook),
        cmocka_unit_test(test_others_are_passed_on_whole),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
