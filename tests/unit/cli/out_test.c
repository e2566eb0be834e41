/* Text of others on our terminal, tables, and the environment of a task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "out.h"
#include "run/environ.h"
#include "text.h"

static const char *
shown(const char *text)
{
    static char out[256];
    FILE *to = fmemopen(out, sizeof(out), "w");

    text_show(to, text);
    fclose(to);
    return out;
}

static void
test_nothing_steers_the_terminal(void **state)
{
    (void)state;
    assert_string_equal(shown("plain \xc3\xa9\t"), "plain \xc3\xa9\t");
    /* Nor begins a line of its own making. */
    assert_string_equal(shown("a\nb\r"), "a\\x0ab\\x0d");
    assert_int_equal(text_width("a\nb"), 6);
    assert_string_equal(shown("\033[2J\a\x7f"), "\\x1b[2J\\x07\\x7f");
    assert_string_equal(shown("\xc2\x9b"
                              "31m"),
                        "\\xc2\\x9b"
                        "31m");
    assert_string_equal(shown("\xff\xc3"), "\\xff\\xc3");
    assert_int_equal(text_width("\xc3\xa9\033"), 5);
}

static void
test_times_are_distances(void **state)
{
    char out[OUT_WHEN_BYTES];

    (void)state;
    clock_fix_ms(1767225600000); /* 2026-01-01T00:00:00Z */
    assert_string_equal(out_when("2026-01-01T00:00:42.000Z", out), "in 42 s");
    assert_string_equal(out_when("2026-01-01T02:30:00Z", out), "in 2 h");
    assert_string_equal(out_when("2026-01-01T07:59:58Z", out), "in 8 h");
    assert_string_equal(out_when("2026-01-01T00:59:59Z", out), "in 1 h");
    assert_string_equal(out_when("2025-12-31T22:00:01Z", out), "1 h ago");
    assert_string_equal(out_when("2025-12-25T00:00:00Z", out), "7 d ago");
    assert_string_equal(out_when("nonsense", out), "-");
    assert_string_equal(out_when(NULL, out), "-");
    clock_fix_ms(-1);
}

static void
test_table_refuses_nothing_it_can_show(void **state)
{
    static const struct out_column columns[] = {{"A", false}, {"B", true}};
    const char *cells[] = {"x", NULL};
    struct out_table *table = NULL;

    (void)state;
    assert_int_equal(out_table_new(columns, 2, &table), AG_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(out_table_add(table, cells), AG_OK);
    }
    out_table_free(table);
    out_table_free(NULL);
}

/* The value in the list, or NULL. */
static const char *
env_get(struct env_list *e, const char *name)
{
    size_t len = strlen(name);

    for (char **item = env_vector(e); *item != NULL; item++) {
        if (strncmp(*item, name, len) == 0 && (*item)[len] == '=') {
            return *item + len + 1;
        }
    }
    return NULL;
}

static void
test_environment_of_a_task(void **state)
{
    char *base[] = {(char[]){"PATH=/bin"},
                    (char[]){"AUTH_GUARD_HOME=/x"},
                    (char[]){"AUTH_GUARD_TOKEN=agt_op"},
                    (char[]){"KEY=old"},
                    (char[]){"GONE=1"},
                    NULL};
    struct env_list *e = NULL;
    size_t slot = 0;

    (void)state;
    assert_int_equal(env_list_new(base, &e), AG_OK);
    assert_null(env_get(e, "AUTH_GUARD_HOME"));
    assert_null(env_get(e, "AUTH_GUARD_TOKEN"));
    assert_string_equal(env_get(e, "PATH"), "/bin");
    env_unset(e, "GONE");
    env_unset(e, "GONE");
    assert_int_equal(env_set(e, "AUTH_GUARD_TOKEN", "agt_task"), AG_OK);
    assert_int_equal(env_put(e, "PLAIN=a=b"), AG_OK);
    assert_int_equal(env_reserve(e, "KEY", &slot), AG_OK);
    assert_string_equal(env_get(e, "KEY"), "");
    assert_string_equal(env_vector(e)[slot], "KEY=");
    assert_string_equal(env_get(e, "PLAIN"), "a=b");
    assert_null(env_get(e, "GONE"));
    assert_null(env_get(e, "PLAI"));
    env_list_free(e);
}

static void
test_directory_with_the_passphrase_is_not_passed_on(void **state)
{
    char dir[] = "/tmp/ag-out-XXXXXX";
    char variable[64];
    char path[96];
    char *base[] = {variable, NULL};
    struct env_list *e = NULL;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(variable, sizeof(variable), "CREDENTIALS_DIRECTORY=%s", dir);
    assert_int_equal(env_list_new(base, &e), AG_OK);
    assert_non_null(env_get(e, "CREDENTIALS_DIRECTORY"));
    env_list_free(e);
    snprintf(path, sizeof(path), "%s/AUTH_GUARD_PASSPHRASE_FILE", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(env_list_new(base, &e), AG_OK);
    assert_null(env_get(e, "CREDENTIALS_DIRECTORY"));
    env_list_free(e);
    (void)remove(path);
    (void)remove(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_steers_the_terminal),
        cmocka_unit_test(test_times_are_distances),
        cmocka_unit_test(test_table_refuses_nothing_it_can_show),
        cmocka_unit_test(test_environment_of_a_task),
        cmocka_unit_test(test_directory_with_the_passphrase_is_not_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
