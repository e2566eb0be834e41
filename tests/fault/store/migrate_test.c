// WRAP: pwrite write ftruncate fdatasync makers_note
/*
 * A vault of format 1 is migrated while the n-th call of the file system fails,
 * and while the power goes: what is left is of format 1 or 2, whole, and opens.
 */
#include "common/shimdisk.h"
#include "common/vaultold.h"

SHIM_WRAPPERS

static struct {
    char objects[OLD_TEXT_BYTES / 2];
    char *want;
    struct shim_disk start; /* of format 1 */
    struct shim_disk left;
    size_t formats[NEW_FORMAT + 1]; /* how often each was left */
    uint64_t points;
} t;

static int
set_up(void **state)
{
    (void)vault_set_up(state);
    memset(&t, 0, sizeof(t));
    shim_disk_new(&t.start);
    shim_disk_new(&t.left);
    t.want = old_make(t.objects);
    shim_disk_load(&t.start, vault.home);
    return 0;
}

static int
tear_down(void **state)
{
    free(t.want);
    shim_disk_free(&t.start);
    shim_disk_free(&t.left);
    shim_forget();
    return vault_tear_down(state);
}

/* The disk as it was left: looked at, then put back for the next start. */
static int
check_left(void)
{
    int format;

    shim_disk_save(&t.left, vault.home);
    format = old_format(t.objects);
    t.formats[format]++;
    shim_disk_save(&t.left, vault.home);
    old_check_migrated(t.want, t.objects);
    t.points++;
    return format;
}

/* One try: did a call fail? */
static bool
try_call(unsigned nth, bool all_later)
{
    enum ag_err err;
    bool fired;

    shim_disk_save(&t.start, vault.home);
    shim_arm(nth, all_later);
    err = store_open(vault.home, &vault.s);
    fired = shim_done();
    assert_true(fired || err == AG_OK);
    assert_int_not_equal(err, AG_EINTERNAL);
    store_close(vault.s); /* NULL if it failed */
    vault.s = NULL;
    shim_disk_load(&t.left, vault.home);
    assert_true(check_left() == NEW_FORMAT || err != AG_OK);
    return fired;
}

static void
fail_each(int code)
{
    shim.fail_code = code;
    for (unsigned later = 0; later < 2; later++) {
        for (unsigned nth = 1; try_call(nth, later == 1); nth++) {
        }
    }
    assert_true(t.formats[OLD_FORMAT] > 0 && t.formats[NEW_FORMAT] > 0);
    print_message("migration, error %d: %llu points tried, format 1 left %zu "
                  "times\n",
                  code, (unsigned long long)t.points, t.formats[OLD_FORMAT]);
}

static void
test_an_io_error_anywhere(void **state)
{
    (void)state;
    fail_each(SQLITE_IOERR);
}

static void
test_a_full_disk_anywhere(void **state)
{
    (void)state;
    fail_each(SQLITE_FULL);
}

static void
test_a_power_cut_at_any_moment(void **state)
{
    uint64_t runs = prop_begin(2);
    size_t answered = 0;

    (void)state;
    shim_disk_save(&t.start, vault.home);
    shim.on = true;
    check_ok(store_open(vault.home, &vault.s));
    answered = shim.count;
    store_close(vault.s);
    vault.s = NULL;
    shim.on = false;
    assert_true(answered > 0);
    for (; runs > 0; runs--) {
        for (size_t i = 0; i <= shim.count; i++) {
            shim_disk_at(&t.start, i, &t.left);
            assert_true(check_left() == NEW_FORMAT || i < answered);
        }
    }
    assert_true(t.formats[OLD_FORMAT] > 0 && t.formats[NEW_FORMAT] > 0);
    print_message("migration, power cut: %llu points tried, format 1 left %zu "
                  "times\n",
                  (unsigned long long)t.points, t.formats[OLD_FORMAT]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_io_error_anywhere, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_anywhere, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_power_cut_at_any_moment, set_up,
                                        tear_down),
    };

    shim_install();
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
