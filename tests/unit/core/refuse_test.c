/* What is refused, between two tasks that run at once and one outside: who ends,
 * what is on the record, and what stays without consequence. */
#include "common/parties.h"
#include "common/rows.h"
#include "core/folds.h"
#include "core/incident.h"
#include "core/stray.h"
#include "core/tokens.h"
#include "store/incidents.h"
#include "store/tasks.h"

static const char API[] = "https://api.example";

/* ---- what was left behind ---- */

static void
check_row(enum audit_kind kind, int64_t task_id, const char *code,
          int64_t owner_id)
{
    struct last_row last = rows_last(true);
    char wanted[64];

    rows_check(&last, kind, task_id, code);
    (void)snprintf(wanted, sizeof(wanted), "\"owner\":%lld",
                   (long long)owner_id);
    rows_check(&last, kind, task_id, wanted);
}

/* Is what the task had in its hands in doubt? */
static bool
is_in_doubt(int64_t task_id)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(incident_row) struct incident_row row = {0};
    const struct incident_row of = {.task_id = task_id};
    enum ag_err err;

    check_ok(store_read(flow.core->store, &r));
    err = incidents_open_of(r, &of, &row);
    assert_true(err == AG_ENOTFOUND || row.source == INCIDENT_TRIPWIRE);
    return err == AG_OK;
}

/* Told, revoked, and in the vault. */
static void
check_ended(const struct party *p)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(task_row) struct task_row row = {0};

    assert_non_null(p->reason);
    assert_string_equal(p->reason, "alarm");
    check_err(show_token(p->child, p->token), AG_EREVOKED);
    check_ok(store_read(flow.core->store, &r));
    check_ok(tasks_get(r, p->id, &row));
    assert_true(row.ended_ms != 0);
    assert_int_equal(row.end_reason, END_ALARM);
    assert_true(is_in_doubt(p->id));
}

static void
check_runs(const struct party *p)
{
    assert_null(p->reason);
    assert_false(is_in_doubt(p->id));
    check_ok(show_token(p->child, p->token));
    check_ok(send_key(p->child, p->key));
}

/* ---- in a head ---- */

static void
test_one_of_a_task_that_runs_ends_both(void **state)
{
    (void)state;
    check_err(send_key(caller.child, owner.key), AG_EFOREIGN);
    assert_non_null(strstr(err_text(AG_EFOREIGN), "both are ended"));
    check_ended(&owner);
    check_ended(&caller);
    check_row(AUDIT_TRIPWIRE, caller.id, "foreign_placeholder", owner.id);
}

static void
test_one_of_a_task_that_has_ended_ends_only_the_caller(void **state)
{
    struct party past;

    (void)state;
    start_party(&past, 4000);
    end_party(&past);
    check_err(send_key(caller.child, past.key), AG_EENDED);
    assert_non_null(strstr(err_text(AG_EENDED), "this one is ended too"));
    check_ended(&caller);
    check_runs(&owner);
    check_row(AUDIT_TRIPWIRE, caller.id, "ended_placeholder", past.id);
}

/* It is told to nobody outside, and whose it is may not go on: it was stolen.
 */
static void
test_one_that_got_out_ends_whose_it_is(void **state)
{
    (void)state;
    check_err(send_key(flow.stranger_peer, owner.key), AG_EFOREIGN);
    check_ended(&owner);
    check_runs(&caller);
    check_row(AUDIT_TRIPWIRE, 0, "foreign_placeholder", owner.id);
}

/* A scan found one on the disk: whose it is, if it runs, let it out. */
static void
test_one_on_the_disk_ends_whose_it_is(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct party past;
    char text[2200];

    (void)state;
    start_party(&past, 4100);
    end_party(&past);
    (void)snprintf(text, sizeof(text), "%s\n%s\n", past.key, owner.key);
    check_ok(stray_on_disk(flow.core, &call, span_str(text), &answer));
    assert_int_equal(json_array_size(json_object_get(answer, "placeholders")),
                     2);
    check_ended(&owner);
    check_runs(&caller);
    assert_false(is_in_doubt(past.id)); /* that of an ended task is history */
}

