// WRAP: pwrite write ftruncate fdatasync
/* Every step with its n-th call of the file system failing. */
#include "common/vaultfault.h"

SHIM_WRAPPERS

static void
test_an_io_error_anywhere(void **state)
{
    (void)state;
    shim.fail_code = SQLITE_IOERR;
    vf_run("I/O error");
}

static void
test_a_full_disk_anywhere(void **state)
{
    (void)state;
    shim.fail_code = SQLITE_FULL;
    vf_run("disk full");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_io_error_anywhere, vault_set_up,
                                        vault_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_anywhere, vault_set_up,
                                        vault_tear_down),
    };

    shim_install();
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
