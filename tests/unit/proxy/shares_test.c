/* The memory for decoding: each task has a share of it. */
#include "common/coded.h"
#include "proxy/shares.h"

/* Decoders in the middle of the largest windows: how many of them fit. */
static size_t
fill(struct decode_memory *memory, struct span coded, struct decode **all,
     size_t count)
{
    const struct decode_codings codings = {.at = {DECODE_ZSTD}, .count = 1};
    AG_AUTO(buf) struct buf out = {0};
    size_t fit = 0;

    buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
    for (size_t i = 0; i < count; i++) {
        enum ag_err err = AG_OK;

        check_ok(decode_new(&codings, memory, &all[i]));
        err = coded_feed(all[i], coded, &out);
        assert_true(err == AG_OK || err == AG_ENOMEM);
        fit += err == AG_OK ? 1 : 0;
    }
    return fit;
}

static void
empty(struct decode **all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        decode_free(all[i]);
    }
}

/* A task has its share, and no more; the others have theirs all the same, as
 * long as there is any. */
static void
test_each_task_has_a_bound(void **state)
{
    enum {
        EACH = 4,
        TASKS = 16
    };

    AG_AUTO(shares) struct shares *shares = NULL;
    struct decode_memory *memory[TASKS] = {0};
    struct decode_memory *again = NULL;
    struct decode *all[TASKS][EACH] = {0};
    AG_AUTO(buf) struct buf coded = {0};
    size_t fit = 0;

    (void)state;
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    coded_window(23, "a text", &coded);
    coded.len -= 3;
    check_ok(shares_new(&shares));
    for (int i = 0; i < TASKS; i++) {
        check_ok(shares_take(shares, 100 + i, &memory[i]));
        fit = fill(memory[i], buf_view(&coded), all[i], EACH);
        assert_true(atomic_load(&memory[i]->used_bytes) <= SHARES_TASK_BYTES);
        assert_true(i >= 10 || fit == 2);
    }
    assert_int_equal(fit, 0);
    check_ok(shares_take(shares, 100, &again));
    assert_ptr_equal(again, memory[0]);
    shares_give(shares, again);
    for (int i = 0; i < TASKS; i++) {
        empty(all[i], EACH);
        assert_int_equal(atomic_load(&memory[i]->used_bytes), 0);
        shares_give(shares, memory[i]);
    }
    check_ok(shares_take(shares, 100, &memory[0]));
    assert_int_equal(fill(memory[0], buf_view(&coded), all[0], EACH), 2);
    empty(all[0], EACH);
    shares_give(shares, memory[0]);
    shares_give(shares, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
