/* How a task was kept apart: one line, kept with the task and read again. */
#include <jansson.h>

#include "common/check.h"
#include "core/isolation.h"
#include "store/tasks.h"
#include "wire/json.h"

static void
check_line(const struct task_isolation *is, const char *want)
{
    struct task_row row = {.id = 1};
    json_t *shown = json_object();

    check_ok(isolation_keep(is, &row));
    check_ok(isolation_show(&row, shown));
    assert_string_equal(json_string_value(json_object_get(shown, "isolation")),
                        want);
    json_decref(shown);
    task_row_done(&row);
}

static void
test_what_was_said_is_one_line(void **state)
{
    static const char *const read[] = {"/opt/a \"b\"", "/c"};
    static const char *const written[] = {"/srv/data"};
    static const struct task_isolation none = {.preset = ISOLATION_NONE};
    static const struct task_isolation plain = {
        .preset = "offline", .network = ISOLATION_NETWORK_NONE};
    static const char *const lacks[] = {"a process namespace"};
    static const struct task_isolation fenced = {.preset = "workspace",
                                                 .lacks = {lacks, 1}};
    static const struct task_isolation opened = {.preset = "workspace",
                                                 .home = ISOLATION_HOME_KEPT,
                                                 .ro = {read, 2},
                                                 .rw = {written, 1}};

    (void)state;
    check_line(NULL, "none");
    check_line(&none, "none, on purpose");
    check_line(&fenced, "workspace: network broker, home layer, without a "
                        "process namespace");
    check_line(&plain, "offline: network none, home layer");
    check_line(&opened,
               "workspace: network broker, home kept, ro /opt/a \"b\", "
               "ro /c, rw /srv/data");
}

static void
test_a_task_from_before_has_none(void **state)
{
    static char text[] = "{}";
    struct task_row row = {.id = 1};
    json_t *shown = json_object();

    (void)state;
    check_ok(isolation_show(&row, shown));
    assert_string_equal(json_string_value(json_object_get(shown, "isolation")),
                        "none");
    row.detail = text;
    check_ok(isolation_show(&row, shown));
    assert_string_equal(json_string_value(json_object_get(shown, "isolation")),
                        "none");
    json_decref(shown);
}

/* The places that were opened must not be cut off on the record. */
static void
test_too_much_is_refused(void **state)
{
    static char long_path[4001];
    static const char *many[8];
    struct task_isolation is = {.preset = "workspace", .rw = {many, 8}};
    struct task_row row = {.id = 1};

    (void)state;
    memset(long_path, 'x', sizeof(long_path) - 1);
    for (size_t i = 0; i < 8; i++) {
        many[i] = long_path;
    }
    check_err(isolation_keep(&is, &row), AG_ELIMIT);
    assert_null(row.detail);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_said_is_one_line),
        cmocka_unit_test(test_a_task_from_before_has_none),
        cmocka_unit_test(test_too_much_is_refused),
    };

    wjson_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
