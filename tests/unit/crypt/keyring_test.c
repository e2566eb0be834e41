/* The keyring: states, data keys, and locking while others use it. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "common/arena.h"
#include "crypt/keyring.h"

static const uint8_t VAULT[KEYRING_VAULT_ID_BYTES] = "vault of a test";

static const struct seal_at ROW = {
    .table = "version", .column = "key", .row = 7, .version = 3};

static struct {
    struct secret *root;
    struct keyring *kr;
    struct buf wrapped;
} t;

static int
set_up(void **state)
{
    (void)state;
    check_ok(kdf_root_new(&t.root));
    check_ok(keyring_new(VAULT, &t.kr));
    check_ok(keyring_open(t.kr, t.root));
    buf_init(&t.wrapped, 4096, BUF_PLAIN);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.root);
    keyring_free(t.kr);
    buf_done(&t.wrapped);
    return 0;
}

static void
test_locked_it_gives_nothing(void **state)
{
    AG_AUTO(secret) struct secret *kept = NULL;
    AG_AUTO(secret) struct secret *want = NULL;
    const struct secret *lent = NULL;
    struct secret *key = NULL;
    uint8_t hash[KDF_HASH_BYTES];
    size_t used = 0;

    (void)state;
    check_ok(kdf_subkey(t.root, KDF_PLACEHOLDER, &want));
    check_ok(keyring_key(t.kr, KDF_PLACEHOLDER, &kept));
    used = secret_arena_used_bytes();
    keyring_lock(t.kr);
    assert_int_equal(keyring_state(t.kr), KEYRING_LOCKED);
    assert_true(secret_arena_used_bytes() < used);
    keyring_lock(t.kr);
    assert_true(secret_equal(want, kept)); /* who has a copy keeps it */
    check_err(keyring_key(t.kr, KDF_WRAP, &key), AG_ELOCKED);
    check_err(keyring_root(t.kr, &lent), AG_ELOCKED);
    check_err(keyring_hash(t.kr, KDF_NAME, span_str("x"), hash), AG_ELOCKED);
    check_err(keyring_token_hash(t.kr, TOKEN_TASK, span_str("x"), hash),
              AG_ELOCKED);
    check_err(keyring_data_new(t.kr, &ROW, &t.wrapped, &key), AG_ELOCKED);
    check_err(keyring_data_open(t.kr, &ROW, buf_view(&t.wrapped), &key),
              AG_ELOCKED);
    check_err(keyring_data_wrap(t.kr, &ROW, t.root, &t.wrapped), AG_ELOCKED);
    assert_null(lent);
    assert_null(key);
    check_ok(keyring_open(t.kr, t.root));
    assert_int_equal(keyring_state(t.kr), KEYRING_OPEN);
}

static void
test_opening_twice_or_with_an_odd_key_is_refused(void **state)
{
    AG_AUTO(secret) struct secret *odd = NULL;
    AG_AUTO(keyring) struct keyring *fresh = NULL;
    size_t used = secret_arena_used_bytes();

    (void)state;
    check_err(keyring_open(t.kr, t.root), AG_EINVAL);
    assert_int_equal(keyring_state(t.kr), KEYRING_OPEN);
    assert_int_equal(secret_arena_used_bytes(), used);
    check_ok(secret_new(5, &odd));
    check_ok(keyring_new(VAULT, &fresh));
    check_err(keyring_open(fresh, odd), AG_EINVAL);
    assert_int_equal(keyring_state(fresh), KEYRING_LOCKED);
    keyring_free(NULL);
}

static void
test_subkeys_are_those_of_the_root(void **state)
{
    AG_AUTO(secret) struct secret *want = NULL;
    AG_AUTO(secret) struct secret *token_key = NULL;
    AG_AUTO(secret) struct secret *key = NULL;
    char token[TOKEN_TEXT_BYTES];
    const struct secret *lent = NULL;
    uint8_t a[KDF_HASH_BYTES];
    uint8_t b[KDF_HASH_BYTES];

    (void)state;
    check_ok(kdf_subkey(t.root, KDF_AUDIT, &want));
    check_ok(keyring_key(t.kr, KDF_AUDIT, &key));
    assert_true(secret_equal(want, key));
    kdf_hash(want, span_str("x"), a);
    check_ok(keyring_hash(t.kr, KDF_AUDIT, span_str("x"), b));
    assert_memory_equal(a, b, KDF_HASH_BYTES);
    token_new_text(TOKEN_TASK, token);
    check_ok(kdf_subkey(t.root, KDF_TOKEN, &token_key));
    check_ok(token_hash(token_key, TOKEN_TASK, span_str(token), a));
    check_ok(keyring_token_hash(t.kr, TOKEN_TASK, span_str(token), b));
    assert_memory_equal(a, b, KDF_HASH_BYTES);
    check_ok(keyring_root(t.kr, &lent));
    assert_true(secret_equal(t.root, lent));
    assert_memory_equal(keyring_vault_id(t.kr), VAULT, sizeof(VAULT));
}

