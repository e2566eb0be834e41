/* Subkeys and keyed hashes: known answers, and that purposes differ. */
#include <sodium.h>

#include "base/encode.h"
#include "common/arena.h"
#include "crypt/kdf.h"

static struct secret *
root_of(uint8_t byte)
{
    struct secret *root = NULL;

    check_ok(secret_new(KDF_KEY_BYTES, &root));
    memset(secret_bytes(root), byte, KDF_KEY_BYTES);
    return root;
}

static void
check_hex(struct span got, const char *want)
{
    AG_AUTO(buf) struct buf hex;

    buf_init(&hex, 200, BUF_PLAIN);
    check_ok(encode_hex(got, &hex));
    check_span(buf_view(&hex), want);
}

/* What is on disk depends on these: computed apart, with Python's hashlib
 * (blake2b, digest_size=32, key, salt = number, person = context). */
static void
test_known_answers(void **state)
{
    AG_AUTO(secret) struct secret *root = root_of(0x42);
    AG_AUTO(secret) struct secret *wrap = NULL;
    AG_AUTO(secret) struct secret *backup = NULL;
    uint8_t hash[KDF_HASH_BYTES];

    (void)state;
    check_ok(kdf_subkey(root, KDF_WRAP, &wrap));
    check_hex(
        secret_view(wrap),
        "83870e29a0ba9cae2bb3354cec24b3a6bbb8e465c310594b254e6c419ecfa65d");
    check_ok(kdf_subkey(root, KDF_BACKUP, &backup));
    check_hex(
        secret_view(backup),
        "58efaae05fcdc96207e8386a56c2a723e8619047e6a7ca968145059153d176c8");
    kdf_hash(root, span_str("codex/default"), hash);
    check_hex(
        span_of(hash, sizeof(hash)),
        "22338a905037646762d0b753574151d11b0c425dd4ee430447c7d261e4d08548");
}

static void
test_each_purpose_has_a_key_of_its_own(void **state)
{
    AG_AUTO(secret) struct secret *root = root_of(1);
    AG_AUTO(secret) struct secret *other = root_of(2);
    struct secret *keys[2 * KDF_KEY_END] = {NULL};
    size_t count = 0;

    (void)state;
    for (int i = KDF_WRAP; i < KDF_KEY_END; i++) {
        check_ok(kdf_subkey(root, (enum kdf_key)i, &keys[count++]));
        check_ok(kdf_subkey(other, (enum kdf_key)i, &keys[count++]));
    }
    for (size_t i = 0; i < count; i++) {
        assert_false(secret_equal(keys[i], root));
        for (size_t k = 0; k < i; k++) {
            assert_false(secret_equal(keys[i], keys[k]));
        }
    }
    for (size_t i = 0; i < count; i++) {
        secret_free(keys[i]);
    }
}

static void
test_root_keys_are_random_and_of_one_length(void **state)
{
    AG_AUTO(secret) struct secret *a = NULL;
    AG_AUTO(secret) struct secret *b = NULL;
    AG_AUTO(secret) struct secret *odd = NULL;
    struct secret *key = NULL;

    (void)state;
    check_ok(kdf_root_new(&a));
    check_ok(kdf_root_new(&b));
    assert_int_equal(secret_len(a), KDF_KEY_BYTES);
    assert_false(secret_equal(a, b));
    check_ok(secret_new(31, &odd));
    check_err(kdf_subkey(odd, KDF_WRAP, &key), AG_EINVAL);
    assert_null(key);
}

static void
test_hashes_differ_by_key_and_content(void **state)
{
    AG_AUTO(secret) struct secret *one = root_of(1);
    AG_AUTO(secret) struct secret *two = root_of(2);
    uint8_t a[KDF_HASH_BYTES];
    uint8_t b[KDF_HASH_BYTES];

    (void)state;
    kdf_hash(one, span_str("x"), a);
    kdf_hash(one, span_str("x"), b);
    assert_memory_equal(a, b, KDF_HASH_BYTES);
    kdf_hash(two, span_str("x"), b);
    assert_memory_not_equal(a, b, KDF_HASH_BYTES);
    kdf_hash(one, span_of(NULL, 0), b);
    assert_memory_not_equal(a, b, KDF_HASH_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_each_purpose_has_a_key_of_its_own),
        cmocka_unit_test(test_root_keys_are_random_and_of_one_length),
        cmocka_unit_test(test_hashes_differ_by_key_and_content),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
