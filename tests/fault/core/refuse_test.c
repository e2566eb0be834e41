// LINKS: core
// WRAP: tx_commit core_write_wait core_note
/*
 * Refusals that can't be put on record: each is one all the same, and what trips
 * the wire ends whom it concerns; a tunnel is not opened.
 */
#include "common/fault.h"
#include "common/parties.h"
#include "core/live.h"
#include "core/reach.h"
#include "core/tokens.h"
#include "store/tx.h"

enum ag_err __real_core_write_wait(struct core *core, struct core_job *job);
enum ag_err __wrap_core_write_wait(struct core *core, struct core_job *job);

/* A token that is looked at before anything is written. */
static const struct live_token *watched;
static bool was_revoked;

static int64_t ends_first; /* a task, before anything else is written */

static enum ag_err
do_end(struct core *core, struct db_tx *tx, const struct call *call,
       const void *request, json_t **ret)
{
    (void)call;
    (void)ret;
    return core_end_task(core, tx, *(const int64_t *)request, END_DONE, 0);
}

enum ag_err
__wrap_core_write_wait(struct core *core, struct core_job *job)
{
    const int64_t id = ends_first;
    struct act ending = {.job.run = run_act, .fn = do_end, .request = &id};

    ends_first = 0;
    if (id != 0) {
        check_ok(__real_core_write_wait(core, &ending.job));
    }
    was_revoked = watched != NULL && atomic_load(&watched->revoked);
    return __real_core_write_wait(core, job);
}

enum ag_err __real_core_note(struct db_tx *tx, const struct call *call,
                             enum audit_kind kind, int64_t task_id,
                             int64_t secret_id, json_t *body);
enum ag_err __wrap_core_note(struct db_tx *tx, const struct call *call,
                             enum audit_kind kind, int64_t task_id,
                             int64_t secret_id, json_t *body);

static bool notes_fail; /* so nothing behind the first of them is done */

enum ag_err
__wrap_core_note(struct db_tx *tx, const struct call *call,
                 enum audit_kind kind, int64_t task_id, int64_t secret_id,
                 json_t *body)
{
    if (notes_fail) {
        json_decref(body);
        return AG_ENOMEM;
    }
    return __real_core_note(tx, call, kind, task_id, secret_id, body);
}

enum ag_err __real_tx_commit(struct db_tx *tx);
enum ag_err __wrap_tx_commit(struct db_tx *tx);

enum ag_err
__wrap_tx_commit(struct db_tx *tx)
{
    if (fault_now()) {
        tx_rollback(tx);
        return AG_ENOSPACE;
    }
    return __real_tx_commit(tx);
}

static enum ag_err
do_role(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_role_create(core, tx, call, request, ret);
}

static void
check_cut(const struct party *p)
{
    assert_non_null(p->reason);
    assert_string_equal(p->reason, "alarm");
    check_err(show_token(p->child, p->token), AG_EREVOKED);
}

static void
check_runs(const struct party *p)
{
    assert_null(p->reason);
    check_ok(show_token(p->child, p->token));
    check_ok(send_key(p->child, p->key));
}

/* Neither written nor done, or done and not written. */
static void
begin_failing(bool early)
{
    notes_fail = early;
    fault_arm(early ? 0 : 1);
}

static void
end_failing(void)
{
    assert_true(notes_fail || fault_done());
    notes_fail = false;
}

static void
check_both_cut(bool early)
{
    begin_failing(early);
    check_err(send_key(caller.child, owner.key), AG_EFOREIGN);
    end_failing();
    check_cut(&owner);
    check_cut(&caller);
}

static void
test_a_tripwire_without_a_record_ends_all_the_same(void **state)
{
    (void)state;
    check_both_cut(false);
    (void)parties_end(state);
    (void)parties_begin(state);
    check_both_cut(true);
}