static void
test_a_data_key_is_wrapped_for_its_place(void **state)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *back = NULL;
    struct secret *none = NULL;
    struct seal_at other = ROW;

    (void)state;
    check_ok(keyring_data_new(t.kr, &ROW, &t.wrapped, &key));
    assert_int_equal(t.wrapped.len, KEYRING_WRAPPED_BYTES);
    assert_int_equal(secret_len(key), KEYRING_DATA_KEY_BYTES);
    check_ok(keyring_data_open(t.kr, &ROW, buf_view(&t.wrapped), &back));
    assert_true(secret_equal(key, back));
    other.row = 8;
    check_err(keyring_data_open(t.kr, &other, buf_view(&t.wrapped), &none),
              AG_ECORRUPT);
    check_err(keyring_data_open(t.kr, &ROW, span_of(t.wrapped.ptr, 40), &none),
              AG_ECORRUPT);
    check_err(keyring_data_open(t.kr, &ROW, span_of(NULL, 0), &none),
              AG_ECORRUPT);
    secret_shrink(key, 31);
    check_err(keyring_data_wrap(t.kr, &ROW, key, &t.wrapped), AG_EINVAL);
    assert_null(none);
}

static void
test_a_rekey_wraps_the_same_key_anew(void **state)
{
    AG_AUTO(secret) struct secret *root = NULL;
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *back = NULL;
    AG_AUTO(keyring) struct keyring *fresh = NULL;
    AG_AUTO(buf) struct buf anew;
    struct secret *none = NULL;

    (void)state;
    buf_init(&anew, 100, BUF_PLAIN);
    check_ok(kdf_root_new(&root));
    check_ok(keyring_new(VAULT, &fresh));
    check_ok(keyring_data_new(t.kr, &ROW, &t.wrapped, &key));
    check_err(
        keyring_data_rewrap(t.kr, fresh, &ROW, buf_view(&t.wrapped), &anew),
        AG_ELOCKED);
    check_ok(keyring_open(fresh, root));
    check_ok(
        keyring_data_rewrap(t.kr, fresh, &ROW, buf_view(&t.wrapped), &anew));
    check_err(keyring_data_open(t.kr, &ROW, buf_view(&anew), &none),
              AG_ECORRUPT);
    check_ok(keyring_data_open(fresh, &ROW, buf_view(&anew), &back));
    assert_true(secret_equal(key, back));
    check_err(
        keyring_data_rewrap(fresh, t.kr, &ROW, buf_view(&t.wrapped), &anew),
        AG_ECORRUPT);
}

static atomic_bool stop;

static void *
hash_all_the_time(void *arg)
{
    struct keyring *kr = arg;
    uint8_t first[KDF_HASH_BYTES];
    uint8_t hash[KDF_HASH_BYTES];
    bool have = false;

    while (!atomic_load(&stop)) {
        AG_AUTO(secret) struct secret *key = NULL;
        AG_AUTO(buf) struct buf wrapped;
        enum ag_err err = keyring_hash(kr, KDF_NAME, span_str("x"), hash);

        AG_ASSERT(err == AG_OK || err == AG_ELOCKED);
        if (err == AG_OK) {
            AG_ASSERT(!have || memcmp(first, hash, sizeof(hash)) == 0);
            memcpy(first, hash, sizeof(first));
            have = true;
        }
        buf_init(&wrapped, 100, BUF_PLAIN);
        err = keyring_data_new(kr, &ROW, &wrapped, &key);
        AG_ASSERT(err == AG_OK || err == AG_ELOCKED);
    }
    return NULL;
}

static void
test_locking_while_others_use_it(void **state)
{
    pthread_t threads[2];

    (void)state;
    atomic_store(&stop, false);
    for (size_t i = 0; i < AG_COUNT(threads); i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, hash_all_the_time, t.kr), 0);
    }
    for (int i = 0; i < 300; i++) {
        keyring_lock(t.kr);
        check_ok(keyring_open(t.kr, t.root));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < AG_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

int
main(void)
{
#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RING_TEST(test_locked_it_gives_nothing),
        RING_TEST(test_opening_twice_or_with_an_odd_key_is_refused),
        RING_TEST(test_subkeys_are_those_of_the_root),
        RING_TEST(test_a_data_key_is_wrapped_for_its_place),
        RING_TEST(test_a_rekey_wraps_the_same_key_anew),
        RING_TEST(test_locking_while_others_use_it),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