static enum ag_err
do_hold(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_patch(core, tx, call, request);
}

/* Each request takes the value anew: from the leak on none has it. */
static void
test_a_value_on_hold_is_not_sent(void **state)
{
    static const char *const NAMES[] = {"github/bot"};
    struct patch_request patch = {.name = NAMES[0], .on_leak = "hold"};
    const struct leaked_request said = {.names = NAMES, .name_count = 1};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    char id[24];

    (void)state;
    check_runs(&caller);
    check_ok(act(do_hold, &call, &patch, NULL));
    check_runs(&caller);
    check_ok(core_leaked(flow.core, &call, &said, &answer));
    check_err(send_key(caller.child, caller.key), AG_EONHOLD);
    assert_null(caller.reason);
    (void)snprintf(id, sizeof(id), "%lld",
                   (long long)json_integer_value(json_object_get(
                       json_array_get(json_object_get(answer, "incidents"), 0),
                       "incident")));
    check_ok(core_incident_close(flow.core, &call, id, NULL));
    check_runs(&caller);
    patch.on_leak = "record";
    check_ok(act(do_hold, &call, &patch, NULL));
}

static void
test_ones_own_at_a_wrong_place_has_no_consequence(void **state)
{
    (void)state;
    check_err(send_one(&(struct sent){.peer = caller.child,
                                      .service = "api.example",
                                      .name = "X-Other",
                                      .value = caller.key}),
              AG_EPLACE);
    assert_non_null(strstr(err_text(AG_EPLACE), "where no value belongs"));
    check_row(AUDIT_POLICY_DENIED, caller.id, "wrong_place", caller.id);
    check_runs(&caller);
    check_runs(&owner);
}

/* Somebody outside who is refused often is no task that searches. */
static void
test_who_is_no_task_is_no_search(void **state)
{
    (void)state;
    for (int i = 0; i < PERMIT_STRAYS_MAX_COUNT + 3; i++) {
        char token[80];

        (void)snprintf(token, sizeof(token), "x=%s", owner.token);
        check_err(send_one(&(struct sent){.peer = flow.stranger_peer,
                                          .service = "api.example",
                                          .query = token}),
                  AG_EPLACE);
        check_row(AUDIT_POLICY_DENIED, 0, "wrong_place", 0);
    }
    check_runs(&owner);
    check_runs(&caller);
}

static enum ag_err
do_role(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_role_create(core, tx, call, request, ret);
}

/* It searches with what is no placeholder: nobody's tokens go but its own. */
static void
test_a_search_without_a_placeholder(void **state)
{
    const struct role_request request = {.name = "ci", .kind = "runner"};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *role = NULL;

    (void)state;
    check_ok(act(do_role, &call, &request, &role));
    check_ok(show_token(flow.stranger_peer, text_at(role, "token")));
    for (int i = 0; i <= PERMIT_STRAYS_MAX_COUNT; i++) {
        assert_null(caller.reason);
        check_err(send_one(&(struct sent){.peer = caller.child,
                                          .service = "api.example",
                                          .name = "X-Other",
                                          .value = caller.token}),
                  AG_EPLACE);
    }
    check_ended(&caller);
    check_row(AUDIT_TRIPWIRE, caller.id, "wrong_place", 0);
    check_ok(show_token(flow.stranger_peer, text_at(role, "token")));
    check_runs(&owner);
}

static void
test_a_value_that_does_not_go_there(void **state)
{
    const struct task_proxy_request wishes[] = {
        {.uses = -1, .ref = "ag://github/bot", .upstream = API, .key_env = "A"},
        {.uses = -1,
         .ref = "ag://second/key",
         .upstream = "https://two.example",
         .key_env = "B"}};

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    check_err(send_key(NULL, sender.keys[1]), AG_EHOST);
    assert_non_null(strstr(err_text(AG_EHOST), "the task is ended"));
    assert_string_equal(ended_reason, "alarm");
    check_row(AUDIT_TRIPWIRE, sender.id, "wrong_host", sender.id);
    end_sender();
}

