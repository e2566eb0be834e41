/* The tasks that run: attached once, told once, expired, held logins. */
#include "common/check.h"
#include "core/proxied.h"
#include "core/running.h"

static struct running_table *table;
static struct running *task;
static const char *told;
static int told_count;

static int
setup(void **state)
{
    (void)state;
    task = calloc(1, sizeof(*task));
    told = NULL;
    told_count = 0;
    return task != NULL && running_new(&table) == AG_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    running_free(table);
    free(task);
    return 0;
}

static void
hear(void *arg, const char *reason)
{
    (void)arg;
    told = reason;
    told_count++;
}

static const struct life_listener LINE = {.ended = hear};

static void
start(int64_t id, int64_t deadline_ms, int64_t attach_by_ms)
{
    task->id = id;
    task->deadline_ms = deadline_ms;
    task->attach_by_ms = attach_by_ms;
    check_ok(running_add(table, task));
}

static void
test_the_newest_tokens_are_hidden(void **state)
{
    int64_t ids[RUNNING_HIDDEN_COUNT + 1];
    int64_t out = -1;

    (void)state;
    task->token_id = 5;
    start(1, 100, 50);
    assert_int_equal(running_hidden(table, 1, ids), 1);
    assert_int_equal(ids[0], 5);
    for (int64_t id = 10; id < 10 + RUNNING_HIDDEN_COUNT; id++) {
        assert_true(running_hide(table, 1, id, 1000 + id, &out));
        assert_int_equal(out, 0);
    }
    assert_int_equal(running_hidden(table, 1, ids), RUNNING_HIDDEN_COUNT + 1);
    /* So fast nobody reads them, and the filter would do nothing else. */
    assert_false(running_hide(table, 1, 90, 2009, &out));
    assert_true(running_hide(table, 1, 91, 2010, &out));
    assert_int_equal(out, 10);
    assert_false(running_hide(table, 1, 92, 2010, &out));
    assert_true(running_hide(table, 1, 93, 2011, &out));
    assert_int_equal(out, 11);
    assert_false(running_hide(table, 2, 94, 9000, &out));
    assert_int_equal(running_hidden(table, 2, ids), 0);
}

static void
test_a_task_has_one_line(void **state)
{
    (void)state;
    start(1, 100, 50);
    assert_false(running_is_attached(table, 1));
    check_ok(running_attach(table, 1, &LINE));
    assert_true(running_is_attached(table, 1));
    check_err(running_attach(table, 1, &LINE), AG_ECONFLICT);
    check_err(running_attach(table, 2, &LINE), AG_ENOTFOUND);
}

static void
test_its_end_is_told_once(void **state)
{
    (void)state;
    start(1, 100, 50);
    check_ok(running_attach(table, 1, &LINE));
    assert_true(running_tell(table, 1, "revoked"));
    assert_string_equal(told, "revoked");
    assert_false(running_tell(table, 1, "expired"));
    assert_int_equal(told_count, 1);
    assert_false(running_tell(table, 7, "expired"));
}

static void
test_one_that_is_ending_takes_no_line(void **state)
{
    (void)state;
    start(1, 100, 50);
    assert_true(running_tell(table, 1, "revoked"));
    check_err(running_attach(table, 1, &LINE), AG_ECONFLICT);
    assert_int_equal(told_count, 0);
}

/* Its line may be long in closing: nothing of it is sent until then. */
static void
test_one_that_is_ending_sends_nothing(void **state)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    struct proxied *none = NULL;

    (void)state;
    check_ok(proxied_new(0, &task->proxied));
    start(1, 100, 50);
    check_ok(running_attach(table, 1, &LINE));
    check_ok(running_proxied(table, 1, &set));
    assert_ptr_equal(set, task->proxied);
    assert_true(running_tell(table, 1, "revoked"));
    check_err(running_proxied(table, 1, &none), AG_EREVOKED);
    check_err(running_proxied(table, 2, &none), AG_EREVOKED);
    task->proxied = NULL;
    start(3, 100, 50);
    check_err(running_proxied(table, 3, &none), AG_EREVOKED);
    assert_null(none);
}

static void
test_deadline_and_attach_by_expire(void **state)
{
    int64_t ids[4];

    (void)state;
    start(1, 100, 50);
    start(2, 200, 0);
    assert_int_equal(running_expired(table, 99, 49, ids, 4), 0);
    assert_int_equal(running_expired(table, 99, 50, ids, 4), 1);
    assert_int_equal(ids[0], 1);
    assert_int_equal(running_expired(table, 200, 0, ids, 4), 2);
    assert_int_equal(running_next_ms(table, 90, 10), 20);
    assert_true(running_tell(table, 1, "expired"));
    assert_int_equal(running_expired(table, 200, 60, ids, 4), 1);
    assert_int_equal(ids[0], 2);
}

static void
test_a_login_has_one_holder(void **state)
{
    (void)state;
    task->delivery_count = 2;
    task->deliveries[0].secret_id = 7;
    task->deliveries[1].secret_id = 8;
    task->deliveries[1].single_holder = true;
    start(3, 100, 0);
    assert_int_equal(running_holder(table, 7), 0);
    assert_int_equal(running_holder(table, 8), 3);
    running_remove(table, 3);
    assert_int_equal(running_holder(table, 8), 0);
    assert_int_equal(running_ids(table, &(int64_t){0}, 1), 0);
}

static void
test_a_delivery_is_remembered(void **state)
{
    struct delivery delivery = {0};

    (void)state;
    task->delivery_count = 1;
    task->deliveries[0].secret_id = 7;
    start(3, 100, 0);
    running_delivered(table, 3, 0, 11, 4);
    check_ok(running_delivery(table, 3, 0, &delivery));
    assert_int_equal(delivery.lease_id, 11);
    assert_int_equal(delivery.version, 4);
    check_err(running_delivery(table, 3, 1, &delivery), AG_ENOTFOUND);
    check_err(running_delivery(table, 4, 0, &delivery), AG_ENOTFOUND);
}

static void
test_a_full_table_says_so(void **state)
{
    (void)state;
    for (int64_t id = 1; id <= TREE_TASKS_MAX_COUNT; id++) {
        start(id, 100, 0);
    }
    task->id = 9999;
    check_err(running_add(table, task), AG_ELIMIT);
    running_remove(table, 5);
    check_ok(running_add(table, task));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_newest_tokens_are_hidden,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_task_has_one_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_its_end_is_told_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_ending_takes_no_line,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_ending_sends_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline_and_attach_by_expire,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_login_has_one_holder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_delivery_is_remembered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_full_table_says_so, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
