/* The table of verbs: each explains itself, and mistakes are told alike. */
#include <sys/wait.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli.h"
#include "verb.h"
#include "wire/json.h"

static char output[65536];

/* Runs the words in a process of its own; its stdout and stderr in `output`. */
static int
run(char **words)
{
    int ends[2];
    int status = 0;
    size_t len = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        static struct cli cli;
        int argc = 0;
        int code;

        while (words[argc] != NULL) {
            argc++;
        }
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        wjson_setup();
        code = verb_main(&cli, argc, words);
        (void)fflush(NULL);
        _exit(code);
    }
    close(ends[1]);
    while ((n = read(ends[0], output + len, sizeof(output) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    output[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define W(text)  ((char[]){text})
#define RUN(...) run((char *[]){W("auth-guard"), __VA_ARGS__, NULL})

static void
test_every_verb_explains_itself(void **state)
{
    char name[32];
    size_t count = 0;

    (void)state;
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run == NULL || v->run == verb_help) {
            continue;
        }
        snprintf(name, sizeof(name), "%s", v->name);
        assert_int_equal(RUN(name, W("--help")), 0);
        assert_non_null(strstr(output, "usage: auth-guard "));
        assert_non_null(strstr(output, v->name));
        count++;
    }
    assert_true(count > 25);
}

static void
test_help_lists_and_explains(void **state)
{
    (void)state;
    assert_int_equal(RUN(W("help")), 0);
    assert_non_null(strstr(output, "adopt"));
    assert_int_equal(RUN(W("--help")), 0);
    assert_int_equal(RUN(W("help"), W("put")), 0);
    assert_non_null(strstr(output, "usage: auth-guard put"));
    assert_int_equal(RUN(W("help"), W("nonsense")), 64);
    assert_int_equal(RUN(W("--version")), 0);
    assert_non_null(strstr(output, "auth-guard "));
    assert_int_equal(RUN(W("version"), W("--json")), 0);
    assert_non_null(strstr(output, "{\"version\":\""));
}

static void
test_mistakes_exit_64_with_a_way_out(void **state)
{
    (void)state;
    assert_int_equal(RUN(W("nonsense")), 64);
    assert_non_null(strstr(output, "auth-guard help"));
    assert_int_equal(RUN(W("list"), W("--nonsense")), 64);
    assert_int_equal(RUN(W("get")), 64);
    assert_non_null(strstr(output, "NAME is missing"));
    assert_int_equal(RUN(W("rollback"), W("a")), 64);
    assert_non_null(strstr(output, "VERSION is missing"));
    assert_int_equal(RUN(W("incident"), W("close")), 64);
    assert_non_null(strstr(output, ": ID is missing"));
    assert_int_equal(RUN(W("run"), W("--name"), W("x")), 125);
    assert_non_null(strstr(output, "COMMAND is missing"));
    assert_int_equal(RUN(W("token"), W("nonsense")), 64);
    assert_int_equal(RUN(W("token")), 64);
    assert_non_null(strstr(output, "renew or revoke"));
    assert_int_equal(RUN(W("token"), W("show")), 64);
    assert_non_null(strstr(output, "ACCESSOR"));
    assert_int_equal(RUN(W("get"), W("a"), W("--version"), W("x")), 64);
    assert_int_equal(RUN(W("list"), W("--nonsense"), W("--json")), 64);
    assert_non_null(strstr(output, "{\"error\":{\"code\":\"usage\""));
}

static void
test_without_a_broker_people_are_told_what_to_type(void **state)
{
    (void)state;
    assert_int_equal(RUN(W("list")), 69);
    assert_non_null(strstr(output, "auth-guard init"));
    assert_int_equal(RUN(W("list"), W("--json")), 69);
    assert_non_null(strstr(output, "\"no_vault\""));
    assert_int_equal(RUN(W("stop")), 69);
    assert_int_equal(RUN(W("status")), 0);
    assert_non_null(strstr(output, "auth-guard init"));
    assert_int_equal(RUN(W("status"), W("--json")), 0);
    assert_non_null(strstr(output, "\"vault\":\"absent\""));
    assert_int_equal(RUN(W("redact")), 69);
    assert_int_equal(RUN(W("run"), W("--"), W("true")), 125);
}

static void
test_with_a_vault_and_no_broker(void **state)
{
    char home[] = "/tmp/ag-verb-XXXXXX";
    char vault[64];

    (void)state;
    assert_non_null(mkdtemp(home));
    (void)snprintf(vault, sizeof(vault), "%s/vault.db", home);
    close(open(vault, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    setenv("AUTH_GUARD_HOME", home, 1);
    assert_int_equal(RUN(W("list")), 69);
    assert_non_null(strstr(output, "auth-guard unlock"));
    assert_int_equal(RUN(W("list"), W("--json")), 69);
    assert_non_null(strstr(output, "\"no_broker\""));
    /* It is so already: no failure. */
    assert_int_equal(RUN(W("lock")), 0);
    assert_non_null(strstr(output, "locked"));
    assert_int_equal(RUN(W("stop")), 0);
    setenv("AUTH_GUARD_HOME", "/nonexistent/auth-guard", 1);
    (void)unlink(vault);
    (void)rmdir(home);
}

static void
test_secret_never_comes_by_argument(void **state)
{
    (void)state;
    assert_int_equal(RUN(W("put"), W("name"), W("value")), 64);
    assert_int_equal(RUN(W("unwrap"), W("token")), 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verb_explains_itself),
        cmocka_unit_test(test_help_lists_and_explains),
        cmocka_unit_test(test_mistakes_exit_64_with_a_way_out),
        cmocka_unit_test(test_without_a_broker_people_are_told_what_to_type),
        cmocka_unit_test(test_with_a_vault_and_no_broker),
        cmocka_unit_test(test_secret_never_comes_by_argument),
    };

    setenv("AUTH_GUARD_HOME", "/nonexistent/auth-guard", 1);
    unsetenv("AUTH_GUARD_SOCKET");
    unsetenv("AUTH_GUARD_TOKEN");
    (void)dup2(open("/dev/null", O_RDONLY), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