static void
test_a_text_that_is_nobodys(void **state)
{
    uint64_t id = 0;
    struct call call = call_of(caller.child);

    (void)state;
    /* Of a task that never was, and of none. */
    check_ok(proxied_id(caller.id + 1000, 0, &id));
    check_ok(permit_stray(flow.core, &call, id));
    check_ok(permit_stray(flow.core, &call, 7));
    check_runs(&caller);
}

/* ---- in a body ---- */

static void
test_in_a_body_ones_own_goes_on(void **state)
{
    struct call call = call_of(caller.child);
    struct last_row before = rows_last(true);

    (void)state;
    for (int i = 0; i < PERMIT_STRAYS_MAX_COUNT + 3; i++) {
        check_ok(permit_stray(flow.core, &call, caller.key_id));
    }
    assert_int_equal(rows_last(true).count, before.count);
    check_runs(&caller);
}

static void
test_in_a_body_anothers_ends_both(void **state)
{
    struct call call = call_of(caller.child);

    (void)state;
    check_err(permit_stray(flow.core, &call, owner.key_id), AG_EFOREIGN);
    check_ended(&owner);
    check_ended(&caller);
    check_row(AUDIT_TRIPWIRE, caller.id, "foreign_placeholder", owner.id);
    assert_non_null(strstr(rows_last(true).json, "\"service\":\"body\""));
}

/* A transcript may hold one: it is told, and goes on. */
static void
test_in_a_body_one_of_an_ended_task(void **state)
{
    struct call call = call_of(caller.child);
    int before = 0;
    struct party past;

    (void)state;
    start_party(&past, 4000);
    end_party(&past);
    before = rows_last(false).count;
    check_ok(permit_stray(flow.core, &call, past.key_id));
    assert_int_equal(rows_last(false).count, before + 1);
    check_runs(&caller);
    check_runs(&owner);
}

/* ---- counted ---- */

/* However often it was refused: what ends a task has its row. */
static void
test_a_tripwire_has_its_row(void **state)
{
    int_fast64_t before = atomic_load(&flow.core->refused_count);
    enum ag_err err = AG_OK;

    (void)state;
    for (int i = 0; i < FOLDS_ROWS_PER_MINUTE + 2; i++) {
        err = send_one(&(struct sent){.peer = caller.child, .service = "no"});
    }
    check_err(err, AG_ERATE);
    assert_int_equal(atomic_load(&flow.core->refused_count) - before,
                     FOLDS_ROWS_PER_MINUTE + 2);
    check_err(send_key(caller.child, owner.key), AG_EFOREIGN);
    check_row(AUDIT_TRIPWIRE, caller.id, "foreign_placeholder", owner.id);
    check_ended(&owner);
    check_ended(&caller);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, parties_begin, parties_end)

static int
open_vault(void **state)
{
    int failed = flow_open_vault(state);

    if (failed == 0) {
        put("second/key", "sk-second-0123456789abcdefghij0123", NULL);
    }
    return failed;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_of_a_task_that_runs_ends_both),
        TEST(test_one_of_a_task_that_has_ended_ends_only_the_caller),
        TEST(test_one_that_got_out_ends_whose_it_is),
        TEST(test_one_on_the_disk_ends_whose_it_is),
        TEST(test_a_value_on_hold_is_not_sent),
        TEST(test_ones_own_at_a_wrong_place_has_no_consequence),
        TEST(test_who_is_no_task_is_no_search),
        TEST(test_a_search_without_a_placeholder),
        TEST(test_a_value_that_does_not_go_there),
        TEST(test_a_text_that_is_nobodys),
        TEST(test_in_a_body_ones_own_goes_on),
        TEST(test_in_a_body_anothers_ends_both),
        TEST(test_in_a_body_one_of_an_ended_task),
        TEST(test_a_tripwire_has_its_row),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_vault, flow_close);
}
