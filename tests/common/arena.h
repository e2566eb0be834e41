/*
 * arena.h - locked memory for a test: opened before, and found empty after.
 */
#ifndef AG_TESTS_ARENA_H
#define AG_TESTS_ARENA_H

#include "base/secret.h"
#include "common/check.h"

static inline int
arena_set_up(void **state)
{
    (void)state;
    check_ok(secret_arena_open((size_t)1024 * 1024));
    return 0;
}

static inline int
arena_tear_down(void **state)
{
    (void)state;
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return 0;
}

#endif
