// WRAP: pwrite write ftruncate fdatasync crypto_pwhash_argon2id
// WRAP: runner_run runner_is_alive runner_hold service_call
// WRAP: pq_open pq_take pq_give pq_do pq_add_verifier pq_close_idle
// WRAP: upstream_start upstream_cancel minted_due
/*
 * Credentials made for tasks, while the power is cut or the disk is full: after
 * every write and sync of the vault and every change at the provider, from the
 * first use over a renewal to the revoke. Nothing is left at the provider once
 * there is power and space again, each is on record with its end, and the next
 * task gets one that works.
 */
#include "common/minting.h"
#include "common/worldnet.h"
#include "common/worldrig.h"

SHIM_WRAPPERS

enum {
    TTL_S = 60,
    RENEW_AFTER_MS = 50 * 1000,
    LATER_MS = 20 * 60 * 1000, /* a revoke's longest pause, and more */
    SOON_MS = 5 * 1000,        /* the pause after one failure, and more */
    TWICE_COUNT = 60,
    SOON_LOOKS = 200, /* of a millisecond */
    PUT_OFF_LOOKS = 500,
#ifdef AG_SANITIZED
    STEP = 7, /* of the points, from a random one */
#else
    STEP = 1,
#endif
};

static int
open_rig(void **state)
{
    fake.port = 5432; /* nobody listens: the server is the world's */
    if (rig_open(state) != 0) {
        return -1;
    }
    rig.what = "postgres";
    world_begin("", NULL);
    put("db/boss", "the-owner-word-of-ours", NULL);
    check_ok(try_rule("db/app", "db/boss", TTL_S));
    return 0;
}

/* ---- what is recorded ---- */

static int64_t
start_using(void)
{
    int64_t id = start_one();

    check_ok(get(id));
    return id;
}

/* Two tasks; one sees a renewal, one ends before it. */
static void
record(void)
{
    int64_t one = 0;
    int64_t two = 0;
    int64_t renewed_ms = 0;

    rig_record();
    task_count = 0;
    one = start_using();
    two = start_using();
    assert_int_equal(world_count(), 2);
    end_one(one);
    wait_open(1);
    set_clock(now_ms + RENEW_AFTER_MS);
    renewed_ms = now_ms + TTL_S * INT64_C(1000);
    wait_expires(renewed_ms);
    end_one(two);
    wait_open(0);
    rig_recorded();
}

/* ---- what must hold ---- */

/* The row of the record that is the last about one says its end. */
static void
check_ends(void)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *rows = NULL;
    const char *last[64] = {NULL};

    check_ok(record_audit(flow.core, -1, 100, &answer));
    rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *body = json_object_get(row, "body");
        size_t id = (size_t)json_integer_value(json_object_get(body, "minted"));

        if (id > 0 && id < AG_COUNT(last)) {
            last[id] = text_at(body, "state");
        }
    }
    for (size_t i = 0; i < AG_COUNT(last); i++) {
        if (last[i] != NULL && strcmp(last[i], "ended") != 0) {
            RIG_FAIL("of number %zu the record says %s at last", i, last[i]);
        }
    }
}

/* What failed late is put off from then on: time goes by until it is done. */
static void
check_gone(const char *when)
{
    for (int i = 1; i <= LOOKS_COUNT && counts().open != 0; i++) {
        if (i % PUT_OFF_LOOKS == 0) {
            set_clock(now_ms + SOON_MS);
        }
        tick();
        (void)poll(NULL, 0, 1);
    }
    if (counts().open != 0 || world_count() != 0) {
        RIG_FAIL("%s: %llu on record, %zu at the provider", when,
                 (unsigned long long)counts().open, world_count());
    }
    if (rig_has_pending("db/app")) {
        RIG_FAIL("%s: a value is kept", when);
    }
}

/* Nothing is left, and the next task gets one that works. */
static void
check_whole(void)
{
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(wjson) json_t *tree = NULL;
    int64_t version = 0;
    int64_t id = 0;

    check_gone("at the start");
    task_count = 0;
    id = start_using();
    check_ok(value_for(id, &value, &version));
    check_ok(wjson_parse(secret_view(value), WORLD_WORD_BYTES, &tree));
    if (world_count() != 1 || world_find(text_at(tree, "username"),
                                         text_at(tree, "password")) == NULL) {
        RIG_FAIL("the next one does not work");
    }
    end_one(id);
    check_gone("at the end");
    check_ends();
    rig_check_record();
    rig_stop();
}

/* ---- power ---- */

static void
settle(void)
{
    for (int i = 0; i < LOOKS_COUNT && counts().open != 0; i++) {
        tick();
        (void)poll(NULL, 0, 1);
    }
}

static void
test_a_power_cut_at_any_moment_of_a_life(void **state)
{
    (void)state;
    (void)prop_begin(1);
    record();
    for (size_t i = prop_below(STEP); i <= shim.count; i += STEP) {
        rig_cut(i, LATER_MS);
        check_whole();
    }
    for (size_t i = 0; i < TWICE_COUNT; i += STEP) {
        rig_cut_twice(prop_below(shim.count + 1), LATER_MS, settle);
        check_whole();
    }
    rig_start();
    print_message("power cut of what is minted: %llu points tried\n",
                  (unsigned long long)rig.points);
}

