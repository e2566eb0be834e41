/* The growing buffer and its cap. */
#include "base/buf.h"
#include "base/wipealloc.h"
#include "common/check.h"

static void
test_it_grows_up_to_its_cap(void **state)
{
    AG_AUTO(buf) struct buf b;
    char block[100];

    (void)state;
    buf_init(&b, 1000, BUF_PLAIN);
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 10; i++) {
        check_ok(buf_add(&b, span_of(block, sizeof(block))));
    }
    check_err(buf_add_byte(&b, 'y'), AG_ELIMIT);
    check_err(buf_add(&b, span_of(block, SIZE_MAX)), AG_ELIMIT);
    check_err(buf_fmt(&b, "%d", 1), AG_ELIMIT);
    assert_int_equal(b.len, 1000);
    check_ok(buf_add(&b, span_of(NULL, 0)));
}

static void
test_appending(void **state)
{
    AG_AUTO(buf) struct buf b;

    (void)state;
    buf_init(&b, 100, BUF_PLAIN);
    check_ok(buf_add_str(&b, "a"));
    check_ok(buf_add_byte(&b, 'b'));
    check_ok(buf_fmt(&b, "%s-%d", "c", 42));
    check_span(buf_view(&b), "abc-42");
    assert_string_equal(buf_cstr(&b), "abc-42");
    buf_clear(&b);
    check_ok(buf_add_u32le(&b, 0x04030201));
    check_ok(buf_add_u64le(&b, UINT64_C(0x0c0b0a0908070605)));
    check_span(buf_view(&b), "\1\2\3\4\5\6\7\10\11\12\13\14");
}

static void
test_an_empty_buffer_is_an_empty_string(void **state)
{
    AG_AUTO(buf) struct buf b;

    (void)state;
    buf_init(&b, 0, BUF_PLAIN);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_view(&b).len, 0);
    check_err(buf_add_byte(&b, 1), AG_ELIMIT);
}

static void
test_room_and_grew(void **state)
{
    AG_AUTO(buf) struct buf b;
    uint8_t *to = NULL;

    (void)state;
    buf_init(&b, 10, BUF_PLAIN);
    check_ok(buf_room(&b, 10, &to));
    memset(to, 'r', 10);
    buf_grew(&b, 4);
    check_span(buf_view(&b), "rrrr");
    check_err(buf_room(&b, 7, &to), AG_ELIMIT);
}

static void
test_a_wiping_buffer_wipes(void **state)
{
    AG_AUTO(buf) struct buf b;

    (void)state;
    buf_init(&b, 10000, BUF_WIPE);
    for (int i = 0; i < 1000; i++) {
        check_ok(buf_add_str(&b, "secret"));
    }
    assert_memory_equal(b.ptr + 5994, "secret", 6);
    buf_truncate(&b, 6);
    for (size_t i = 6; i < 6000; i++) {
        assert_int_equal(b.ptr[i], 0);
    }
    buf_clear(&b);
    assert_int_equal(b.ptr[0], 0);
    buf_done(&b);
    assert_null(b.ptr);
    buf_done(&b);
}

static void
test_wiping_malloc(void **state)
{
    char *p = wipe_malloc(100);
    char *none = wipe_malloc(0);

    (void)state;
    assert_non_null(p);
    assert_non_null(none);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    memset(p, 'x', 100);
    wipe_free(p);
    wipe_free(none);
    wipe_free(NULL);
    assert_null(wipe_malloc(SIZE_MAX));
    assert_null(wipe_malloc(SIZE_MAX - 8));
}

static void
test_wiping_realloc_and_friends(void **state)
{
    char *p = wipe_realloc(NULL, 4);
    char *text = wipe_strdup("text");
    char *zeros = wipe_calloc(3, 5);

    (void)state;
    assert_non_null(p);
    memcpy(p, "abcd", 4);
    p = wipe_realloc(p, 4000);
    assert_memory_equal(p, "abcd", 4);
    p = wipe_realloc(p, 2);
    assert_memory_equal(p, "ab", 2);
    assert_null(wipe_realloc(p, SIZE_MAX)); /* what was there stays */
    assert_memory_equal(p, "ab", 2);
    assert_null(wipe_realloc(p, 0));
    assert_string_equal(text, "text");
    for (size_t i = 0; i < 15; i++) {
        assert_int_equal(zeros[i], 0);
    }
    assert_null(wipe_calloc(SIZE_MAX, 2));
    wipe_free(text);
    wipe_free(zeros);
}

