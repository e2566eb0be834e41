/* The writer: groups, failures of one and of all, order, what is refused. */
#include <pthread.h>
#include <stdatomic.h>

#include "common/vault.h"
#include "store/store_db.h"

enum {
    THREADS = 8,
    JOBS = 60,
};

static enum ag_err
run_put(struct db_tx *tx, void *arg)
{
    return vault_put_job(tx, arg);
}

/* Changes a row and forgets the record. */
static enum ag_err
run_off_record(struct db_tx *tx, void *arg)
{
    struct task_row task = {.deadline_ms = db_tx_now_ms(tx) + 1000};

    (void)arg;
    return tasks_add(tx, &task);
}

static enum ag_err
run_nothing(struct db_tx *tx, void *arg)
{
    (void)tx;
    (void)arg;
    return AG_OK;
}

static enum ag_err
run_failing(struct db_tx *tx, void *arg)
{
    struct task_row task = {.deadline_ms = db_tx_now_ms(tx) + 1000};
    enum ag_err err = tasks_add(tx, &task);

    if (err == AG_OK) {
        err = audit_note(tx, AUDIT_TASK_STARTED, task.id, 0, NULL);
    }
    return err != AG_OK ? err : err_why(AG_EDENIED, "no: %s", (char *)arg);
}

static void
test_a_change_off_the_record_is_undone(void **state)
{
    struct task_row task = {0};

    (void)state;
    check_err(store_do(vault.s, run_off_record, NULL), AG_EINTERNAL);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_err(tasks_get(r, 1, &task), AG_ENOTFOUND);
    }
    check_ok(store_do(vault.s, run_nothing, NULL));
    vault_check_sound();
}

static void
test_a_failure_keeps_its_sentence_and_its_neighbours(void **state)
{
    char why[] = "because";

    (void)state;
    check_err(store_do(vault.s, run_failing, why), AG_EDENIED);
    assert_string_equal(err_text(AG_EDENIED), "no: because");
    vault_put("a", "1");
    vault_check_value("a", 0, "1");
    vault_check_sound();
}

static enum ag_err
run_shed(struct db_tx *tx, void *arg)
{
    enum ag_err err = run_put(tx, arg);

    db_shed(store_db(vault.s)); /* in the middle: what is dirty stays */
    return err;
}

static void
test_pages_that_are_given_back_lose_nothing(void **state)
{
    struct vault_put put = {
        .name = "b", .value = "2", .state = VERSION_CURRENT};

    (void)state;
    vault_put("a", "1");
    vault_check_value("a", 0, "1"); /* an idle reader has pages too */
    check_ok(store_do(vault.s, run_shed, &put));
    vault_check_value("a", 0, "1");
    vault_check_value("b", 0, "2");
    vault_check_sound();
}

/* ---- many threads ---- */

struct order {
    struct store_job job;
    struct vault_put put;
    char value[16];
    atomic_uint *done;
    enum ag_err result;
};

static void
on_done(void *arg, enum ag_err err)
{
    struct order *order = arg;

    order->result = err;
    (void)atomic_fetch_add(order->done, 1);
}

static enum ag_err
run_order(struct db_tx *tx, void *arg)
{
    struct order *order = arg;

    return run_put(tx, &order->put);
}

static void *
submit_many(void *arg)
{
    static _Thread_local struct order orders[JOBS];
    atomic_uint done = 0;
    unsigned i;

    for (i = 0; i < JOBS; i++) {
        struct order *o = &orders[i];

        (void)snprintf(o->value, sizeof(o->value), "%u", i);
        o->put = (struct vault_put){.name = arg,
                                    .value = o->value,
                                    .state = VERSION_CURRENT,
                                    .if_version = (int64_t)i};
        o->done = &done;
        o->job = (struct store_job){
            .run = run_order, .done = on_done, .arg = o, .alone = i % 17 == 3};
        if (store_submit(vault.s, &o->job) != AG_OK) {
            abort();
        }
    }
    while (atomic_load(&done) < JOBS) {
        (void)sched_yield();
    }
    for (i = 0; i < JOBS; i++) {
        if (orders[i].result != AG_OK) {
            abort(); /* if_version: jobs of one thread run in order */
        }
    }
    return NULL;
}