/* A search with what is no placeholder, and no record: nobody's but its own. */
static void
test_nor_does_it_end_anybody_else(void **state)
{
    const struct role_request request = {.name = "ci", .kind = "runner"};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *role = NULL;

    (void)state;
    check_ok(act(do_role, &call, &request, &role));
    for (int i = 0; i <= PERMIT_STRAYS_MAX_COUNT; i++) {
        notes_fail = i == PERMIT_STRAYS_MAX_COUNT;
        check_err(send_one(&(struct sent){.peer = caller.child,
                                          .service = "api.example",
                                          .name = "X-Other",
                                          .value = caller.token}),
                  AG_EPLACE);
    }
    notes_fail = false;
    check_cut(&caller);
    check_ok(show_token(flow.stranger_peer, text_at(role, "token")));
    check_runs(&owner);
}

static void
test_so_does_one_from_outside(void **state)
{
    (void)state;
    begin_failing(true);
    check_err(send_key(flow.stranger_peer, owner.key), AG_EFOREIGN);
    end_failing();
    check_cut(&owner);
    check_runs(&caller);
}

static void
test_a_refusal_without_a_record_is_one(void **state)
{
    (void)state;
    begin_failing(true);
    check_err(send_one(&(struct sent){.peer = caller.child, .service = "no"}),
              AG_ESERVICE);
    check_err(send_one(&(struct sent){.peer = caller.child,
                                      .service = "api.example",
                                      .name = "X-Other",
                                      .value = caller.key}),
              AG_EPLACE);
    end_failing();
    check_runs(&caller);
    check_runs(&owner);
}

/* Whose placeholder got out has no token any more before that is written. */
static void
test_a_token_goes_before_the_record(void **state)
{
    struct call call = {0};

    (void)state;
    check_ok(
        access_check(flow.core, owner.child, span_str(owner.token), &call));
    watched = call.token;
    was_revoked = false;
    check_err(send_key(caller.child, owner.key), AG_EFOREIGN);
    assert_true(was_revoked);
    watched = NULL;
    access_done(flow.core, &call);
}

/* It ended between the decision and its record: nothing goes out. */
static void
test_a_task_that_ends_meanwhile_uses_nothing(void **state)
{
    (void)state;
    ends_first = caller.id;
    check_err(send_key(caller.child, caller.key), AG_EREVOKED);
    assert_int_equal(ends_first, 0);
    check_runs(&owner);
}

/* A tunnel that can't be put on record is not opened; a refusal is one. */
static void
test_a_tunnel_without_a_record_is_none(void **state)
{
    static const char *const ALLOW[] = {"open.example"};
    struct call call = {0};
    struct guard_host open = {0};
    struct guard_host other = {0};
    struct reach reach = {0};

    (void)state;
    sender.allow = ALLOW;
    sender.allow_count = 1;
    start_sender(NULL, 0);
    call = call_of(flow.task_peer);
    check_ok(guard_read_host(span_str("open.example"), &open));
    check_ok(guard_read_host(span_str("other.example"), &other));
    fault_arm(1);
    check_err(reach_decide(flow.core, &call, &open, 443, &reach), AG_ENOSPACE);
    assert_true(fault_done());
    assert_int_equal(reach.task_id, 0);
    fault_arm(1);
    check_err(reach_decide(flow.core, &call, &other, 443, &reach),
              AG_ENOTALLOWED);
    assert_true(fault_done());
    check_ok(reach_decide(flow.core, &call, &open, 443, &reach));
    reach_done(&reach);
    end_sender();
    sender.allow_count = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, parties_begin, parties_end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tunnel_without_a_record_is_none),
        TEST(test_a_tripwire_without_a_record_ends_all_the_same),
        TEST(test_nor_does_it_end_anybody_else),
        TEST(test_so_does_one_from_outside),
        TEST(test_a_refusal_without_a_record_is_one),
        TEST(test_a_token_goes_before_the_record),
        TEST(test_a_task_that_ends_meanwhile_uses_nothing),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
