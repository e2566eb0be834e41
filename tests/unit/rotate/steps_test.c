/* The journal's steps as data: every state with every event. */
#include "common/check.h"
#include "rotate/steps.h"

static const enum rotation_state STATES[] = {
    ROTATION_PREPARING, ROTATION_PREPARED, ROTATION_VERIFIED,
    ROTATION_OBSERVING, ROTATION_RETIRING, ROTATION_UNDOING,
    ROTATION_DONE,      ROTATION_UNDONE,   ROTATION_ABANDONED};

static const enum step_event EVENTS[] = {EVENT_DONE, EVENT_REFUSED, EVENT_LATER,
                                         EVENT_UNSURE, EVENT_CONFLICT};

static enum rotation_state
next_of(enum rotation_state state, enum step_event event, bool has_new,
        int64_t attempts)
{
    const struct step_facts facts = {has_new, attempts};
    struct step step = {.again = false};

    check_ok(step_next(state, event, &facts, &step));
    return step.state;
}

static void
test_a_rotation_that_goes_well(void **state)
{
    static const enum rotation_state WAY[] = {
        ROTATION_PREPARING, ROTATION_PREPARED, ROTATION_VERIFIED,
        ROTATION_OBSERVING, ROTATION_RETIRING, ROTATION_DONE};

    (void)state;
    for (size_t i = 0; i + 1 < AG_COUNT(WAY); i++) {
        assert_int_equal(next_of(WAY[i], EVENT_DONE, true, 1), WAY[i + 1]);
    }
    assert_int_equal(step_act_of(ROTATION_DONE), STEP_NONE);
}

/* Whatever happens: an open state has an act, leads to no state but those there
 * are, and an ended one leads nowhere. */
static void
test_ended_is_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(STATES); i++) {
        for (size_t k = 0; k < AG_COUNT(EVENTS); k++) {
            const struct step_facts facts = {true, 1};
            struct step step = {.again = false};
            enum ag_err err = step_next(STATES[i], EVENTS[k], &facts, &step);

            if (!step_is_open(STATES[i])) {
                assert_int_equal(err, AG_ECONFLICT);
            } else if (err == AG_OK) {
                assert_true(rotation_state_known((int64_t)step.state));
                assert_int_equal(step.again, step.state == STATES[i]);
            }
        }
    }
}

/* The old version is destroyed by way of retiring alone, the new one by way of
 * undoing; what was promoted is never undone but by a conflict. */
static void
test_no_credential_is_forgotten(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(STATES); i++) {
        for (size_t k = 0; k < AG_COUNT(EVENTS); k++) {
            const struct step_facts facts = {true, 99};
            struct step step = {.again = false};

            if (step_next(STATES[i], EVENTS[k], &facts, &step) != AG_OK) {
                continue;
            }
            if (step.state == ROTATION_DONE) {
                assert_int_equal(STATES[i], ROTATION_RETIRING);
                assert_int_equal(EVENTS[k], EVENT_DONE);
            }
            if (step.state == ROTATION_UNDONE) {
                assert_int_equal(STATES[i], ROTATION_UNDOING);
                assert_int_equal(EVENTS[k], EVENT_DONE);
            }
            if (step.state == ROTATION_UNDOING &&
                (STATES[i] == ROTATION_OBSERVING ||
                 STATES[i] == ROTATION_RETIRING)) {
                assert_int_equal(EVENTS[k], EVENT_CONFLICT);
            }
        }
    }
}

static void
test_the_check_decides_what_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(next_of(ROTATION_PREPARING, EVENT_UNSURE, true, 1),
                     ROTATION_PREPARED);
    assert_int_equal(next_of(ROTATION_PREPARING, EVENT_UNSURE, false, 1),
                     ROTATION_UNDOING);
    assert_int_equal(next_of(ROTATION_PREPARING, EVENT_DONE, false, 1),
                     ROTATION_UNDOING);
    assert_int_equal(next_of(ROTATION_PREPARING, EVENT_REFUSED, true, 1),
                     ROTATION_UNDOING);
}

static void
test_tries_are_counted(void **state)
{
    (void)state;
    assert_int_equal(next_of(ROTATION_PREPARED, EVENT_LATER, true, 1),
                     ROTATION_PREPARED);
    assert_int_equal(
        next_of(ROTATION_PREPARED, EVENT_UNSURE, true, STEP_TRIES_COUNT),
        ROTATION_UNDOING);
    assert_int_equal(next_of(ROTATION_RETIRING, EVENT_UNSURE, true, 1000),
                     ROTATION_RETIRING);
    assert_int_equal(next_of(ROTATION_UNDOING, EVENT_REFUSED, true, 1000),
                     ROTATION_UNDOING);
}

static void
test_pauses_grow_and_end(void **state)
{
    (void)state;
    assert_int_equal(step_pause_ms(0), 60 * 1000);
    assert_int_equal(step_pause_ms(1), 60 * 1000);
    assert_int_equal(step_pause_ms(2), 120 * 1000);
    assert_int_equal(step_pause_ms(6), 32 * 60 * 1000);
    assert_int_equal(step_pause_ms(7), 60 * 60 * 1000);
    assert_int_equal(step_pause_ms(INT64_MAX), 60 * 60 * 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rotation_that_goes_well),
        cmocka_unit_test(test_ended_is_ended),
        cmocka_unit_test(test_no_credential_is_forgotten),
        cmocka_unit_test(test_the_check_decides_what_is_not_known),
        cmocka_unit_test(test_tries_are_counted),
        cmocka_unit_test(test_pauses_grow_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
