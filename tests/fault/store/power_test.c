// WRAP: pwrite write ftruncate fdatasync
/*
 * Power cut: every step that changes the vault, cut after every write and sync,
 * with a torn subset of what was not synced. The vault that is left opens, its
 * record verifies, its head is accepted, every answered step is there, and the
 * one under way is there whole or not at all.
 */
#include "common/shimdisk.h"
#include "common/vaultdump.h"
#include "store/uses.h"

SHIM_WRAPPERS

static struct {
    struct keyring *fresh;
    char *states[DUMP_STEPS_COUNT + 1]; /* before the first, after each */
    struct shim_disk start;
    struct shim_disk cut;
} t;

static char *
dump_now(void)
{
    AG_AUTO(buf) struct buf out;
    char *text;

    buf_init(&out, DUMP_MAX_BYTES, BUF_PLAIN);
    check_ok(vault_dump(&out));
    text = strdup(buf_cstr(&out));
    assert_non_null(text);
    return text;
}

static void
use_something(void)
{
    struct use use = {.token_id = 1,
                      .task_id = 1,
                      .secret_id = 1,
                      .version = 1,
                      .verb = VERB_READ};

    check_ok(store_use(vault.s, &use));
}

/* All steps, with the diary on. */
static void
record(void)
{
    struct store_found found;
    size_t i;

    store_close(vault.s);
    vault.s = NULL;
    shim_disk_load(&t.start, vault.home);
    shim.on = true;
    check_ok(vault_open_either(t.fresh, &found));
    t.states[0] = dump_now();
    for (i = 0; i < DUMP_STEPS_COUNT; i++) {
        use_something();
        check_ok(vault_dump_step(i, t.fresh));
        shim_note(SHIM_ACK, -1, (int64_t)i + 1, NULL, 0);
        t.states[i + 1] = dump_now();
        if (i % 4 == 1) {
            check_ok(store_flush(vault.s));
        }
    }
    store_close(vault.s);
    vault.s = NULL;
    shim.on = false;
}

/* Steps answered within the first `count` events. */
static size_t
answered(size_t count)
{
    size_t steps = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        if (shim.events[i].op == SHIM_ACK) {
            steps = (size_t)shim.events[i].at;
        }
    }
    return steps;
}

static void
check_cut(size_t count)
{
    struct store_found found;
    struct audit_report report = {0};
    size_t steps = answered(count);
    char *state;
    bool whole;
    enum ag_err err;

    shim_disk_at(&t.start, count, &t.cut);
    shim_disk_save(&t.cut, vault.home);
    err = vault_open_either(t.fresh, &found);
    if (err != AG_OK) {
        print_error("cut after event %zu: %s\n", count, err_text(err));
    }
    check_ok(err);
    check_ok(audit_verify(vault.s, &report));
    assert_string_equal(report.text, "");
    check_ok(audit_verify_small(vault.s));
    state = dump_now();
    whole =
        strcmp(state, t.states[steps]) == 0 ||
        (steps < DUMP_STEPS_COUNT && strcmp(state, t.states[steps + 1]) == 0);
    if (!whole) {
        print_error("cut after event %zu, %zu steps answered:\n%s\nwant:\n%s\n",
                    count, steps, state, t.states[steps]);
    }
    assert_true(whole);
    free(state);
    vault_put("after/the-cut", "works");
    store_close(vault.s);
    vault.s = NULL;
}

static void
test_a_power_cut_at_any_moment(void **state)
{
    uint64_t points = 0;
    uint64_t runs;
    size_t i;

    (void)state;
    runs = prop_begin(1);
    shim_disk_new(&t.start);
    shim_disk_new(&t.cut);
    t.fresh = vault_keyring();
    record();
    for (; runs > 0; runs--) {
        for (i = 0; i <= shim.count; i++) {
            check_cut(i);
            points++;
        }
    }
    print_message("power cut: %llu points tried, %zu steps\n",
                  (unsigned long long)points, (size_t)DUMP_STEPS_COUNT);
    for (i = 0; i <= DUMP_STEPS_COUNT; i++) {
        free(t.states[i]);
    }
    keyring_free(t.fresh);
    shim_disk_free(&t.start);
    shim_disk_free(&t.cut);
    shim_forget();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_power_cut_at_any_moment,
                                        vault_set_up, vault_tear_down),
    };

    shim_install();
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
