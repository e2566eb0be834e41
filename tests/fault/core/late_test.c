// WRAP: pwrite write ftruncate fdatasync crypto_pwhash_argon2id
// WRAP: runner_run runner_is_alive runner_hold service_call
// WRAP: pq_open pq_take pq_give pq_do pq_add_verifier pq_close_idle
// WRAP: upstream_start upstream_cancel late_write
/*
 * Tasks that end while the disk is full: their end is written as soon as there is
 * space, by the broker that lives.
 */
#include <poll.h>

#include "common/minting.h"
#include "common/worldnet.h"
#include "common/worldrig.h"

SHIM_WRAPPERS

enum {
    MANY_COUNT = 5,
    AGAIN_MS = 2000,
    TICKS_COUNT = 50,
    LONG_MS = 11 * 60 * 1000, /* longer than a task lasts */
};

static int
open_rig(void **state)
{
    shim.fail_code = SQLITE_FULL;
    shim.full = true;
    rig.what = "late";
    task_count = 0;
    if (rig_open(state) != 0) {
        return -1;
    }
    world_begin("", NULL);
    put("db/app", "a-value-of-a-test", NULL);
    return 0;
}

/* How often, and why at last, the record says that the task has ended. */
static int
ends_of(int64_t id, char reason[32])
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *rows = NULL;
    int count = 0;

    reason[0] = '\0';
    check_ok(record_audit(flow.core, -1, 100, &answer));
    rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (strcmp(text_at(row, "kind"), "task.ended") == 0 &&
            json_integer_value(json_object_get(row, "task")) == id) {
            count++;
            (void)snprintf(reason, 32, "%s",
                           text_at(json_object_get(row, "body"), "reason"));
        }
    }
    return count;
}

