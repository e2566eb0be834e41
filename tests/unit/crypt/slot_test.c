/* Unlock slots of the three factors, and the recovery code people type. */
#include <ctype.h>

#include "base/buf.h"
#include "common/arena.h"
#include "crypt/kdf.h"
#include "crypt/slot.h"

static const uint8_t VAULT[16] = "vault of a test";
static const uint8_t OTHER_VAULT[16] = "another vault..";

/* Quick; no vault is made with it. */
static const struct slot_cost QUICK = {.passes = 1, .memory_bytes = 8192};

static struct {
    struct secret *root;
    struct buf blob;
} t;

static int
set_up(void **state)
{
    (void)state;
    check_ok(kdf_root_new(&t.root));
    buf_init(&t.blob, 4096, BUF_PLAIN);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.root);
    buf_done(&t.blob);
    return 0;
}

static struct slot_at
slot_7(enum slot_factor factor)
{
    return (struct slot_at){.vault_id = VAULT, .slot_id = 7, .factor = factor};
}

static struct secret *
text(const char *chars)
{
    struct secret *s = NULL;

    check_ok(secret_from(span_str(chars), &s));
    return s;
}

static void
test_a_passphrase(void **state)
{
    AG_AUTO(secret) struct secret *right = text("correct horse");
    AG_AUTO(secret) struct secret *wrong = text("correct horsf");
    AG_AUTO(secret) struct secret *empty = text("");
    AG_AUTO(secret) struct secret *back = NULL;
    AG_AUTO(secret) struct secret *too_long = NULL;
    struct slot_at at = slot_7(SLOT_FACTOR_PASSPHRASE);
    struct slot_cost cost;
    struct secret *none = NULL;

    (void)state;
    check_ok(slot_make(&at, &QUICK, right, t.root, &t.blob));
    assert_int_equal(t.blob.len, SLOT_BLOB_BYTES);
    check_ok(slot_open(&at, buf_view(&t.blob), right, &back));
    assert_true(secret_equal(back, t.root));
    check_err(slot_open(&at, buf_view(&t.blob), wrong, &none), AG_EPASSPHRASE);
    check_err(slot_open(&at, buf_view(&t.blob), empty, &none), AG_EINVAL);
    check_ok(secret_new(SLOT_PASSPHRASE_MAX_BYTES + 1, &too_long));
    check_err(slot_make(&at, &QUICK, too_long, t.root, &t.blob), AG_EINVAL);
    assert_null(none);
    check_ok(slot_cost_of(buf_view(&t.blob), &cost));
    assert_int_equal(cost.passes, 1);
    assert_int_equal(cost.memory_bytes, 8192);
}

static void
test_a_key_file(void **state)
{
    AG_AUTO(secret)
    struct secret *right = text("0123456789abcdef0123456789abcdef");
    AG_AUTO(secret)
    struct secret *wrong = text("0123456789abcdef0123456789abcdef\n");
    AG_AUTO(secret)
    struct secret *too_short = text("0123456789abcdef0123456789abcde");
    AG_AUTO(secret) struct secret *too_long = NULL;
    AG_AUTO(secret) struct secret *back = NULL;
    struct slot_at at = slot_7(SLOT_FACTOR_KEY);
    struct slot_cost cost;
    struct secret *none = NULL;

    (void)state;
    check_ok(slot_make(&at, NULL, right, t.root, &t.blob));
    check_ok(slot_open(&at, buf_view(&t.blob), right, &back));
    assert_true(secret_equal(back, t.root));
    check_err(slot_open(&at, buf_view(&t.blob), wrong, &none), AG_EPASSPHRASE);
    check_err(slot_open(&at, buf_view(&t.blob), too_short, &none), AG_EINVAL);
    check_ok(secret_new(SLOT_KEY_MAX_BYTES + 1, &too_long));
    check_err(slot_make(&at, NULL, too_long, t.root, &t.blob), AG_EINVAL);
    check_err(slot_cost_of(buf_view(&t.blob), &cost), AG_ECORRUPT);
}

