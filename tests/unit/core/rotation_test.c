/* Rules and rotations on a real store with a real filter: what is due, what a
 * run does to the versions, clocks that jump, what people do meanwhile. */
#include "common/broker.h"
#include "core/rotation.h"
#include "core/state.h"
#include "store/rotations.h"
#include "store/versions.h"

enum {
    HOUR_S = 3600,
};

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

static int64_t now_ms;

static void
set_clock(int64_t ms)
{
    now_ms = ms;
    clock_fix_ms(ms);
}

static enum ag_err
do_rule(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_rotation_rule_set(core, tx, call, request, ret);
}

static enum ag_err
do_rule_remove(struct core *core, struct db_tx *tx, const struct call *call,
               const void *request, json_t **ret)
{
    (void)ret;
    return core_rotation_rule_remove(core, tx, call, request);
}

static enum ag_err
do_rollback(struct core *core, struct db_tx *tx, const struct call *call,
            const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_rollback(core, tx, call, request, 1);
}

static enum ag_err
do_rollback_to_2(struct core *core, struct db_tx *tx, const struct call *call,
                 const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_rollback(core, tx, call, request, 2);
}

static enum ag_err
do_destroy(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_destroy(core, tx, call, request, 1);
}

static enum ag_err
do_program(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

/* As a broker leaves it that died while the old value was being retired. */
static enum ag_err
do_begin_retire(struct core *core, struct db_tx *tx, const struct call *call,
                const void *request, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_row) struct rotation_row row = {0};

    (void)core;
    (void)ret;
    check_ok(secrets_find(db_tx_read(tx), span_str(request), &secret));
    check_ok(rotations_open_of(db_tx_read(tx), secret.id, &row));
    row.state = ROTATION_RETIRING;
    row.attempts = 1;
    row.due_ms = 0;
    check_ok(rotations_write(tx, &row));
    return core_note(tx, call, AUDIT_ROTATION_ACT, 0, secret.id,
                     json_pack("{s:s}", "what", "retire"));
}

static void
set_rule(const struct rotation_rule_request *request)
{
    struct call call = call_of(flow.operator_peer);

    check_ok(act(do_rule, &call, request, NULL));
}

/* A secret of version 1 with a rule of one hour. */
static void
begin(const char *name, int64_t grace_s)
{
    put(name, "the-first-value", NULL);
    set_rule(&(struct rotation_rule_request){.name = name,
                                             .every_s = HOUR_S,
                                             .grace_s = grace_s,
                                             .rotator = "random"});
}

static json_t *
run(const char *name)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {name};
    const struct rotate_request request = {.names = names,
                                           .name_count = name != NULL ? 1 : 0,
                                           .due = name == NULL};
    json_t *answer = NULL;

    call.now_ms = clock_wall_ms();
    check_ok(core_rotate(flow.core, &call, &request, &answer));
    return answer;
}

/* Runs and checks what became of the only one: "" for nothing. */
static void
check_run(const char *name, const char *want)
{
    AG_AUTO(wjson) json_t *answer = run(name);
    const json_t *items = json_object_get(answer, "items");

    assert_int_equal(json_array_size(items), want[0] != '\0' ? 1 : 0);
    if (want[0] != '\0') {
        assert_string_equal(text_at(json_array_get(items, 0), "result"), want);
    }
}

static int64_t
secret_id_of(const char *name, int64_t *ret_current)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(secrets_find(r, span_str(name), &row));
    *ret_current = row.current_version;
    return row.id;
}

static enum version_state
state_of(const char *name, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_get(r, id, number, &version));
    return version.state;
}

static void
check_current(const char *name, int64_t want)
{
    int64_t current = 0;

    (void)secret_id_of(name, &current);
    assert_int_equal(current, want);
}

static size_t
due_count(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t ids[4];
    size_t count = 0;

    check_ok(store_read(flow.core->store, &r));
    check_ok(rotation_rules_due(r, now_ms, ids, AG_COUNT(ids), &count));
    return count;
}

/* ---- a rotation ---- */

static void
test_the_old_version_stays_for_the_grace(void **state)
{
    (void)state;
    begin("a/grace", HOUR_S);
    check_run("a/grace", "rotated");
    check_current("a/grace", 2);
    assert_int_equal(state_of("a/grace", 1), VERSION_RETAINED);
    check_run("a/grace", "waiting");
    set_clock(now_ms + HOUR_MS - 1);
    check_run(NULL, "");
    set_clock(now_ms + 1);
    /* Its grace is over and its next time has come; one open at a time. */
    check_run(NULL, "done");
    assert_int_equal(state_of("a/grace", 1), VERSION_DESTROYED);
    check_current("a/grace", 2);
}

static void
test_many_puts_do_not_destroy_what_a_rotation_holds(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("a/held", HOUR_S);
    check_run("a/held", "rotated");
    for (int i = 0; i < 5; i++) {
        put("a/held", "by hand", NULL);
    }
    assert_int_equal(state_of("a/held", 1), VERSION_RETAINED);
    assert_int_equal(state_of("a/held", 2), VERSION_RETAINED);
    check_err(act(do_destroy, &call, "a/held", NULL), AG_ECONFLICT);
    set_clock(now_ms + HOUR_MS);
    check_run("a/held", "done");
    assert_int_equal(state_of("a/held", 1), VERSION_DESTROYED);
    check_current("a/held", 7);
}

