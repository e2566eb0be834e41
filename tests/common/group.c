/*
 * group.c - what fails in the teardown of a group makes its program fail:
 * cmocka 1.1 prints it and counts it nowhere. In every test program, before
 * cmocka's own.
 * Where AG_TEST_CPU is "plain" a newer machine is taken for one without what
 * base/cpu.h asks for: what is there for all machines is tested on each.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "common/check.h"
#include "common/plain.h"

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
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread
    const char *cpu = getenv("AG_TEST_CPU");
    int failed = 0;

    if (cpu != NULL && strcmp(cpu, "plain") == 0) {
        plain_cpu();
        AG_ASSERT(!cpu_is_v3());
    }
    teardown = last;
    is_torn_down = last == NULL;
    failed = __real__cmocka_run_group_tests(name, tests, count, first,
                                            last != NULL ? tear_down : NULL);
    return failed == 0 && !is_torn_down ? 1 : failed;
}
