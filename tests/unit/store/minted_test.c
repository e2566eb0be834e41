/* Minted credentials on record: which of them are due, by whatever clock. */
#include "common/vault.h"
#include "store/minted.h"
#include "store/tasks.h"

enum {
    NOW_S = 1000,
    HOUR_S = 3600,
    REACH_S = 600,
};

static int64_t
ms(int64_t seconds)
{
    return seconds * 1000;
}

static enum ag_err
add_task(struct db_tx *tx, void *arg)
{
    return tasks_add(tx, arg);
}

static enum ag_err
write_minted(struct db_tx *tx, void *arg)
{
    struct minted_row *row = arg;
    enum ag_err err = minted_next_id(tx, &row->id);

    return err == AG_OK ? minted_write(tx, row) : err;
}

/* One that is to be revoked; its id. */
static int64_t
put_row(int64_t due_s, int64_t expires_s, int64_t attempts)
{
    char plan[] = "{}";
    struct task_row task = {.name = "t", .deadline_ms = INT64_MAX / 2};
    struct minted_row row = {.state = MINTED_REVOKING,
                             .attempts = attempts,
                             .due_ms = ms(due_s),
                             .expires_ms = ms(expires_s),
                             .handle = "ag_1",
                             .plan = plan};

    check_ok(vault_do(add_task, &task));
    row.task_id = task.id;
    row.secret_id = vault_put("minted", "value");
    check_ok(vault_do(write_minted, &row));
    return row.id;
}

static size_t
due(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    const struct minted_when when = {ms(NOW_S), ms(REACH_S)};
    int64_t ids[4];
    int64_t next_ms = 0;
    size_t count = 0;

    check_ok(store_read(vault.s, &r));
    check_ok(minted_due(r, &when, ids, AG_COUNT(ids), &count, &next_ms));
    return count;
}

static void
test_a_row_waits_for_its_time(void **state)
{
    (void)state;
    (void)put_row(NOW_S + 1, NOW_S + HOUR_S, 1);
    assert_int_equal(due(), 0);
}

static void
test_a_row_is_due_in_its_time(void **state)
{
    (void)state;
    (void)put_row(NOW_S, NOW_S + HOUR_S, 1);
    assert_int_equal(due(), 1);
}

static void
test_a_pause_by_a_clock_that_was_ahead_is_none(void **state)
{
    (void)state;
    (void)put_row(NOW_S + REACH_S + 1, NOW_S + HOUR_S, 1);
    assert_int_equal(due(), 1);
}

/* What nobody can revoke is looked at again when it has ended, not all the
 * time until then. */
static void
test_what_ends_by_itself_is_waited_for(void **state)
{
    (void)state;
    (void)put_row(NOW_S + HOUR_S, NOW_S + HOUR_S, 1);
    assert_int_equal(due(), 0);
}

#define MINTED(test)                                                           \
    cmocka_unit_test_setup_teardown(test, vault_set_up, vault_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MINTED(test_a_row_waits_for_its_time),
        MINTED(test_a_row_is_due_in_its_time),
        MINTED(test_a_pause_by_a_clock_that_was_ahead_is_none),
        MINTED(test_what_ends_by_itself_is_waited_for),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
