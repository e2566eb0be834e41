// WRAP: pwrite write ftruncate fdatasync crypto_pwhash_argon2id
// WRAP: runner_run runner_is_alive runner_hold service_call
// WRAP: pq_open pq_take pq_give pq_do pq_add_verifier pq_close_idle
// WRAP: upstream_start upstream_cancel
/*
 * Power cut: a rotation by each rotator whose logic differs, good and undone, cut
 * after every write and sync of the vault and after every change at the provider.
 * When the power is back a credential works at once; the runs that follow end it,
 * and nothing is left at the provider but what the vault has; the record verifies
 * and says what the journal says.
 */
#include "common/rotors.h"

SHIM_WRAPPERS

enum {
    GRACE_MS = 61 * 1000,
    TWICE_COUNT = 24,
#ifdef AG_SANITIZED
    STEP = 23, /* of the points, from a random one */
#else
    STEP = 1,
#endif
};

/* One rotation, and another that its check stops. */
static void
record(const struct rotor *rotor)
{
    rig_record();
    check_run(ROTOR_NAME, rotor->replaces ? "done" : "rotated");
    set_clock(now_ms + GRACE_MS);
    if (!rotor->replaces) {
        check_run(ROTOR_NAME, "done");
    }
    if (rotor->read != NULL && !rotor->replaces) {
        world.refuses = true;
        check_run(ROTOR_NAME, "failed");
        world.refuses = false;
    }
    rig_recorded();
}

/* The power is back, for good. */
static bool
go_on(const struct rotor *rotor)
{
    bool lost = false;

    /* The service's own new token may have been on its way to us. */
    if (!rotor->replaces && !rotor_works(rotor)) {
        RIG_FAIL("at once: the current one does not work");
    }
    rotor_settle(rotor, &lost);
    rig_check_record();
    rig_stop();
    return lost;
}

static void
run_due(void)
{
    AG_AUTO(wjson) json_t *answer = run(NULL);

    (void)answer;
}

/* How many end with a person. */
static unsigned
cut_each(const struct rotor *rotor)
{
    unsigned lost_count = 0;

    for (size_t i = prop_below(STEP); i <= shim.count; i += STEP) {
        rig_cut(i, HOUR_MS);
        lost_count += go_on(rotor) ? 1 : 0;
    }
    for (size_t i = 0; i < TWICE_COUNT; i += STEP) {
        rig_cut_twice(prop_below(shim.count + 1), HOUR_MS, run_due);
        lost_count += go_on(rotor) ? 1 : 0;
    }
    return lost_count;
}

static void
test_a_power_cut_at_any_moment_of_a_rotation(void **state)
{
    uint64_t points = 0;
    uint64_t runs = prop_begin(1);

    flow.upstream = (struct upstream *)(void *)&world_wire;
    for (size_t i = 0; i < AG_COUNT(ROTORS); i++) {
        const struct rotor *rotor = &ROTORS[i];
        unsigned lost_count = 0;

        assert_int_equal(rig_open(state), 0);
        rotor_begin(rotor);
        record(rotor);
        for (uint64_t n = 0; n < runs; n++) {
            lost_count += cut_each(rotor);
        }
        print_message("%s: %llu points tried, %u for a person\n", rotor->what,
                      (unsigned long long)rig.points, lost_count);
        assert_true(rotor->replaces || lost_count == 0);
        points += rig.points;
        world_wire_join();
        rig_close(state);
    }
    print_message("power cut of a rotation: %llu points tried\n",
                  (unsigned long long)points);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_cut_at_any_moment_of_a_rotation),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