static void
test_a_recovery_code(void **state)
{
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(secret) struct secret *other = NULL;
    AG_AUTO(secret) struct secret *back = NULL;
    struct slot_at at = slot_7(SLOT_FACTOR_RECOVERY);
    struct secret *none = NULL;

    (void)state;
    check_ok(slot_recovery_new(&code));
    check_ok(slot_recovery_new(&other));
    check_ok(slot_make(&at, NULL, code, t.root, &t.blob));
    check_ok(slot_open(&at, buf_view(&t.blob), code, &back));
    assert_true(secret_equal(back, t.root));
    check_err(slot_open(&at, buf_view(&t.blob), other, &none), AG_EPASSPHRASE);
    secret_bytes(other)[0] = secret_bytes(other)[0] == 'X' ? 'Y' : 'X';
    check_err(slot_open(&at, buf_view(&t.blob), other, &none), AG_EINVAL);
}

static void
test_a_slot_opens_only_in_its_vault_and_place(void **state)
{
    AG_AUTO(secret) struct secret *pass = text("correct horse");
    struct slot_at at = slot_7(SLOT_FACTOR_PASSPHRASE);
    struct slot_at other_vault = at;
    struct slot_at other_slot = at;
    struct slot_at other_factor = at;
    struct secret *none = NULL;

    (void)state;
    check_ok(slot_make(&at, &QUICK, pass, t.root, &t.blob));
    other_vault.vault_id = OTHER_VAULT;
    other_slot.slot_id = 8;
    other_factor.factor = SLOT_FACTOR_KEY;
    check_err(slot_open(&other_vault, buf_view(&t.blob), pass, &none),
              AG_EPASSPHRASE);
    check_err(slot_open(&other_slot, buf_view(&t.blob), pass, &none),
              AG_EPASSPHRASE);
    check_err(slot_open(&other_factor, buf_view(&t.blob), pass, &none),
              AG_ECORRUPT);
    assert_null(none);
}

static void
test_every_bit_counts(void **state)
{
    AG_AUTO(secret)
    struct secret *key = text("0123456789abcdef0123456789abcdef");
    struct slot_at at = slot_7(SLOT_FACTOR_KEY);

    (void)state;
    check_ok(slot_make(&at, NULL, key, t.root, &t.blob));
    for (size_t i = 0; i < t.blob.len * 8; i++) {
        struct secret *none = NULL;
        enum ag_err err;

        t.blob.ptr[i / 8] ^= (uint8_t)(1 << (i % 8));
        err = slot_open(&at, buf_view(&t.blob), key, &none);
        assert_true(err == AG_EPASSPHRASE || err == AG_ECORRUPT);
        t.blob.ptr[i / 8] ^= (uint8_t)(1 << (i % 8));
    }
    for (size_t len = 0; len < t.blob.len; len++) {
        struct secret *none = NULL;

        check_err(slot_open(&at, span_of(t.blob.ptr, len), key, &none),
                  AG_ECORRUPT);
    }
}

/* A forged cost must not hold us for hours or take all memory. */
static void
test_an_impossible_cost_is_refused(void **state)
{
    AG_AUTO(secret) struct secret *pass = text("correct horse");
    static const struct slot_cost ROWS[] = {
        {.passes = 0, .memory_bytes = 8192},
        {.passes = 65, .memory_bytes = 8192},
        {.passes = UINT64_MAX, .memory_bytes = 8192},
        {.passes = 1, .memory_bytes = 8191},
        {.passes = 1, .memory_bytes = (UINT64_C(4) << 30) + 1},
        {.passes = 1, .memory_bytes = UINT64_MAX},
    };
    struct slot_at at = slot_7(SLOT_FACTOR_PASSPHRASE);
    struct secret *none = NULL;

    (void)state;
    check_ok(slot_make(&at, &QUICK, pass, t.root, &t.blob));
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        for (unsigned k = 0; k < 8; k++) {
            t.blob.ptr[18 + k] = (uint8_t)(ROWS[i].passes >> (8 * k));
            t.blob.ptr[26 + k] = (uint8_t)(ROWS[i].memory_bytes >> (8 * k));
        }
        check_err(slot_open(&at, buf_view(&t.blob), pass, &none), AG_ECORRUPT);
    }
}

