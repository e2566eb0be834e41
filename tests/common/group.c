/*
 * group.c - what fails in the teardown of a group makes its program fail:
 * cmocka 1.1 prints it and counts it nowhere. In every test program, before
 * cmocka's own.
 */
#include <stdbool.h>

#include "common/check.h"

static CMFixtureFunction teardown;
static bool is_torn_down;

int __real__cmocka_run_group_tests(const char *name,
                                   const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction first,
                                   CMFixtureFunction last);
int __wrap__cmocka_run_group_tests(const char *name,
                                   const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction first,
                                   CMFixtureFunction last);

/* An assertion that fails in it does not return. */
static int
tear_down(void **state)
{
    int rc = teardown(state);

    is_torn_down = rc == 0;
    return rc;
}

int
__wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                               size_t count, CMFixtureFunction first,
                               CMFixtureFunction last)
{
    int failed = 0;

    teardown = last;
    is_torn_down = last == NULL;
    failed = __real__cmocka_run_group_tests(name, tests, count, first,
                                            last != NULL ? tear_down : NULL);
    return failed == 0 && !is_torn_down ? 1 : failed;
}
