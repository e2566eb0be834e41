// WRAP: pwrite write ftruncate fdatasync crypto_pwhash_argon2id
// WRAP: runner_run runner_is_alive runner_hold service_call
// WRAP: pq_open pq_take pq_give pq_do pq_add_verifier pq_close_idle
// WRAP: upstream_start upstream_cancel
/*
 * Disk full: a rotation by each rotator whose logic differs, its n-th write, sync
 * or truncation failing for want of space, n = 1, 2, 3 … until none does, alone
 * and with all later ones. A credential works all the while. Then there is space
 * again: the broker lives, or is started anew, and the runs that follow end the
 * rotation; nothing is left at the provider but what the vault has.
 */
#include "common/rotors.h"

SHIM_WRAPPERS

enum {
    GRACE_MS = 61 * 1000,
    /* Of the points, from a random one: */
#ifdef AG_SANITIZED
    STEP_ALL_LATER = 29,
    STEP_ALONE = 83,
#else
    STEP_ALL_LATER = 1,
    STEP_ALONE = 7,
#endif
};

/* What is tried while there is no space: a run that makes a new credential, one
 * that retires the old one, and one that is undone. */
enum phase {
    PHASE_MAKE,
    PHASE_RETIRE,
    PHASE_UNDO,
    PHASES_COUNT,
};

static const char *const PHASES[] = {"made", "retired", "undone"};

static bool
has_phase(const struct rotor *rotor, enum phase phase)
{
    return phase == PHASE_MAKE || (phase == PHASE_RETIRE && !rotor->replaces) ||
           (rotor->read != NULL && !rotor->replaces);
}

/* As things are when there is no more space. */
static void
come_to(enum phase phase)
{
    rig_come_up(&rig.start, 0);
    world.now = world.past[0];
    world.refuses = phase == PHASE_UNDO;
    if (phase == PHASE_RETIRE) {
        check_run(ROTOR_NAME, "rotated");
        set_clock(now_ms + GRACE_MS);
    }
}

/* The run itself may not even begin, or say that it failed. */
static bool
run_without_space(size_t nth, bool all_later)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {ROTOR_NAME};
    const struct rotate_request request = {.names = names, .name_count = 1};
    json_t *answer = NULL;
    bool fired = false;

    call.now_ms = clock_wall_ms();
    shim_arm((unsigned)nth, all_later);
    if (core_rotate(flow.core, &call, &request, &answer) == AG_OK) {
        json_decref(answer);
    }
    fired = shim_done();
    return fired;
}

static bool
try_point(const struct rotor *rotor, enum phase phase, size_t nth,
          bool all_later)
{
    bool fired = false;
    bool lost = false;

    rig.point = nth;
    come_to(phase);
    fired = run_without_space(nth, all_later);
    world.refuses = false;
    if (!rotor->replaces && !rotor_works(rotor)) {
        RIG_FAIL("%s, at once: the current one does not work", PHASES[phase]);
    }
    if (nth % 2 == 0) {
        rig_stop();
        rig_start();
        rig_unlock();
    }
    set_clock(now_ms + 2 * HOUR_MS);
    rotor_settle(rotor, &lost);
    if (lost && !rotor->replaces) {
        RIG_FAIL("%s: it is lost", PHASES[phase]);
    }
    rig_check_record();
    rig_stop();
    return fired;
}

static void
try_phase(const struct rotor *rotor, enum phase phase, bool all_later)
{
    size_t step = all_later ? STEP_ALL_LATER : STEP_ALONE;
    size_t nth = 1 + prop_below(step);

    while (has_phase(rotor, phase) && try_point(rotor, phase, nth, all_later)) {
        nth += step;
    }
}

static void
test_a_full_disk_at_any_write_of_a_rotation(void **state)
{
    uint64_t points = 0;

    (void)prop_begin(1);
    shim.fail_code = SQLITE_FULL;
    shim.full = true;
    flow.upstream = (struct upstream *)(void *)&world_wire;
    for (size_t i = 0; i < AG_COUNT(ROTORS); i++) {
        const struct rotor *rotor = &ROTORS[i];

        assert_int_equal(rig_open(state), 0);
        rotor_begin(rotor);
        rig_stop();
        shim_disk_load(&rig.start, flow.paths.home);
        for (int k = 0; k < 2 * PHASES_COUNT; k++) {
            try_phase(rotor, (enum phase)(k / 2), k % 2 == 1);
        }
        rig_start();
        print_message("%s: %llu points tried\n", rotor->what,
                      (unsigned long long)rig.points);
        points += rig.points;
        world_wire_join();
        rig_close(state);
    }
    print_message("disk full in a rotation: %llu points tried\n",
                  (unsigned long long)points);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_disk_at_any_write_of_a_rotation),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