static void
test_slot_make_checks_its_input(void **state)
{
    AG_AUTO(secret) struct secret *pass = text("correct horse");
    struct slot_at at = slot_7(SLOT_FACTOR_PASSPHRASE);

    (void)state;
    check_err(slot_make(&at, NULL, pass, t.root, &t.blob), AG_EINVAL);
    check_err(slot_make(&at, &QUICK, pass, pass, &t.blob), AG_EINVAL);
    t.blob.max = SLOT_BLOB_BYTES - 1;
    check_err(slot_make(&at, &QUICK, pass, t.root, &t.blob), AG_ELIMIT);
    assert_int_equal(t.blob.len, 0);
}

/* Argon2 says no to memory it can't have; so do we, and name the amount. */
static void
test_memory_that_is_not_there(void **state)
{
    AG_AUTO(secret) struct secret *pass = text("correct horse");
    struct slot_at at = slot_7(SLOT_FACTOR_PASSPHRASE);
    struct slot_cost cost = {.passes = 1, .memory_bytes = UINT64_C(1) << 60};

    (void)state;
    check_err(slot_make(&at, &cost, pass, t.root, &t.blob), AG_ENOMEM);
    assert_non_null(strstr(err_text(AG_ENOMEM), "MiB"));
}

/* Small letters, blanks for dashes, o for 0, l and I for 1. */
static char
as_typed(uint8_t c, size_t i)
{
    static const char *const ONES = "lI";

    if (c == '-') {
        return ' ';
    }
    if (c == '0') {
        return 'o';
    }
    if (c == '1') {
        return ONES[i % 2];
    }
    return (char)tolower(c);
}

static void
test_the_code_as_people_type_it(void **state)
{
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(secret) struct secret *bytes = NULL;
    AG_AUTO(secret) struct secret *again = NULL;
    char typed[100];
    size_t len = 0;

    (void)state;
    check_ok(slot_recovery_new(&code));
    assert_int_equal(secret_len(code), SLOT_RECOVERY_TEXT_BYTES);
    check_ok(slot_recovery_parse(secret_view(code), &bytes));
    assert_int_equal(secret_len(bytes), SLOT_RECOVERY_BYTES);
    typed[len++] = '\n';
    for (size_t i = 0; i < secret_len(code); i++) {
        uint8_t c = secret_bytes(code)[i];

        assert_int_equal(c == '-', i % 5 == 4);
        typed[len++] = as_typed(c, i);
    }
    typed[len++] = '\r';
    check_ok(slot_recovery_parse(span_of(typed, len), &again));
    assert_true(secret_equal(bytes, again));
}

static void
test_slips_in_the_code_are_named(void **state)
{
    AG_AUTO(secret) struct secret *code = NULL;
    struct secret *none = NULL;
    uint8_t *p;
    uint8_t kept;

    (void)state;
    check_ok(slot_recovery_new(&code));
    p = secret_bytes(code);
    check_err(slot_recovery_parse(span_of(p, 38), &none), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "32 letters and digits"));
    check_err(slot_recovery_parse(span_of(NULL, 0), &none), AG_EINVAL);
    kept = p[0];
    p[0] = 'U';
    check_err(slot_recovery_parse(secret_view(code), &none), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "no letter U"));
    p[0] = 0xff;
    check_err(slot_recovery_parse(secret_view(code), &none), AG_EINVAL);
    p[0] = kept == 'A' ? 'B' : 'A';
    check_err(slot_recovery_parse(secret_view(code), &none), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "checksum"));
    assert_null(none);
}

int
main(void)
{
#define SLOT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SLOT_TEST(test_a_passphrase),
        SLOT_TEST(test_a_key_file),
        SLOT_TEST(test_a_recovery_code),
        SLOT_TEST(test_a_slot_opens_only_in_its_vault_and_place),
        SLOT_TEST(test_every_bit_counts),
        SLOT_TEST(test_an_impossible_cost_is_refused),
        SLOT_TEST(test_slot_make_checks_its_input),
        SLOT_TEST(test_memory_that_is_not_there),
        cmocka_unit_test(test_the_code_as_people_type_it),
        cmocka_unit_test(test_slips_in_the_code_are_named),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
