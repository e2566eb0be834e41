/*
 * Incidents with the n-th allocation of a JSON tree failing, n = 1, 2, 3 …: it is
 * said, nothing is changed, the record verifies; then it works.
 */
// WRAP: wipe_malloc
#include "common/fault.h"
#include "common/incidents.h"
#include "core/danger.h"

FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)

static unsigned points;

/* What must be the same before and after a failure. */
struct census {
    size_t open;
    json_int_t last_row;
};

static struct census
take_census(void)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct census c = {.open = open_count()};

    check_ok(record_audit(flow.core, -1, 1, &answer));
    c.last_row = json_integer_value(json_object_get(answer, "last"));
    return c;
}

static void fail_in_turn(enum ag_err (*op)(void))
{
    for (unsigned n = 1;; n++) {
        struct census before = take_census();
        struct census after = {0};
        enum ag_err err = AG_OK;
        bool fired = false;

        fault_arm(n);
        err = op();
        fired = fault_done();
        if (!fired) {
            check_ok(err);
            return;
        }
        points++;
        if (err != AG_OK) {
            check_err(err, AG_ENOMEM);
            after = take_census();
            assert_int_equal(after.open, before.open);
            assert_int_equal(after.last_row, before.last_row);
        }
    }
}

static enum ag_err
op_leaked(void)
{
    return leaked("a/fault", 0, NULL);
}

static enum ag_err
op_list(void)
{
    json_t *answer = NULL;
    enum ag_err err = core_incident_list(flow.core, true, &answer);

    json_decref(answer);
    return err;
}

static enum ag_err
op_show(void)
{
    json_t *answer = NULL;
    enum ag_err err = core_incident_show(flow.core, "1", &answer);

    json_decref(answer);
    return err;
}

static enum ag_err
op_dangers(void)
{
    json_t *answer = NULL;
    enum ag_err err = core_dangers(flow.core, &answer);

    json_decref(answer);
    return err;
}

static enum ag_err
op_rotate(void)
{
    struct call call = call_of(flow.operator_peer);
    json_t *answer = NULL;
    enum ag_err err = core_incident_rotate(flow.core, &call, "1", &answer);

    json_decref(answer);
    return err;
}

static enum ag_err
op_close(void)
{
    struct call call = call_of(flow.operator_peer);
    enum ag_err err = core_incident_close(flow.core, &call, "1", "a note");

    return err == AG_ECONFLICT ? AG_OK : err; /* closed in spite of a fault */
}

static void
test_each_use_case_fails_whole(void **state)
{
    AG_AUTO(wjson) json_t *verified = NULL;

    (void)state;
    put("a/fault", "a-value-that-leaks", NULL);
    fail_in_turn(op_leaked);
    fail_in_turn(op_list);
    fail_in_turn(op_show);
    fail_in_turn(op_dangers);
    fail_in_turn(op_rotate); /* there is no rule: nothing is to be changed */
    fail_in_turn(op_close);
    check_ok(record_verify(flow.core, &verified));
    print_message("%u points tried\n", points);
}

/* It answers nothing: it is on the record whole, or not at all. */
static void
test_a_sighting_is_on_the_record_or_not(void **state)
{
    AG_AUTO(wjson) json_t *verified = NULL;
    struct incident_sight sight = {.form = "raw", .is_sure = true, .count = 1};
    bool fired = true;

    (void)state;
    put("a/fault", "a-value-that-leaks", NULL);
    sight.value_id = (uint64_t)version_row_of("a/fault", 1)
                     << FILTER_GROUP_BITS;
    for (unsigned n = 1; fired; n++) {
        struct census before = take_census();
        struct census after = {0};

        fault_arm(n);
        incident_seen(flow.core, 0, &sight, 1);
        fired = fault_done();
        after = take_census();
        assert_true(after.last_row <= before.last_row + 1);
        assert_true(after.last_row > before.last_row ||
                    after.open == before.open);
        points += fired ? 1 : 0;
    }
    assert_int_equal(open_count(), 1);
    check_ok(record_verify(flow.core, &verified));
    print_message("%u points tried\n", points);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_use_case_fails_whole),
        TEST(test_a_sighting_is_on_the_record_or_not),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
