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

/* ---- the vault itself ---- */

/* The vault is made while the diary is on. The head file and an empty
 * database are there from the start, since they are renamed into place,
 * durable, before the first commit. */
static void
record_creation(void)
{
    struct slot_row slot = vault_slot(1);
    size_t i;

    vault_place();
    shim.on = true;
    check_ok(store_create(vault.home, vault.ring, &slot, 1, &vault.s));
    store_close(vault.s);
    vault.s = NULL;
    shim.on = false;
    shim_disk_load(&t.cut, vault.home);
    t.start.there[SHIM_HEAD] = true;
    shim_disk_write(&t.start, SHIM_HEAD, 0, t.cut.bytes[SHIM_HEAD],
                    t.cut.len[SHIM_HEAD] / 2); /* the first of its two slots */
    shim_disk_cut(&t.start, SHIM_HEAD, (int64_t)t.cut.len[SHIM_HEAD]);
    for (i = 0; i < shim.count; i++) {
        struct shim_event e = shim.events[i];

        if (e.file == SHIM_NEW) { /* renamed into place, durable */
            e.file = 0;
            shim_disk_apply(&t.start, &e, false);
        }
    }
}

/* Either there is a vault, and it opens, or there is none, and one is made. */
static void
check_creation(size_t count)
{
    struct slot_row slot = vault_slot(1);
    struct store_found found;
    enum ag_err err;

    shim_disk_at(&t.start, count, &t.cut);
    shim_disk_save(&t.cut, vault.home);
    err = store_exists(vault.home);
    if (err == AG_ENOVAULT) {
        check_ok(store_create(vault.home, vault.ring, &slot, 1, &vault.s));
    } else {
        check_ok(err);
        check_ok(vault_open_either(vault.ring, &found));
    }
    vault_put("a", "1");
    vault_check_sound();
    store_close(vault.s);
    vault.s = NULL;
}

static void
test_a_power_cut_while_the_vault_is_made(void **state)
{
    size_t i;

    (void)prop_begin(1);
    shim_disk_new(&t.start);
    shim_disk_new(&t.cut);
    record_creation();
    for (i = 0; i <= shim.count; i++) {
        check_creation(i);
    }
    print_message("power cut while making a vault: %zu points tried\n", i);
    shim_disk_free(&t.start);
    shim_disk_free(&t.cut);
    shim_forget();
    (void)vault_tear_down(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_power_cut_at_any_moment,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test(test_a_power_cut_while_the_vault_is_made),
    };

    shim_install();
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