static void
check_ended(int64_t id, const char *want)
{
    char reason[32];

    for (int i = 0; i < LOOKS_COUNT && ends_of(id, reason) == 0; i++) {
        tick();
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(ends_of(id, reason), 1);
    assert_string_equal(reason, want);
}

static void
check_open(int64_t id)
{
    char reason[32];

    assert_int_equal(ends_of(id, reason), 0);
}

static void
finish_without_space(int64_t id)
{
    json_t *answer = NULL;

    shim_arm(1, true);
    assert_int_not_equal(handout_finish(flow.core, id, 3, &answer), AG_OK);
    assert_true(shim_done());
}

static void
test_an_end_is_written_when_there_is_space(void **state)
{
    int64_t ids[MANY_COUNT];

    (void)state;
    for (size_t i = 0; i < MANY_COUNT; i++) {
        ids[i] = start_one();
    }
    for (size_t i = 0; i + 1 < MANY_COUNT; i++) {
        finish_without_space(ids[i]);
    }
    shim_arm(1, true);
    handout_lost(flow.core, ids[MANY_COUNT - 1]);
    assert_true(shim_done());
    for (size_t i = 0; i < MANY_COUNT; i++) {
        check_open(ids[i]);
    }
    for (size_t i = 0; i < MANY_COUNT; i++) {
        check_ended(ids[i], i + 1 < MANY_COUNT ? "done" : "lost");
    }
    assert_false(late_any(flow.core->late));
}

static void
test_while_there_is_none_it_is_tried_now_and_then(void **state)
{
    int64_t id = start_one();
    int64_t next_ms = 0;

    (void)state;
    finish_without_space(id);
    shim_arm(1, true);
    core_tick(flow.core, &next_ms);
    (void)poll(NULL, 0, 50); /* the job is the writer's */
    core_tick(flow.core, &next_ms);
    assert_true(shim_done());
    assert_true(next_ms - clock_steady_ms() > 500);
    check_open(id);
    set_clock(now_ms + AGAIN_MS);
    check_ended(id, "done");
}

/* ---- a writer that is slow ---- */

enum ag_err __real_late_write(struct core *core, struct db_tx *tx,
                              uint64_t *ret_last);
enum ag_err __wrap_late_write(struct core *core, struct db_tx *tx,
                              uint64_t *ret_last);
static atomic_int late_writes;

enum ag_err
__wrap_late_write(struct core *core, struct db_tx *tx, uint64_t *ret_last)
{
    (void)atomic_fetch_add(&late_writes, 1);
    return __real_late_write(core, tx, ret_last);
}

struct slow_job {
    struct core_job job;
    pthread_mutex_t gate; /* held as long as it is to run */
    atomic_bool done;
};

static enum ag_err
run_slow(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct slow_job *slow = (struct slow_job *)job;

    (void)core;
    (void)tx;
    (void)pthread_mutex_lock(&slow->gate);
    (void)pthread_mutex_unlock(&slow->gate);
    return AG_OK;
}

static void
slow_done(struct core *core, struct core_job *job)
{
    (void)core;
    atomic_store(&((struct slow_job *)job)->done, true);
}

/* Each tick that found one that is not written yet would add another. */
static void
test_a_slow_writer_has_one_of_them(void **state)
{
    struct slow_job slow = {.job = {.run = run_slow, .done = slow_done},
                            .gate = PTHREAD_MUTEX_INITIALIZER};
    int64_t id = start_one();
    int64_t next_ms = 0;
    int vain_count = 0; /* ticks that ask for the next at once */

    (void)state;
    finish_without_space(id);
    (void)pthread_mutex_lock(&slow.gate);
    core_write(flow.core, &slow.job);
    atomic_store(&late_writes, 0);
    for (int i = 0; i < TICKS_COUNT; i++) {
        core_tick(flow.core, &next_ms);
        vain_count += next_ms > clock_steady_ms() + 1 ? 0 : 1;
    }
    (void)pthread_mutex_unlock(&slow.gate);
    while (!atomic_load(&slow.done)) {
        (void)poll(NULL, 0, 1);
    }
    check_ended(id, "done");
    assert_int_equal(atomic_load(&late_writes), 1);
    assert_int_equal(vain_count, 0);
}

/* Nobody's line tells it: it is expired, and nowhere but on the table. */
static void
test_one_that_nobody_came_for_is_not_forgotten(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_grant_request grants[] = {
        {.secret = "db/app", .verb = "read", .uses = -1}};
    const struct task_request request = {
        .name = "job", .grants = grants, .grant_count = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    int64_t id = 0;

    (void)state;
    check_ok(act(do_start, &call, &request, &answer));
    id = strtoll(text_at(answer, "id"), NULL, 10);
    set_clock(now_ms + LONG_MS);
    shim_arm(1, true);
    tick();
    (void)poll(NULL, 0, 50);
    assert_true(shim_done());
    check_open(id);
    set_clock(now_ms + AGAIN_MS);
    check_ended(id, "expired");
}

static void
test_a_lock_writes_what_is_late(void **state)
{
    int64_t id = start_one();
    struct call call = call_of(flow.operator_peer);

    (void)state;
    finish_without_space(id);
    check_ok(vault_lock(flow.core, &call));
    assert_false(late_any(flow.core->late));
    rig_unlock();
    check_ended(id, "done");
}

/* The next start ends it, as one whose broker died. */
static void
test_a_new_broker_ends_what_was_never_written(void **state)
{
    int64_t id = start_one();

    (void)state;
    finish_without_space(id);
    shim_arm(1, true);
    rig_stop();
    assert_true(shim_done());
    rig_start();
    rig_unlock();
    check_ended(id, "broker");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_an_end_is_written_when_there_is_space, open_rig, rig_close),
        cmocka_unit_test_setup_teardown(
            test_while_there_is_none_it_is_tried_now_and_then, open_rig,
            rig_close),
        cmocka_unit_test_setup_teardown(test_a_slow_writer_has_one_of_them,
                                        open_rig, rig_close),
        cmocka_unit_test_setup_teardown(
            test_one_that_nobody_came_for_is_not_forgotten, open_rig,
            rig_close),
        cmocka_unit_test_setup_teardown(test_a_lock_writes_what_is_late,
                                        open_rig, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_new_broker_ends_what_was_never_written, open_rig, rig_close),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
