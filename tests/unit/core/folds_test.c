/* Rows that repeat: so many of a minute, the rest is counted, nothing is lost. */
#include <stdio.h>

#include "common/check.h"
#include "core/folds.h"

enum {
    NOW_MS = 1000000,
    MINUTE_MS = 60 * 1000,
    TASK = 7,
    MANY = 1000,
    MORE = 10 * MANY,
    BOTH = 2 * MANY,
};

static const int64_t ALL_MS = INT64_MAX;

static enum fold_row
call(struct folds *f, const char *host, int64_t now_ms)
{
    return folds_note(f, TASK, FOLD_CALLED, host, now_ms);
}

/* What is taken, and put on the record or not. */
static int64_t
take(struct folds *f, int64_t caller, int64_t now_ms, bool written)
{
    static struct fold_batch batch;
    int64_t sum = 0;

    do {
        folds_take(f, caller, now_ms, &batch);
        for (size_t i = 0; i < batch.count; i++) {
            sum += batch.items[i].count;
        }
        folds_settle(f, &batch, written);
    } while (written && batch.count > 0);
    return sum;
}

static void
test_of_one_host(void **state)
{
    AG_AUTO(folds) struct folds *f = NULL;
    static struct fold_batch batch;

    (void)state;
    check_ok(folds_new(&f));
    for (int i = 1; i < FOLDS_CALLS_PER_MINUTE; i++) {
        assert_int_equal(call(f, "a.example", NOW_MS), FOLD_ROW);
    }
    assert_int_equal(call(f, "a.example", NOW_MS), FOLD_LAST_ROW);
    assert_int_equal(folds_next_ms(f), INT64_MAX);
    assert_int_equal(call(f, "a.example", NOW_MS + 5), FOLD_COUNTED);
    assert_int_equal(call(f, "a.example", NOW_MS + 9), FOLD_COUNTED);
    assert_int_equal(call(f, "b.example", NOW_MS), FOLD_ROW);
    assert_int_equal(folds_next_ms(f), NOW_MS + 5 + MINUTE_MS);
    assert_int_equal(take(f, 0, NOW_MS + 4 + MINUTE_MS, true), 0);
    /* Rows again with the next minute; the count is there until it is taken. */
    assert_int_equal(call(f, "a.example", NOW_MS + MINUTE_MS), FOLD_ROW);
    folds_take(f, 0, NOW_MS + 5 + MINUTE_MS, &batch);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.items[0].count, 2);
    assert_int_equal(batch.items[0].caller, TASK);
    assert_string_equal(batch.items[0].text, "a.example");
    /* While it is on its way nobody else takes it, nor what comes meanwhile. */
    for (int i = 0; i < FOLDS_CALLS_PER_MINUTE; i++) {
        (void)!call(f, "a.example", NOW_MS + MINUTE_MS);
    }
    assert_int_equal(take(f, 0, ALL_MS, true), 0);
    folds_settle(f, &batch, false);
    assert_int_equal(take(f, 0, ALL_MS, false), 3);
    assert_int_equal(take(f, 0, ALL_MS, true), 3);
    assert_int_equal(take(f, 0, ALL_MS, true), 0);
    assert_int_equal(folds_next_ms(f), INT64_MAX);
}

/* More hosts than are told apart: bounded all the same, and all counted. */
static void
test_of_many_hosts(void **state)
{
    AG_AUTO(folds) struct folds *f = NULL;
    static struct fold_batch batch;
    char host[32];
    int64_t rows = 0;

    (void)state;
    check_ok(folds_new(&f));
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(host, sizeof(host), "h%d.example", i);
        rows += call(f, host, NOW_MS) != FOLD_COUNTED ? 1 : 0;
    }
    assert_int_equal(rows, FOLDS_ROWS_PER_MINUTE);
    folds_take(f, 0, ALL_MS, &batch);
    folds_settle(f, &batch, false);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.items[0].text, "");
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(
            call(f, i % 2 == 0 ? "h1.example" : "h900.example", NOW_MS + 1),
            FOLD_COUNTED);
    }
    folds_take(f, 0, ALL_MS, &batch);
    folds_settle(f, &batch, false);
    assert_int_equal(batch.count, 2);
    assert_int_equal(take(f, 0, ALL_MS, true), BOTH - rows);
}

static void
test_callers_and_kinds_are_apart(void **state)
{
    AG_AUTO(folds) struct folds *f = NULL;

    (void)state;
    check_ok(folds_new(&f));
    for (int i = 0; i < FOLDS_ROWS_PER_MINUTE + 5; i++) {
        (void)!folds_note(f, TASK, FOLD_REFUSED, "a.example", NOW_MS);
        (void)!folds_note(f, -1001, FOLD_REFUSED, "a.example", NOW_MS);
    }
    assert_int_equal(folds_note(f, TASK, FOLD_REFUSED, "b.example", NOW_MS),
                     FOLD_COUNTED);
    assert_int_equal(folds_note(f, TASK, FOLD_TUNNEL, "a.example", NOW_MS),
                     FOLD_ROW);
    assert_int_equal(folds_note(f, TASK + 1, FOLD_REFUSED, "a.example", NOW_MS),
                     FOLD_ROW);
    assert_int_equal(folds_note(f, TASK, FOLD_HISTORY, "3", NOW_MS),
                     FOLD_LAST_ROW);
    assert_int_equal(folds_note(f, TASK, FOLD_HISTORY, "3", NOW_MS),
                     FOLD_COUNTED);
    /* Of a task that ends, before the minute is over. */
    assert_int_equal(take(f, TASK, NOW_MS, true), 7);
    assert_int_equal(take(f, TASK, NOW_MS, true), 0);
    assert_int_equal(take(f, 0, NOW_MS + MINUTE_MS, true), 5);
}

/* With every place taken a row is written rather than forgotten; what is over
 * and told makes room. */
static void
test_a_crowd(void **state)
{
    AG_AUTO(folds) struct folds *f = NULL;

    (void)state;
    check_ok(folds_new(&f));
    for (int i = 0; i <= FOLDS_CALLS_PER_MINUTE; i++) {
        (void)!folds_note(f, 1, FOLD_CALLED, "x", NOW_MS);
    }
    for (int64_t caller = 2; caller <= MORE; caller++) {
        assert_int_equal(folds_note(f, caller, FOLD_CALLED, "x", NOW_MS),
                         FOLD_ROW);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(folds_note(f, MORE, FOLD_CALLED, "x", NOW_MS),
                         FOLD_ROW);
    }
    for (int i = 0; i < FOLDS_CALLS_PER_MINUTE; i++) {
        assert_int_not_equal(
            folds_note(f, MORE, FOLD_CALLED, "x", NOW_MS + MINUTE_MS),
            FOLD_COUNTED);
    }
    assert_int_equal(folds_note(f, MORE, FOLD_CALLED, "x", NOW_MS + MINUTE_MS),
                     FOLD_COUNTED);
    /* What was counted and is not told yet makes none. */
    for (int64_t caller = 2; caller <= MORE; caller++) {
        (void)!folds_note(f, caller, FOLD_CALLED, "x", NOW_MS + 2 * MINUTE_MS);
    }
    assert_int_equal(take(f, 1, ALL_MS, true), 1);
    assert_int_equal(take(f, MORE, ALL_MS, true), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_one_host),
        cmocka_unit_test(test_of_many_hosts),
        cmocka_unit_test(test_callers_and_kinds_are_apart),
        cmocka_unit_test(test_a_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
