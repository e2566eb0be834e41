/* Sealed boxes: anybody puts in, only the vault takes out. */
#include "base/buf.h"
#include "common/arena.h"
#include "crypt/box.h"
#include "crypt/kdf.h"

static struct {
    struct secret *seed;
    struct secret *other;
    struct buf blob;
    uint8_t public_key[BOX_PUBLIC_BYTES];
} t;

static int
set_up(void **state)
{
    (void)state;
    check_ok(kdf_root_new(&t.seed));
    check_ok(kdf_root_new(&t.other));
    check_ok(box_public(t.seed, t.public_key));
    buf_init(&t.blob, (size_t)1024 * 1024, BUF_PLAIN);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.seed);
    secret_free(t.other);
    buf_done(&t.blob);
    return 0;
}

static void
test_there_and_back(void **state)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    uint8_t again[BOX_PUBLIC_BYTES];

    (void)state;
    check_ok(box_public(t.seed, again));
    assert_memory_equal(t.public_key, again, sizeof(again));
    check_ok(box_seal(t.public_key, span_str("{\"token\":1}"), &t.blob));
    assert_int_equal(t.blob.len, 11 + BOX_OVERHEAD_BYTES);
    check_ok(box_open(t.seed, buf_view(&t.blob), &plain));
    check_span(secret_view(plain), "{\"token\":1}");
}

static void
test_nothing_and_the_largest(void **state)
{
    static uint8_t large[BOX_PLAIN_MAX_BYTES + 1];
    AG_AUTO(secret) struct secret *none = NULL;
    AG_AUTO(secret) struct secret *plain = NULL;
    struct secret *too_large = NULL;

    (void)state;
    check_ok(box_seal(t.public_key, span_of(NULL, 0), &t.blob));
    check_ok(box_open(t.seed, buf_view(&t.blob), &none));
    assert_int_equal(secret_len(none), 0);
    buf_clear(&t.blob);
    check_err(box_seal(t.public_key, span_of(large, sizeof(large)), &t.blob),
              AG_ELIMIT);
    check_ok(
        box_seal(t.public_key, span_of(large, sizeof(large) - 1), &t.blob));
    check_ok(box_open(t.seed, buf_view(&t.blob), &plain));
    assert_int_equal(secret_len(plain), BOX_PLAIN_MAX_BYTES);
    check_ok(buf_add_byte(&t.blob, 0));
    check_err(box_open(t.seed, buf_view(&t.blob), &too_large), AG_ELIMIT);
}

static void
test_only_the_right_seed_opens_an_unchanged_box(void **state)
{
    struct secret *plain = NULL;

    (void)state;
    check_ok(box_seal(t.public_key, span_str("value"), &t.blob));
    check_err(box_open(t.other, buf_view(&t.blob), &plain), AG_ECORRUPT);
    for (size_t i = 0; i < t.blob.len; i++) {
        t.blob.ptr[i] ^= 1;
        check_err(box_open(t.seed, buf_view(&t.blob), &plain), AG_ECORRUPT);
        t.blob.ptr[i] ^= 1;
        check_err(box_open(t.seed, span_of(t.blob.ptr, i), &plain),
                  AG_ECORRUPT);
    }
    assert_null(plain);
}

static void
test_wrong_keys(void **state)
{
    static const uint8_t ZEROS[BOX_PUBLIC_BYTES];
    AG_AUTO(secret) struct secret *odd = NULL;
    struct secret *plain = NULL;
    uint8_t public_key[BOX_PUBLIC_BYTES];

    (void)state;
    check_ok(secret_new(16, &odd));
    check_err(box_public(odd, public_key), AG_EINVAL);
    check_ok(box_seal(t.public_key, span_str("value"), &t.blob));
    check_err(box_open(odd, buf_view(&t.blob), &plain), AG_EINVAL);
    buf_clear(&t.blob);
    check_err(box_seal(ZEROS, span_str("value"), &t.blob), AG_EINVAL);
    assert_int_equal(t.blob.len, 0);
    t.blob.max = 10;
    check_err(box_seal(t.public_key, span_str("value"), &t.blob), AG_ELIMIT);
}

int
main(void)
{
#define BOX_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BOX_TEST(test_there_and_back),
        BOX_TEST(test_nothing_and_the_largest),
        BOX_TEST(test_only_the_right_seed_opens_an_unchanged_box),
        BOX_TEST(test_wrong_keys),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