static void
fill_and_free(char *p, size_t len)
{
    assert_non_null(p);
    memset(p, 'x', len);
    wipe_free(p);
}

/* For the next of that length, without a byte of what was in it. */
static void
test_large_blocks_are_kept_wiped(void **state)
{
    const size_t len = WIPEALLOC_KEPT_MIN_BYTES + 1;
    char *p = wipe_malloc(len);
    char *other = NULL;
    char *again = NULL;

    (void)state;
    fill_and_free(p, len);
    assert_int_equal(wipe_kept_count(), 1);
    other = wipe_malloc(len + 1);
    assert_int_equal(wipe_kept_count(), 1);
    again = wipe_malloc(len);
    assert_ptr_equal(again, p);
    assert_int_equal(wipe_kept_count(), 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(again[i], 0);
    }
    fill_and_free(again, len);
    fill_and_free(other, len + 1);
    assert_int_equal(wipe_kept_count(), 2);
    again = wipe_malloc(len); /* below the one that was freed last */
    assert_ptr_equal(again, p);
    wipe_free(again);
    wipe_shed();
    assert_int_equal(wipe_kept_count(), 0);
}

static void
test_few_blocks_are_kept(void **state)
{
    static const size_t LENS[] = {WIPEALLOC_KEPT_MIN_BYTES - 1,
                                  WIPEALLOC_KEPT_MAX_BYTES + 1};
    char *blocks[WIPEALLOC_KEPT_MAX_COUNT + 2];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LENS); i++) {
        fill_and_free(wipe_malloc(LENS[i]), LENS[i]);
        assert_int_equal(wipe_kept_count(), 0);
    }
    for (size_t i = 0; i < AG_COUNT(blocks); i++) {
        blocks[i] = wipe_malloc(WIPEALLOC_KEPT_MAX_BYTES);
        assert_non_null(blocks[i]);
    }
    for (size_t i = 0; i < AG_COUNT(blocks); i++) {
        wipe_free(blocks[i]);
    }
    assert_int_equal(wipe_kept_count(), WIPEALLOC_KEPT_MAX_COUNT);
    wipe_shed();
}

static void
test_what_is_expected_comes_without_a_move(void **state)
{
    AG_AUTO(buf) struct buf b;
    const uint8_t *at = NULL;

    (void)state;
    buf_init(&b, 2000, BUF_WIPE);
    check_ok(buf_add_str(&b, "some"));
    check_ok(buf_expect(&b, 1000));
    assert_int_equal(b.cap, 1001);
    check_ok(buf_expect(&b, 4)); /* there is more already */
    at = b.ptr;
    for (int i = 0; i < 249; i++) {
        check_ok(buf_add_str(&b, "text"));
    }
    assert_ptr_equal(b.ptr, at);
    assert_int_equal(b.len, 1000);
    assert_memory_equal(b.ptr, "sometext", 8);
    check_ok(buf_add_byte(&b, 'x'));
    check_err(buf_expect(&b, 2001), AG_ELIMIT);
    assert_int_equal(b.len, 1001);
}

static void
test_what_is_taken_is_the_takers(void **state)
{
    AG_AUTO(buf) struct buf b;
    char *text = NULL;

    (void)state;
    buf_init(&b, 100, BUF_WIPE);
    assert_null(buf_take(&b));
    check_ok(buf_add_str(&b, "text"));
    text = buf_take(&b);
    assert_memory_equal(text, "text", 4);
    assert_null(b.ptr);
    assert_int_equal(b.len, 0);
    check_ok(buf_add_str(&b, "next"));
    assert_memory_equal(text, "text", 4);
    wipe_free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows_up_to_its_cap),
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(test_room_and_grew),
        cmocka_unit_test(test_a_wiping_buffer_wipes),
        cmocka_unit_test(test_wiping_realloc_and_friends),
        cmocka_unit_test(test_wiping_malloc),
        cmocka_unit_test(test_large_blocks_are_kept_wiped),
        cmocka_unit_test(test_few_blocks_are_kept),
        cmocka_unit_test(test_what_is_expected_comes_without_a_move),
        cmocka_unit_test(test_what_is_taken_is_the_takers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
