/* Placeholders read a moment ago: to the letter, under their keyring only. */
#include "common/check.h"
#include "core/recent.h"

static const char TEXT[] = "sk-proj-abcdefghijklmnopqrstuvwxyz012345";

static int
setup(void **state)
{
    struct recent *r = NULL;

    check_ok(recent_new(&r));
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    recent_free(*state);
    return 0;
}

static void
test_one_is_known_under_its_keyring(void **state)
{
    uint64_t id = 7;

    assert_false(recent_get(*state, 1, span_str(TEXT), &id));
    recent_put(*state, 1, span_str(TEXT), 42);
    assert_false(recent_get(*state, 2, span_str(TEXT), &id));
    assert_int_equal(id, 7);
    assert_true(recent_get(*state, 1, span_str(TEXT), &id));
    assert_int_equal(id, 42);
    recent_put(*state, 2, span_str(TEXT), 43);
    assert_false(recent_get(*state, 1, span_str(TEXT), &id));
    assert_true(recent_get(*state, 2, span_str(TEXT), &id));
    assert_int_equal(id, 43);
}

/* Every other text, also one that has the same end. */
static void
test_a_letter_more_or_less_is_another(void **state)
{
    char other[sizeof(TEXT) + 1];
    uint64_t id = 0;

    recent_put(*state, 1, span_str(TEXT), 42);
    for (size_t i = 0; i + 1 < sizeof(TEXT); i++) {
        (void)snprintf(other, sizeof(other), "%s", TEXT);
        other[i] ^= 1;
        assert_false(recent_get(*state, 1, span_str(other), &id));
    }
    (void)snprintf(other, sizeof(other), "%s", TEXT + 1);
    assert_false(recent_get(*state, 1, span_str(other), &id));
    (void)snprintf(other, sizeof(other), "x%s", TEXT);
    assert_false(recent_get(*state, 1, span_str(other), &id));
    assert_false(recent_get(*state, 1, span_of(NULL, 0), &id));
}

static void
test_what_is_too_short_or_too_long_is_not_kept(void **state)
{
    static uint8_t text[RECENT_TEXT_MAX_BYTES + 1];
    uint64_t id = 0;

    memset(text, 'a', sizeof(text));
    recent_put(*state, 1, span_of(text, sizeof(text)), 42);
    assert_false(recent_get(*state, 1, span_of(text, sizeof(text)), &id));
    recent_put(*state, 1, span_of(text, 7), 42);
    assert_false(recent_get(*state, 1, span_of(text, 7), &id));
    recent_put(*state, 1, span_of(text, sizeof(text) - 1), 42);
    assert_true(recent_get(*state, 1, span_of(text, sizeof(text) - 1), &id));
}

/* More than there are places: what is found is right. */
static void
test_many_push_each_other_out(void **state)
{
    char text[64];
    uint64_t id = 0;
    size_t found = 0;

    for (uint64_t i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "%08u-placeholder-%08u", (unsigned)i,
                       (unsigned)(i * 7919));
        recent_put(*state, 1, span_str(text), i);
        assert_true(recent_get(*state, 1, span_str(text), &id));
        assert_int_equal(id, i);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "%08u-placeholder-%08u", (unsigned)i,
                       (unsigned)(i * 7919));
        if (recent_get(*state, 1, span_str(text), &id)) {
            assert_int_equal(id, i);
            found++;
        }
    }
    assert_in_range(found, 1, RECENT_PLACES_COUNT);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_known_under_its_keyring),
        TEST(test_a_letter_more_or_less_is_another),
        TEST(test_what_is_too_short_or_too_long_is_not_kept),
        TEST(test_many_push_each_other_out),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
