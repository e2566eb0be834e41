/* Each allocation of writing and reading a receipt fails in turn: there is no
 * receipt then, and nothing is left. */
// WRAP: malloc calloc realloc
// LINKS: crypt
#include "common/fault.h"
#include "common/receipts.h"
#include "wire/json.h"

FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(void *, realloc, (void *ptr, size_t len), (ptr, len), NULL)

static void
test_reading(void **state)
{
    static struct receipt got;
    struct receipt *r = receipt_sample("in", "out");
    AG_AUTO(buf) struct buf line = {0};
    unsigned n;

    (void)state;
    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    receipt_line(r, 1, &line);
    for (n = 1;; n++) {
        enum ag_err err;

        fault_arm(n);
        err = receipt_get(buf_view(&line), sign_check, &got);
        if (!fault_done()) {
            check_ok(err);
            break;
        }
        /* Without memory jansson's unpacking only says that it failed; of a
         * table that stays small it says nothing, and the receipt is whole. */
        if (err == AG_OK) {
            assert_memory_equal(&got, r, sizeof(got));
        } else if (err != AG_ENOMEM && err != AG_ERECEIPT) {
            fail_msg("allocation %u: %s", n, err_code(err));
        }
    }
    assert_true(n > 15);
}

static void
test_writing(void **state)
{
    uint8_t pair[crypto_sign_SECRETKEYBYTES];
    uint8_t seed[crypto_sign_SEEDBYTES] = {1};
    struct receipt *r = receipt_sample("in", "out");
    unsigned n;

    (void)state;
    (void)crypto_sign_seed_keypair(r->key, pair, seed);
    for (n = 1;; n++) {
        AG_AUTO(buf) struct buf line = {0};
        uint8_t hash[RECEIPT_HASH_BYTES];
        enum ag_err err;

        buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
        fault_arm(n);
        err = receipt_hash(r, hash);
        if (err == AG_OK) {
            err = receipt_put(r, receipt_sign_test, pair, &line);
        }
        if (!fault_done()) {
            check_ok(err);
            break;
        }
        check_err(err, AG_ENOMEM);
    }
    assert_true(n > 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_writing),
    };

    wjson_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