/* ---- disk ---- */

enum phase {
    PHASE_MAKE,
    PHASE_RENEW,
    PHASE_END,
    PHASES_COUNT,
};

static const char *const PHASES[] = {"made", "renewed", "ended"};

static bool
has_fired(void)
{
    bool fired = false;

    (void)pthread_mutex_lock(&shim.lock);
    fired = fault.fired;
    (void)pthread_mutex_unlock(&shim.lock);
    return fired;
}

/* A thread renews it, or fails to. */
static void
let_renew(void)
{
    unsigned asked = atomic_load(&world.asked_count);

    set_clock(now_ms + RENEW_AFTER_MS);
    for (int i = 0; i < SOON_LOOKS && !has_fired(); i++) {
        tick();
        (void)poll(NULL, 0, 1);
        i += atomic_load(&world.asked_count) != asked ? SOON_LOOKS / 4 : 0;
    }
}

/* Without space; did a call fail? */
static bool
do_phase(enum phase phase, size_t nth, bool all_later)
{
    json_t *answer = NULL;
    int64_t id = start_one();
    bool fired = false;

    if (phase != PHASE_MAKE) {
        check_ok(get(id));
    }
    shim_arm((unsigned)nth, all_later);
    if (phase == PHASE_MAKE) {
        (void)!get(id);
    } else if (phase == PHASE_RENEW) {
        let_renew();
    } else if (handout_finish(flow.core, id, 0, &answer) == AG_OK) {
        json_decref(answer);
    }
    fired = shim_done();
    answer = NULL;
    if (phase != PHASE_END &&
        handout_finish(flow.core, id, 0, &answer) == AG_OK) {
        json_decref(answer);
    }
    return fired;
}

/* Then there is space, and a moment goes by; the broker lives, or starts anew. */
static bool
try_point(enum phase phase, size_t nth, bool all_later)
{
    bool fired = false;

    rig.what = PHASES[phase];
    rig.point = nth;
    world.now = world.past[0];
    rig_come_up(&rig.start, 0);
    task_count = 0;
    fired = do_phase(phase, nth, all_later);
    if (nth % 2 == 0) {
        rig_stop();
        rig_start();
        rig_unlock();
    }
    set_clock(now_ms + SOON_MS);
    check_whole();
    return fired;
}

static void
test_a_full_disk_at_any_write_of_a_life(void **state)
{
    (void)state;
    (void)prop_begin(1);
    shim.fail_code = SQLITE_FULL;
    shim.full = true;
    rig_stop();
    shim_disk_load(&rig.start, flow.paths.home);
    for (int k = 0; k < 2 * PHASES_COUNT; k++) {
        size_t nth = 1 + prop_below(STEP);

        while (try_point((enum phase)(k / 2), nth, k % 2 == 1)) {
            nth += STEP;
        }
    }
    rig_start();
    print_message("disk full for what is minted: %llu points tried\n",
                  (unsigned long long)rig.points);
}

/* ---- a look ---- */

enum ag_err __real_minted_due(struct db_read *r, const struct minted_when *when,
                              int64_t *out, size_t cap, size_t *ret_count,
                              int64_t *ret_next_ms);
enum ag_err __wrap_minted_due(struct db_read *r, const struct minted_when *when,
                              int64_t *out, size_t cap, size_t *ret_count,
                              int64_t *ret_next_ms);
static atomic_bool looks_fail;
static atomic_int failed_count;

enum ag_err
__wrap_minted_due(struct db_read *r, const struct minted_when *when,
                  int64_t *out, size_t cap, size_t *ret_count,
                  int64_t *ret_next_ms)
{
    if (atomic_load(&looks_fail)) {
        (void)atomic_fetch_add(&failed_count, 1);
        return AG_EIO;
    }
    return __real_minted_due(r, when, out, cap, ret_count, ret_next_ms);
}

/* What can't be read now is not forgotten. */
static void
test_a_look_that_fails_is_repeated(void **state)
{
    int64_t id = 0;

    (void)state;
    task_count = 0;
    id = start_using();
    atomic_store(&failed_count, 0);
    atomic_store(&looks_fail, true);
    end_one(id);
    for (int i = 0; i < LOOKS_COUNT && atomic_load(&failed_count) == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    (void)poll(NULL, 0, SOON_LOOKS); /* its making had a look of its own */
    assert_int_not_equal(atomic_load(&failed_count), 0);
    atomic_store(&looks_fail, false);
    set_clock(now_ms + SOON_MS);
    check_gone("after a look that failed");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_power_cut_at_any_moment_of_a_life, open_rig, rig_close),
        cmocka_unit_test_setup_teardown(test_a_full_disk_at_any_write_of_a_life,
                                        open_rig, rig_close),
        cmocka_unit_test_setup_teardown(test_a_look_that_fails_is_repeated,
                                        open_rig, rig_close),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