static void
test_groups_keep_order_and_share_commits(void **state)
{
    static char names[THREADS][8];
    pthread_t threads[THREADS];
    struct store_stats stats;
    unsigned i;

    (void)state;
    for (i = 0; i < THREADS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "s%u", i);
        assert_int_equal(
            pthread_create(&threads[i], NULL, submit_many, names[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    store_stats(vault.s, &stats);
    assert_true(stats.largest_group > 1);
    assert_true(stats.commits < (uint64_t)THREADS * JOBS);
    for (i = 0; i < THREADS; i++) {
        vault_check_value(names[i], 0, "59");
    }
    vault_check_sound();
    vault_reopen();
    vault_check_sound();
}

/* Readers go on while the vault changes, is rekeyed and locked. */
static void *
read_on(void *arg)
{
    atomic_bool *stop = arg;

    while (!atomic_load(stop)) {
        AG_AUTO(db_read) struct db_read *r = NULL;
        AG_AUTO(secret_row) struct secret_row row = {0};
        AG_AUTO(secret) struct secret *value = NULL;
        enum ag_err err = store_read(vault.s, &r);

        if (err == AG_OK) {
            err = secrets_find(r, span_str("a"), &row);
        }
        if (err == AG_OK) {
            err = versions_value(r, row.id, 0, NULL, &value);
        }
        if (err != AG_OK && err != AG_ELOCKED && err != AG_EBUSY) {
            print_error("%s\n", err_text(err));
            abort();
        }
    }
    return NULL;
}

static void
test_readers_beside_a_rekey_and_a_lock(void **state)
{
    atomic_bool stop = false;
    pthread_t readers[3];
    struct keyring *fresh = vault_keyring();
    struct slot_row slot = vault_slot(2);
    struct store_found found;
    unsigned i;

    (void)state;
    vault_put("a", "0");
    for (i = 0; i < AG_COUNT(readers); i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &stop), 0);
    }
    for (i = 0; i < 10; i++) {
        vault_put("a", "1");
    }
    check_ok(store_rekey(vault.s, fresh, &slot, 1));
    vault_put("a", "2");
    store_lock(vault.s);
    check_ok(store_unlock(vault.s, fresh, &found));
    vault_put("a", "3");
    atomic_store(&stop, true);
    for (i = 0; i < AG_COUNT(readers); i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    vault_check_value("a", 0, "3");
    keyring_free(vault.ring);
    vault.ring = fresh;
    vault_check_sound();
}

/* ---- the queue ---- */

static atomic_bool gate;

static enum ag_err
run_gate(struct db_tx *tx, void *arg)
{
    (void)tx;
    (void)arg;
    while (!atomic_load(&gate)) {
        (void)sched_yield();
    }
    return AG_OK;
}

static void
test_a_full_queue_is_busy(void **state)
{
    static struct store_job jobs[STORE_QUEUE_MAX_COUNT + 2];
    struct store_stats stats;
    unsigned i;
    enum ag_err err = AG_OK;

    (void)state;
    atomic_store(&gate, false);
    jobs[0] = (struct store_job){.run = run_gate};
    check_ok(store_submit(vault.s, &jobs[0]));
    do {
        store_stats(vault.s, &stats);
    } while (stats.queue_count != 0);
    for (i = 1; i < AG_COUNT(jobs) && err == AG_OK; i++) {
        jobs[i] = (struct store_job){.run = run_nothing};
        err = store_submit(vault.s, &jobs[i]);
    }
    assert_int_equal(err, AG_EBUSY);
    assert_int_equal(i, AG_COUNT(jobs));
    atomic_store(&gate, true);
    store_lock(vault.s); /* drains */
    store_stats(vault.s, &stats);
    assert_int_equal(stats.queue_count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_a_change_off_the_record_is_undone),
        TEST(test_a_failure_keeps_its_sentence_and_its_neighbours),
        TEST(test_pages_that_are_given_back_lose_nothing),
        TEST(test_groups_keep_order_and_share_commits),
        TEST(test_readers_beside_a_rekey_and_a_lock),
        TEST(test_a_full_queue_is_busy),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
