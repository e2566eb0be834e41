/*
 * fixture.h - the service and one `struct upstream` for all tests of a program.
 */
#ifndef AG_TESTS_UPSTREAM_FIXTURE_H
#define AG_TESTS_UPSTREAM_FIXTURE_H

#include "base/secret.h"
#include "common/talk.h"

static struct upstream *u;

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    (void)service_start();
    u = talk_upstream();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    upstream_free(u);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return service_stop();
}

#endif
