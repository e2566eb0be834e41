/* When rotations are due: times that were missed, clocks that jump, windows, and
 * rules that go. What a run does: rotation_test.c. */
#include "common/rotating.h"
#include "core/mint.h"

static enum ag_err
do_rule_remove(struct core *core, struct db_tx *tx, const struct call *call,
               const void *request, json_t **ret)
{
    (void)ret;
    return core_rotation_rule_remove(core, tx, call, request);
}

/* ---- what is due ---- */

static void
test_missed_times_are_one_rotation(void **state)
{
    (void)state;
    begin("b/missed", 0);
    set_clock(now_ms + HOUR_MS - 1);
    check_run(NULL, "");
    set_clock(now_ms + 3 * HOUR_MS + 2);
    check_run(NULL, "done");
    check_current("b/missed", 2);
    check_run(NULL, "");
    set_clock(now_ms + HOUR_MS);
    check_run(NULL, "done");
    check_current("b/missed", 3);
}

static void
test_a_clock_set_back_a_day_and_forward_a_month(void **state)
{
    (void)state;
    begin("b/clock", 0);
    /* Back a day: nothing is due, and it does not wait for a day. */
    set_clock(now_ms - DAY_MS);
    check_run(NULL, "");
    set_clock(now_ms + HOUR_MS);
    check_run(NULL, "done");
    /* Forward a month: once; and right again: within an hour. */
    set_clock(now_ms + 30 * DAY_MS);
    check_run(NULL, "done");
    set_clock(now_ms - 30 * DAY_MS);
    check_run(NULL, "");
    set_clock(now_ms + HOUR_MS);
    check_run(NULL, "done");
    check_current("b/clock", 4);
    set_clock(now_ms + 31 * DAY_MS);
}

/* Rotated while the clock was a month ahead: what waits for the end of a grace
 * would wait for that month, and no other rotation could begin. */
static void
test_a_grace_of_a_clock_that_was_ahead_begins_anew(void **state)
{
    (void)state;
    begin("b/grace", HOUR_S);
    set_clock(now_ms + 30 * DAY_MS);
    check_run(NULL, "rotated");
    set_clock(now_ms - 30 * DAY_MS);
    check_run(NULL, "waiting");
    check_run(NULL, ""); /* once */
    set_clock(now_ms + HOUR_MS - 1);
    check_run(NULL, "");
    set_clock(now_ms + 1);
    check_run(NULL, "done");
    check_current("b/grace", 2);
    /* And its rule, whose next time is a month ahead, is an hour from now. */
    check_run(NULL, "");
    set_clock(now_ms + HOUR_MS);
    check_run(NULL, "rotated");
    check_current("b/grace", 3);
    set_clock(now_ms + 31 * DAY_MS);
}

/* Back while it is observed: by name too the whole grace is waited for. */
static void
test_a_clock_set_back_does_not_end_a_grace(void **state)
{
    (void)state;
    begin("b/back", HOUR_S);
    set_clock(now_ms + DAY_MS);
    check_run("b/back", "rotated");
    set_clock(now_ms - DAY_MS);
    check_run("b/back", "waiting");
    check_run("b/back", "waiting");
    set_clock(now_ms + HOUR_MS);
    check_run("b/back", "done");
    check_current("b/back", 2);
}

static void
test_what_was_missed_waits_for_its_window(void **state)
{
    static const char *const WINDOWS[] = {"02:00-03:00"};

    (void)state;
    put("b/window", "the-first-value", NULL);
    set_clock((now_ms / DAY_MS + 1) * DAY_MS); /* midnight */
    set_rule(&(struct rotation_rule_request){.name = "b/window",
                                             .every_s = HOUR_S,
                                             .windows = WINDOWS,
                                             .window_count = 1,
                                             .rotator = "random"});
    set_clock(now_ms + 12 * HOUR_MS);
    check_run(NULL, "");
    set_clock(now_ms + 14 * HOUR_MS - 1);
    check_run(NULL, "");
    set_clock(now_ms + 1);
    check_run(NULL, "done");
    check_run("b/window", "done"); /* a person need not wait for it */
}

static void
test_a_rule_that_is_removed_is_not_due(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("b/removed", 0);
    check_ok(act(do_rule_remove, &call, "b/removed", NULL));
    check_err(act(do_rule_remove, &call, "b/removed", NULL), AG_ENOTFOUND);
    set_clock(now_ms + 2 * HOUR_MS);
    check_run(NULL, "");
}

static enum ag_err
do_mint_rule(struct core *core, struct db_tx *tx, const struct call *call,
             const void *request, json_t **ret)
{
    return core_mint_rule_set(core, tx, call, request, ret);
}

/* What could only fail at night is refused when it is said. */
static void
test_a_rule_without_value_or_source_is_refused(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson)
    json_t *params =
        json_pack("{s:s}", "role", "arn:aws:iam::123456789012:role/agent");
    const struct mint_rule_request minted = {.name = "m/minted",
                                             .minter = "aws-sts",
                                             .source = "m/key",
                                             .ttl_s = HOUR_S,
                                             .params = params};
    struct rotation_rule_request rule = {
        .name = "m/minted", .every_s = HOUR_S, .rotator = "random"};

    (void)state;
    put("m/key", "the-first-value", NULL);
    check_err(act(do_mint_rule, &call, &minted, NULL), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "has no access key"));
    put("m/key",
        "{\"AccessKeyId\":\"AKIAIOSFODNN7EXAMPLE\","
        "\"SecretAccessKey\":\"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY\"}",
        NULL);
    check_ok(act(do_mint_rule, &call, &minted, NULL));
    check_err(act(do_rule, &call, &rule, NULL), AG_ECONFLICT);
    assert_non_null(strstr(err_text(AG_ECONFLICT), "is minted for each task"));
    rule = (struct rotation_rule_request){
        .name = "m/key",
        .every_s = HOUR_S,
        .rotator = "postgres",
        .users = "app_a,app_b",
        .source = "m/none",
        .endpoint = "postgresql://owner@db.example.com/shop"};
    check_err(act(do_rule, &call, &rule, NULL), AG_ENOTFOUND);
    rule.source = "m/key";
    check_err(act(do_rule, &call, &rule, NULL), AG_EINVAL);
    put("m/key", "{\"username\":\"app_c\",\"password\":\"x\"}", NULL);
    check_err(act(do_rule, &call, &rule, NULL), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "app_a or app_b"));
    put("m/key", "{\"username\":\"app_b\",\"password\":\"x\"}", NULL);
    check_ok(act(do_rule, &call, &rule, NULL));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_rule_without_value_or_source_is_refused, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_missed_times_are_one_rotation,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_clock_set_back_a_day_and_forward_a_month, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_grace_of_a_clock_that_was_ahead_begins_anew, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_clock_set_back_does_not_end_a_grace, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_what_was_missed_waits_for_its_window, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_rule_that_is_removed_is_not_due,
                                        open_with_clock, close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
