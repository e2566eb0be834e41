/* The queue of an answer: nothing lost or changed, and never larger than twice
 * what waits, however it is emptied. */
#include <string.h>

#include "base/wipealloc.h"
#include "common/check.h"
#include "proxy/backlog.h"

enum {
    MAX_BYTES = 256 * 1024,
    PART_BYTES = 16 * 1024,
    WHOLE_BYTES = 8 * 1024 * 1024,
};

static uint8_t
byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void
add(struct backlog *b, size_t at, size_t len)
{
    static uint8_t part[PART_BYTES];

    for (size_t i = 0; i < len; i++) {
        part[i] = byte_at(at + i);
    }
    check_ok(backlog_add(b, span_of(part, len)));
}

/* How far it is read then. */
static size_t
give(struct backlog *b, size_t at, size_t room)
{
    static uint8_t out[PART_BYTES];
    size_t n = backlog_give(b, out, room);

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i], byte_at(at + i));
    }
    return at + n;
}

/* A reader that is always behind never drains it: all passes through still. */
static void
test_a_slow_reader_gets_it_all(void **state)
{
    static const size_t ROOMS[] = {1, 10, 1000, PART_BYTES};

    (void)state;
    for (size_t k = 1; k < AG_COUNT(ROOMS); k++) {
        struct backlog b;
        size_t in = 0;
        size_t out = 0;

        backlog_init(&b, MAX_BYTES);
        while (out < WHOLE_BYTES / (AG_COUNT(ROOMS) - k)) {
            while (backlog_waiting_bytes(&b) < MAX_BYTES - PART_BYTES) {
                add(&b, in, PART_BYTES);
                in += PART_BYTES;
            }
            out = give(&b, out, ROOMS[k]);
            assert_int_equal(backlog_waiting_bytes(&b), in - out);
            assert_true(b.bytes.len <= 2 * (in - out) + 1);
        }
        backlog_done(&b);
    }
}

static void
test_its_bound(void **state)
{
    struct backlog b;
    size_t at = 0;

    (void)state;
    backlog_init(&b, 2 * (size_t)PART_BYTES);
    add(&b, 0, PART_BYTES);
    add(&b, PART_BYTES, PART_BYTES);
    assert_int_equal(backlog_add(&b, span_str("x")), AG_ELIMIT);
    at = give(&b, at, 1);
    check_ok(backlog_add(&b, span_str("x")));
    assert_int_equal(backlog_add(&b, span_str("x")), AG_ELIMIT);
    at = give(&b, at, PART_BYTES);
    at = give(&b, at, PART_BYTES - 1);
    assert_int_equal(at, 2 * (size_t)PART_BYTES);
    assert_int_equal(backlog_waiting_bytes(&b), 1);
    backlog_done(&b);
}

/* What was given does not stay behind the rest. */
static void
test_given_bytes_are_wiped(void **state)
{
    struct backlog b;
    uint8_t out[40];

    (void)state;
    backlog_init(&b, 1024);
    check_ok(backlog_add(&b, span_str("a-value-that-was-given-away.")));
    check_ok(backlog_add(&b, span_str("rest")));
    assert_int_equal(backlog_give(&b, out, 28), 28);
    assert_int_equal(b.at, 0);
    assert_memory_equal(b.bytes.ptr, "rest", 4);
    for (size_t i = 4; i < 32; i++) {
        assert_int_equal(b.bytes.ptr[i], 0);
    }
    assert_int_equal(backlog_give(&b, out, sizeof(out)), 4);
    assert_int_equal(backlog_give(&b, out, sizeof(out)), 0);
    backlog_done(&b);
}

/* Only whole, and then it has nothing more. */
static void
test_it_is_taken_whole(void **state)
{
    struct backlog b;
    uint8_t out[8];
    uint8_t *all = NULL;
    size_t len = 0;

    (void)state;
    backlog_init(&b, 1024);
    assert_null(backlog_take(&b, &len));
    check_ok(backlog_expect(&b, 600));
    check_ok(backlog_add(&b, span_str("the answer")));
    all = backlog_take(&b, &len);
    assert_int_equal(len, 10);
    assert_memory_equal(all, "the answer", 10);
    wipe_free(all);
    assert_int_equal(backlog_waiting_bytes(&b), 0);
    assert_int_equal(backlog_give(&b, out, sizeof(out)), 0);
    check_ok(backlog_add(&b, span_str("and another")));
    assert_int_equal(backlog_give(&b, out, 4), 4);
    assert_null(backlog_take(&b, &len));
    assert_int_equal(backlog_waiting_bytes(&b), 7);
    assert_int_equal(backlog_expect(&b, 4096), AG_ELIMIT);
    backlog_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_reader_gets_it_all),
        cmocka_unit_test(test_its_bound),
        cmocka_unit_test(test_given_bytes_are_wiped),
        cmocka_unit_test(test_it_is_taken_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
