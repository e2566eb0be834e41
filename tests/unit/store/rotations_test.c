/* Rules and journal of rotations on the disk: without its rule a secret would
 * never rotate again, and by a journal of the past a rotation would be taken for
 * another state. */
#include "common/tamper.h"
#include "store/rotations.h"

static enum ag_err
write_rule(struct db_tx *tx, void *arg)
{
    return rotation_rules_write(tx, arg);
}

static enum ag_err
write_rotation(struct db_tx *tx, void *arg)
{
    return rotations_write(tx, arg);
}

static void
put_rotation(void)
{
    char plan[] = "{}";
    struct rotation_rule_row rule = {.next_ms = 1, .reach_ms = 1, .plan = plan};
    struct rotation_row rotation = {.old_version = 1, .plan = plan};

    rule.secret_id = vault_put("rotates", "value");
    rotation.secret_id = rule.secret_id;
    check_ok(vault_do(write_rule, &rule));
    check_ok(vault_do(write_rotation, &rotation));
    check_ok(audit_verify_small(vault.s));
    tamper("CREATE TABLE past AS SELECT * FROM rotation");
    rotation.state = ROTATION_OBSERVING;
    rotation.new_version = 2;
    check_ok(vault_do(write_rotation, &rotation));
    check_ok(audit_verify_small(vault.s));
}

static void
test_rules_and_journal_of_rotations_are_watched(void **state)
{
    static const char *const WAYS[] = {
        "DELETE FROM rotation_rule",
        "DELETE FROM rotation",
        "UPDATE rotation SET state = p.state, new_version = p.new_version,"
        " changed_ms = p.changed_ms, body = p.body, tag = p.tag"
        " FROM past AS p WHERE p.id = rotation.id",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(WAYS); i++) {
        assert_int_equal(vault_set_up(NULL), 0);
        put_rotation();
        tamper(WAYS[i]);
        check_err(audit_verify_small(vault.s), AG_ECORRUPT);
        assert_int_equal(vault_tear_down(NULL), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_and_journal_of_rotations_are_watched),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
