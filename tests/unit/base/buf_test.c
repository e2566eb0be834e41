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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
