// WRAP: makers_note
/* A vault of format 1 becomes one of the newest format when it is opened. */
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

#define SQL_BACK_TO_5                                                          \
    "DROP INDEX rotation_of; DROP INDEX minted_ended; DROP TABLE token_line;"  \
    "DROP TABLE notice; DROP INDEX secret_there;"

static void
run_sql(const char *sql)
{
    sqlite3 *handle = old_handle();

    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

/* Of a format between the first and the newest: its rules are kept. */
static void
check_from(const char *sql, const char *objects)
{
    char plan[] = "{}";
    struct rotation_rule_row rule = {.next_ms = 1, .reach_ms = 1, .plan = plan};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row got = {0};
    struct db_read *r = NULL;

    rule.secret_id = vault_put("of/an-old-vault", "value");
    check_ok(vault_do(write_rule, &rule));
    store_close(vault.s);
    vault.s = NULL;
    run_sql(sql);
    check_ok(store_open(vault.home, &vault.s));
    store_close(vault.s);
    vault.s = NULL;
    assert_int_equal(old_format(objects), NEW_FORMAT);
    vault_reopen();
    vault_check_sound();
    r = vault_read();
    check_ok(rotation_rules_of(r, rule.secret_id, &got));
    db_read_close(r);
}

static void
test_a_vault_of_format_5_is_migrated(void **state)
{
    static char objects[OLD_TEXT_BYTES / 2];

    (void)state;
    old_ask(OLD_SQL_OBJECTS, objects, sizeof(objects));
    check_from(SQL_BACK_TO_5 "PRAGMA user_version = 5", objects);
}

static void
test_a_vault_of_format_4_is_migrated(void **state)
{
    static char objects[OLD_TEXT_BYTES / 2];

    (void)state;
    old_ask(OLD_SQL_OBJECTS, objects, sizeof(objects));
    old_is_making = true;
    check_from(SQL_BACK_TO_5
               "DROP TABLE version_maker; PRAGMA user_version = 4",
               objects);
    old_is_making = false;
}

/* To format 2: what came after it goes. */
static const char SQL_BACK_TO_2[] =
    "DROP TABLE incident; DROP TABLE minted; DROP INDEX rotation_of;"
    "DROP TABLE token_line; DROP TABLE notice; DROP INDEX secret_there;"
    "DROP TABLE version_maker; PRAGMA user_version = 2";
static const char SQL_NO_RULES[] = "DELETE FROM rotation_rule";

/* Nothing on disk says that they are as they were set. */
static void
test_rotations_of_no_release_are_refused(void **state)
{
    char plan[] = "{}";
    char version[16];
    struct rotation_rule_row rule = {.next_ms = 1, .reach_ms = 1, .plan = plan};

    (void)state;
    rule.secret_id = vault_put("of/an-old-vault", "value");
    check_ok(vault_do(write_rule, &rule));
    store_close(vault.s);
    vault.s = NULL;
    run_sql(SQL_BACK_TO_2);
    check_err(store_open(vault.home, &vault.s), AG_EUNSUPPORTED);
    assert_non_null(strstr(err_text(AG_EUNSUPPORTED), "format 2"));
    old_ask("PRAGMA user_version", version, sizeof(version));
    assert_string_equal(version, "2");
    run_sql(SQL_NO_RULES);
    check_ok(store_open(vault.home, &vault.s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_vault_of_format_1_is_migrated,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test_setup_teardown(test_its_secrets_can_rotate,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test_setup_teardown(test_a_vault_of_format_5_is_migrated,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test_setup_teardown(test_a_vault_of_format_4_is_migrated,
                                        vault_set_up, vault_tear_down),
        cmocka_unit_test_setup_teardown(
            test_rotations_of_no_release_are_refused, vault_set_up,
            vault_tear_down),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
