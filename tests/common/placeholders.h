/*
 * placeholders.h - a key, and the shipped profiles, for tests of placeholders.
 */
#ifndef AG_TESTS_PLACEHOLDERS_H
#define AG_TESTS_PLACEHOLDERS_H

#include "common/arena.h"
#include "profile/load.h"

static struct secret *key;
static struct profiles *profiles;

static inline int
placeholders_set_up(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    check_ok(secret_new(32, &key));
    memset(secret_bytes(key), 5, 32);
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles));
    return 0;
}

static inline int
placeholders_tear_down(void **state)
{
    profiles_free(profiles);
    secret_free(key);
    return arena_tear_down(state);
}

#endif
