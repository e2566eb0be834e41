// WRAP: makers_note
/* A vault of format 1 becomes one of format 2 when it is opened. */
#include "common/vaultold.h"
#include "store/rotation_rules.h"

static void
test_a_vault_of_format_1_is_migrated(void **state)
{
    static char objects[OLD_TEXT_BYTES / 2];
    char *want = old_make(objects);

    (void)state;
    check_ok(store_exists(vault.home));
    assert_int_equal(old_format(objects), OLD_FORMAT); /* a look changes none */
    check_ok(store_open(vault.home, &vault.s));
    store_close(vault.s); /* that it was never unlocked is all the same */
    vault.s = NULL;
    assert_int_equal(old_format(objects), NEW_FORMAT);
    old_check_migrated(want, objects);
    free(want);
}

static enum ag_err
write_rule(struct db_tx *tx, void *arg)
{
    return rotation_rules_write(tx, arg);
}

static void
test_its_secrets_can_rotate(void **state)
{
    static char objects[OLD_TEXT_BYTES / 2];
    char *want = old_make(objects);
    char plan[] = "{}";
    struct rotation_rule_row rule = {.next_ms = 1, .reach_ms = 1, .plan = plan};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row got = {0};
    struct db_read *r = NULL;

    (void)state;
    free(want);
    vault_reopen();
    rule.secret_id = vault_put("of/an-old-vault", "value");
    check_ok(vault_do(write_rule, &rule));
    vault_reopen();
    r = vault_read();
    check_ok(rotation_rules_of(r, rule.secret_id, &got));
    db_read_close(r);
    assert_string_equal(got.plan, "{}");
    vault_check_sound();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_vault_of_format_1_is_migrated,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test_setup_teardown(test_its_secrets_can_rotate,
                                        vault_set_up, vault_tear_down),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
