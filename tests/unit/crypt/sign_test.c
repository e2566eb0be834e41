/* Signatures: known answers, and that nothing else passes. */
#include <sodium.h>

#include "common/arena.h"
#include "crypt/kdf.h"
#include "crypt/sign.h"

/* RFC 8032 section 7.1, test 2. */
static const char SEED[] =
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
static const char KEY[] =
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
static const char MADE[] =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
static const uint8_t MESSAGE[] = {0x72};

static void
unhex(const char *hex, uint8_t *out, size_t len)
{
    assert_int_equal(
        sodium_hex2bin(out, len, hex, strlen(hex), NULL, NULL, NULL), 0);
}

static struct secret *
seed_of(const char *hex)
{
    struct secret *seed = NULL;

    check_ok(secret_new(KDF_KEY_BYTES, &seed));
    unhex(hex, secret_bytes(seed), KDF_KEY_BYTES);
    return seed;
}

static void
test_known_answers(void **state)
{
    AG_AUTO(secret) struct secret *seed = seed_of(SEED);
    uint8_t key[SIGN_KEY_BYTES];
    uint8_t made[SIGN_BYTES];
    uint8_t want[SIGN_BYTES];

    (void)state;
    check_ok(sign_key(seed, key));
    unhex(KEY, want, SIGN_KEY_BYTES);
    assert_memory_equal(key, want, SIGN_KEY_BYTES);
    check_ok(sign_make(seed, span_of(MESSAGE, sizeof(MESSAGE)), made));
    unhex(MADE, want, SIGN_BYTES);
    assert_memory_equal(made, want, SIGN_BYTES);
    assert_true(sign_check(key, span_of(MESSAGE, sizeof(MESSAGE)), made));
}

static void
test_each_changed_bit_is_noticed(void **state)
{
    AG_AUTO(secret) struct secret *seed = seed_of(SEED);
    uint8_t text[] = "statement";
    struct span message = span_of(text, sizeof(text));
    uint8_t key[SIGN_KEY_BYTES];
    uint8_t made[SIGN_BYTES];

    (void)state;
    check_ok(sign_key(seed, key));
    check_ok(sign_make(seed, message, made));
    for (size_t i = 0; i < 8 * sizeof(text); i++) {
        text[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_false(sign_check(key, message, made));
        text[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t i = 0; i < 8 * sizeof(made); i++) {
        made[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_false(sign_check(key, message, made));
        made[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t i = 0; i < 8 * sizeof(key); i++) {
        key[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_false(sign_check(key, message, made));
        key[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_true(sign_check(key, message, made));
}

/* A key of all zeros is a point of small order, to which anything fits. */
static void
test_a_key_that_fits_everything_is_refused(void **state)
{
    const uint8_t zeros[SIGN_BYTES] = {0};

    (void)state;
    assert_false(sign_check(zeros, span_of(MESSAGE, sizeof(MESSAGE)), zeros));
}

static void
test_a_seed_has_32_bytes(void **state)
{
    AG_AUTO(secret) struct secret *seed = NULL;
    uint8_t key[SIGN_KEY_BYTES];
    uint8_t made[SIGN_BYTES];

    (void)state;
    check_ok(secret_new(KDF_KEY_BYTES - 1, &seed));
    check_err(sign_key(seed, key), AG_EINVAL);
    check_err(sign_make(seed, span_of(MESSAGE, 1), made), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_each_changed_bit_is_noticed),
        cmocka_unit_test(test_a_key_that_fits_everything_is_refused),
        cmocka_unit_test(test_a_seed_has_32_bytes),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