static void
test_a_person_goes_back(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("a/back", HOUR_S);
    check_run("a/back", "rotated");
    check_ok(act(do_rollback, &call, "a/back", NULL));
    check_run("a/back", "failed");
    check_current("a/back", 1);
    assert_int_equal(state_of("a/back", 2), VERSION_DESTROYED);
}

/* The provider may have dropped the old value already, so that the new one may
 * be all that works: neither is undone. */
static void
test_a_person_goes_back_while_it_retires(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("a/late", HOUR_S);
    check_run("a/late", "rotated");
    check_ok(act(do_begin_retire, &call, "a/late", NULL));
    check_ok(act(do_rollback, &call, "a/late", NULL));
    check_run("a/late", "needs_person");
    check_current("a/late", 1);
    assert_int_equal(state_of("a/late", 2), VERSION_RETAINED);
    check_ok(act(do_rollback_to_2, &call, "a/late", NULL));
    check_current("a/late", 2);
}

static void
test_a_secret_that_goes_is_told(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("a/gone", HOUR_S);
    check_run("a/gone", "rotated");
    check_ok(act(do_remove, &call, "a/gone", NULL));
    set_clock(now_ms + 2 * HOUR_MS);
    check_run(NULL, "needs_person");
    assert_int_equal(due_count(), 1);
    check_run(NULL, ""); /* and so its rule */
    assert_int_equal(due_count(), 0);
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

/* ---- programs ---- */

static void
test_without_its_program_it_is_undone_and_tried_later(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct program_request program = {
        .name = "svc",
        .path = "/no/such/program",
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
                  "cdef",
        .limit_s = 1};
    struct rotation_rule_request rule = {.name = "c/command",
                                         .every_s = 30 * DAY_MS / 1000,
                                         .rotator = "command",
                                         .program = "svc"};
    (void)state;
    put("c/command", "the-first-value", NULL);
    check_err(act(do_rule, &call, &rule, NULL), AG_ENOTFOUND);
    check_ok(act(do_program, &call, &program, NULL));
    check_ok(act(do_rule, &call, &rule, NULL));
    /* This broker has no runner: prepare and undo are both refused. */
    check_run("c/command", "failed");
    check_run("c/command", "failed");
    check_run("c/command", "needs_person");
    check_current("c/command", 1);
}

static void
test_a_program_needs_proof_and_a_whole_record(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct program_request program = {
        .name = "svc", .path = "relative", .sha256 = "00", .limit_s = 1};
    struct rotation_rule_request rule = {.name = "c/command",
                                         .every_s = HOUR_S,
                                         .rotator = "command",
                                         .program = "svc"};

    (void)state;
    check_err(act(do_program, &call, &program, NULL), AG_EINVAL);
    program.path = "/x";
    check_err(act(do_program, &call, &program, NULL), AG_EINVAL);
    program.sha256 =
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
    check_err(act(do_program, &call, &program, NULL), AG_EINVAL);
    program.sha256 =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    program.name = "two/words";
    check_err(act(do_program, &call, &program, NULL), AG_EINVAL);
    program.name = "other";
    program.limit_s = 301;
    check_err(act(do_program, &call, &program, NULL), AG_EINVAL);
    put("c/command", "the-first-value", NULL);
    call.who = CALLER_OPERATOR;
    check_err(act(do_rule, &call, &rule, NULL), AG_EPROOF);
}

static void
test_a_dry_run_changes_nothing(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {"d/dry"};
    const struct rotate_request request = {
        .names = names, .name_count = 1, .dry_run = true};
    AG_AUTO(wjson) json_t *answer = NULL;
    uint64_t epoch = 0;

    (void)state;
    begin("d/dry", 0);
    epoch = store_epoch(flow.core->store);
    check_ok(core_rotate(flow.core, &call, &request, &answer));
    assert_int_equal(store_epoch(flow.core->store), epoch);
    assert_string_equal(
        text_at(json_array_get(json_object_get(answer, "items"), 0), "result"),
        "would");
}

static int
open_with_clock(void **state)
{
    /* So that times of one test are no other's: each ends before its next. */
    set_clock(INT64_C(1800000000000));
    return flow_open_vault(state);
}

static int
close_with_clock(void **state)
{
    clock_fix_ms(-1);
    return flow_close(state);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_the_old_version_stays_for_the_grace, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_many_puts_do_not_destroy_what_a_rotation_holds,
            open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_person_goes_back,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_person_goes_back_while_it_retires, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_secret_that_goes_is_told,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(test_missed_times_are_one_rotation,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_clock_set_back_a_day_and_forward_a_month, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_what_was_missed_waits_for_its_window, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_rule_that_is_removed_is_not_due,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_without_its_program_it_is_undone_and_tried_later,
            open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_program_needs_proof_and_a_whole_record, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_dry_run_changes_nothing,
                                        open_with_clock, close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
