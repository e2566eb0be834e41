/* A command with the arguments of its profiles, and what their marks become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/argv.h"

static const struct argv_marks MARKS = {"/run/jail",
                                        "http://127.0.0.1:1234/t/7"};

static void
check_words(char **command, const char *args, const char *const *want)
{
    AG_AUTO(argv) struct argv *a = NULL;
    json_auto_t *list = json_loads(args, 0, NULL);
    char **words = NULL;
    size_t i = 0;

    assert_non_null(list);
    assert_int_equal(argv_new(command, list, &MARKS, &a), AG_OK);
    words = argv_words(a);
    for (; want[i] != NULL; i++) {
        assert_non_null(words[i]);
        assert_string_equal(words[i], want[i]);
    }
    assert_null(words[i]);
}

static void
test_marks_become_places_and_addresses(void **state)
{
    char *command[] = {(char[]){"/usr/bin/tool"}, (char[]){"{dir}"}, NULL};
    static const char *const want[] = {
        "/usr/bin/tool",
        "plain",
        "-c=/run/jail/x",
        "a={b=\"http://127.0.0.1:1234/t/7/api.example.org:8/v1\",c={}}",
        "/run/jail/run/jail",
        "{url:open",
        "{dir}",
        NULL};

    (void)state;
    check_words(command,
                "[{\"commands\":[\"tool\"],\"args\":[\"plain\","
                "\"-c={dir}/x\",\"a={b=\\\"{url:api.example.org:8}/v1\\\",c={}}"
                "\",\"{dir}{dir}\",\"{url:open\"]},"
                "{\"commands\":[\"other\"],\"args\":[\"not for it\"]}]",
                want);
}

static void
test_arguments_are_for_their_command(void **state)
{
    char *command[] = {(char[]){"sh"}, (char[]){"-c"}, NULL};
    static const char *const want[] = {"sh", "-c", NULL};

    (void)state;
    check_words(command, "[{\"commands\":[\"tool\"],\"args\":[\"{dir}\"]}]",
                want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_become_places_and_addresses),
        cmocka_unit_test(test_arguments_are_for_their_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
