/* Sealed columns: what was put in comes out at its own place only. */
#include "base/buf.h"
#include "common/arena.h"
#include "crypt/kdf.h"
#include "crypt/seal.h"

static const uint8_t VAULT[SEAL_VAULT_ID_BYTES] = "vault of a test";
static const uint8_t OTHER_VAULT[SEAL_VAULT_ID_BYTES] = "another vault..";

static const struct seal_at HERE = {.vault_id = VAULT,
                                    .table = "secret",
                                    .column = "name",
                                    .row = 7,
                                    .version = 3};

static struct {
    struct secret *key;
    struct secret *other_key;
    struct buf blob;
} t;

static int
set_up(void **state)
{
    (void)state;
    check_ok(kdf_root_new(&t.key));
    check_ok(kdf_root_new(&t.other_key));
    buf_init(&t.blob, (size_t)1024 * 1024, BUF_PLAIN);
    check_ok(seal_make(t.key, &HERE, span_str("the value"), &t.blob));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.key);
    secret_free(t.other_key);
    buf_done(&t.blob);
    return 0;
}

static void
test_the_layout(void **state)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(buf) struct buf out;

    (void)state;
    assert_int_equal(t.blob.len, 9 + SEAL_OVERHEAD_BYTES);
    assert_int_equal(t.blob.ptr[0], 1);
    check_ok(seal_open(t.key, &HERE, buf_view(&t.blob), &plain));
    check_span(secret_view(plain), "the value");
    buf_init(&out, 100, BUF_WIPE);
    check_ok(buf_add_str(&out, "before "));
    check_ok(seal_open_buf(t.key, &HERE, buf_view(&t.blob), &out));
    check_span(buf_view(&out), "before the value");
}

static void
test_sealing_twice_gives_two_blobs(void **state)
{
    size_t len = t.blob.len;

    (void)state;
    check_ok(seal_make(t.key, &HERE, span_str("the value"), &t.blob));
    assert_int_equal(t.blob.len, 2 * len); /* appended */
    assert_memory_not_equal(t.blob.ptr + 1, t.blob.ptr + len + 1, len - 1);
}

static void
test_it_opens_only_at_its_place(void **state)
{
    struct seal_at places[] = {HERE, HERE, HERE, HERE, HERE, HERE, HERE};
    struct secret *plain = NULL;

    (void)state;
    places[0].vault_id = OTHER_VAULT;
    places[1].table = "secrets";
    places[2].column = "nam";
    places[3].row = 8;
    places[4].version = 2;
    places[5].table = "secretn"; /* the same letters, cut elsewhere */
    places[5].column = "ame";
    places[6].row = 3;
    places[6].version = 7;
    for (size_t i = 0; i < AG_COUNT(places); i++) {
        check_err(seal_open(t.key, &places[i], buf_view(&t.blob), &plain),
                  AG_ECORRUPT);
        assert_null(plain);
    }
    assert_non_null(strstr(err_text(AG_ECORRUPT), "secret.name of row 3"));
    check_err(seal_open(t.other_key, &HERE, buf_view(&t.blob), &plain),
              AG_ECORRUPT);
}

static void
test_every_bit_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < t.blob.len * 8; i++) {
        struct secret *plain = NULL;

        t.blob.ptr[i / 8] ^= (uint8_t)(1 << (i % 8));
        check_err(seal_open(t.key, &HERE, buf_view(&t.blob), &plain),
                  AG_ECORRUPT);
        assert_null(plain);
        t.blob.ptr[i / 8] ^= (uint8_t)(1 << (i % 8));
    }
    for (size_t len = 0; len < t.blob.len; len++) {
        AG_AUTO(buf) struct buf out;

        buf_init(&out, 100, BUF_WIPE);
        check_err(seal_open_buf(t.key, &HERE, span_of(t.blob.ptr, len), &out),
                  AG_ECORRUPT);
        assert_int_equal(out.len, 0);
    }
}

static void
test_nothing_can_be_sealed_too(void **state)
{
    AG_AUTO(secret) struct secret *plain = NULL;

    (void)state;
    buf_clear(&t.blob);
    check_ok(seal_make(t.key, &HERE, span_of(NULL, 0), &t.blob));
    check_ok(seal_open(t.key, &HERE, buf_view(&t.blob), &plain));
    assert_int_equal(secret_len(plain), 0);
}

static void
test_the_largest_value(void **state)
{
    static uint8_t large[SEAL_PLAIN_MAX_BYTES + 1];
    AG_AUTO(secret) struct secret *plain = NULL;
    struct secret *none = NULL;

    (void)state;
    memset(large, 'L', sizeof(large));
    buf_clear(&t.blob);
    check_err(seal_make(t.key, &HERE, span_of(large, sizeof(large)), &t.blob),
              AG_ELIMIT);
    assert_int_equal(t.blob.len, 0);
    check_ok(
        seal_make(t.key, &HERE, span_of(large, sizeof(large) - 1), &t.blob));
    check_ok(seal_open(t.key, &HERE, buf_view(&t.blob), &plain));
    assert_memory_equal(secret_bytes(plain), large, sizeof(large) - 1);
    check_ok(buf_add_byte(&t.blob, 0));
    check_err(seal_open(t.key, &HERE, buf_view(&t.blob), &none), AG_ELIMIT);
}

static void
test_wrong_arguments(void **state)
{
    AG_AUTO(secret) struct secret *odd = NULL;
    struct seal_at at = HERE;
    struct secret *plain = NULL;
    char word[SEAL_WORD_MAX_BYTES + 2];
    size_t len = t.blob.len;

    (void)state;
    check_ok(secret_new(16, &odd));
    check_err(seal_make(odd, &HERE, span_str("x"), &t.blob), AG_EINVAL);
    check_err(seal_open(odd, &HERE, buf_view(&t.blob), &plain), AG_EINVAL);
    memset(word, 'w', sizeof(word));
    word[SEAL_WORD_MAX_BYTES + 1] = '\0';
    at.table = word;
    check_err(seal_make(t.key, &at, span_str("x"), &t.blob), AG_EINVAL);
    at.table = word + 1;
    at.column = word + 1;
    check_ok(seal_make(t.key, &at, span_str("x"), &t.blob));
    at.column = word;
    check_err(seal_make(t.key, &at, span_str("x"), &t.blob), AG_EINVAL);
    at.column = "c";
    at.vault_id = NULL;
    check_err(seal_make(t.key, &at, span_str("x"), &t.blob), AG_EINVAL);
    t.blob.max = t.blob.len;
    check_err(seal_make(t.key, &HERE, span_str("x"), &t.blob), AG_ELIMIT);
    assert_int_equal(t.blob.len, 2 * len - 8);
}

int
main(void)
{
#define SEAL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SEAL_TEST(test_the_layout),
        SEAL_TEST(test_sealing_twice_gives_two_blobs),
        SEAL_TEST(test_it_opens_only_at_its_place),
        SEAL_TEST(test_every_bit_counts),
        SEAL_TEST(test_nothing_can_be_sealed_too),
        SEAL_TEST(test_the_largest_value),
        SEAL_TEST(test_wrong_arguments),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
