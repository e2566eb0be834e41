/* Rotations on a real store with a real filter: what a run does to the versions,
 * and what people do meanwhile. When they are due: rotation_due_test.c. */
#include "common/rotating.h"
#include "store/versions.h"

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

/* As no broker leaves it: what is to be promoted is not there. */
static enum ag_err
do_lose_new(struct core *core, struct db_tx *tx, const struct call *call,
            const void *request, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_row) struct rotation_row row = {0};

    (void)core;
    (void)ret;
    check_ok(secrets_find(db_tx_read(tx), span_str(request), &secret));
    check_ok(rotations_open_of(db_tx_read(tx), secret.id, &row));
    row.state = ROTATION_VERIFIED;
    row.new_version = 77;
    check_ok(rotations_write(tx, &row));
    return core_note(tx, call, AUDIT_ROTATION_STEP, 0, secret.id,
                     json_pack("{s:s}", "what", "lost"));
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

/* A release destroys all versions but the one it writes to a file. */
static void
test_what_rotates_is_not_released(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct move_request request = {
        .kind = "release", .name = "a/release", .path = "/home/p/file"};
    AG_AUTO(wjson) json_t *refused = NULL;
    AG_AUTO(wjson) json_t *begun = NULL;

    (void)state;
    begin("a/release", HOUR_S);
    check_ok(act(do_begin, &call, &request, &begun));
    check_run("a/release", "rotated");
    check_err(act(do_begin, &call, &request, &refused), AG_ECONFLICT);
    /* Nor by a release that was begun before. */
    check_ok(act(do_rollback, &call, "a/release", NULL));
    check_err(act(do_commit, &call, text_at(begun, "id"), NULL), AG_ECONFLICT);
    assert_int_equal(state_of("a/release", 2), VERSION_RETAINED);
    check_run("a/release", "failed"); /* it is taken back */
    check_ok(act(do_commit, &call, text_at(begun, "id"), NULL));
    assert_int_equal(state_of("a/release", 1), VERSION_RELEASED);
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

static void
check_open_count(json_int_t want)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *status = NULL;

    check_ok(core_status(flow.core, &call, &status));
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(status, "counts"), "open_rotations")),
                     want);
}

static void
check_found(size_t count, const char *want)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};
    const json_t *found = NULL;

    check_ok(vault_lock(flow.core, &call));
    check_ok(vault_unlock(flow.core, &call, &request, &answer));
    found = json_object_get(answer, "found");
    assert_int_equal(json_array_size(found), count);
    if (count > 0) {
        assert_string_equal(json_string_value(json_array_get(found, 0)), want);
    }
}

static void
test_what_is_under_way_is_said_at_the_start_and_in_the_status(void **state)
{
    (void)state;
    begin("a/said", HOUR_S);
    check_open_count(0);
    check_found(0, "");
    check_run("a/said", "rotated");
    check_open_count(1);
    check_found(1, "1 rotation(s) are under way; see: auth-guard rotate log");
    set_clock(now_ms + HOUR_MS);
    check_run("a/said", "done");
    check_open_count(0);
    check_found(0, "");
}

static void
test_what_is_not_found_under_way_is_a_failure(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    begin("a/lost", HOUR_S);
    check_run("a/lost", "rotated");
    check_ok(act(do_rollback, &call, "a/lost", NULL));
    check_ok(act(do_lose_new, &call, "a/lost", NULL));
    check_run("a/lost", "failed");
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
test_an_endpoint_needs_fresh_proof(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct rotation_rule_request rule = {.name = "e/aws",
                                         .every_s = HOUR_S,
                                         .rotator = "aws-access-key",
                                         .region = "eu-central-1"};

    (void)state;
    put("e/aws", "the-first-value", NULL);
    call.who = CALLER_OPERATOR;
    check_err(act(do_rule, &call, &rule, NULL), AG_EINVAL); /* no access key */
    put("e/aws",
        "{\"AccessKeyId\":\"AKIAIOSFODNN7EXAMPLE\",\"SecretAccessKey\":"
        "\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"}",
        NULL);
    check_ok(act(do_rule, &call, &rule, NULL));
    rule.endpoint = "https://iam.example.org";
    check_err(act(do_rule, &call, &rule, NULL), AG_EPROOF);
    call.who = CALLER_PROOF;
    check_ok(act(do_rule, &call, &rule, NULL));
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

/* What a tool reads would be a random text, and the login lost. */
static void
test_a_value_with_a_format_is_not_made_by_chance(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(secret) struct secret *value = secret_of("{\"key\":\"a-value\"}");
    const struct put_request file = {
        .name = "k/file", .kind = "file", .value = value, .if_version = -1};
    const struct put_request later = {
        .name = "k/later", .kind = "file", .value = value, .if_version = -1};
    const struct rotation_rule_request rule = {
        .name = "k/file", .every_s = HOUR_S, .rotator = "random"};

    (void)state;
    check_ok(act(do_put, &call, &file, NULL));
    check_err(act(do_rule, &call, &rule, NULL), AG_EINVAL);
    /* Nor of one that became a file since. */
    begin("k/later", 0);
    check_ok(act(do_put, &call, &later, NULL));
    check_run("k/later", "failed");
    check_current("k/later", 2);
}

/* It is due by its rule, but a run would only end the rule. */
static void
test_a_dry_run_leaves_out_what_is_gone(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct rotate_request request = {.due = true, .dry_run = true};
    AG_AUTO(wjson) json_t *answer = NULL;

    (void)state;
    begin("d/gone", 0);
    begin("d/there", 0);
    check_ok(act(do_remove, &call, "d/gone", NULL));
    set_clock(now_ms + 2 * HOUR_MS);
    call.now_ms = now_ms;
    check_ok(core_rotate(flow.core, &call, &request, &answer));
    assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
    assert_string_equal(
        text_at(json_array_get(json_object_get(answer, "items"), 0), "secret"),
        "d/there");
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
        cmocka_unit_test_setup_teardown(test_what_rotates_is_not_released,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_secret_that_goes_is_told,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_what_is_under_way_is_said_at_the_start_and_in_the_status,
            open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_what_is_not_found_under_way_is_a_failure, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_without_its_program_it_is_undone_and_tried_later,
            open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_program_needs_proof_and_a_whole_record, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_an_endpoint_needs_fresh_proof,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_dry_run_changes_nothing,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_value_with_a_format_is_not_made_by_chance, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_dry_run_leaves_out_what_is_gone,
                                        open_with_clock, close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
