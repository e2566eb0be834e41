// WRAP: malloc calloc realloc secret_new
/* Every operation of the room with the n-th allocation failing: a clean error,
 * nothing leaked, inputs and outputs as before; then it works. */
#include "base/buf.h"
#include "base/secret.h"
#include "common/fault.h"
#include "crypt/box.h"
#include "crypt/chain.h"
#include "crypt/keyring.h"
#include "crypt/slot.h"
#include "crypt/token.h"

FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t len), (n, len), NULL)
FAULT_WRAPPER(void *, realloc, (void *old, size_t len), (old, len), NULL)
FAULT_WRAPPER(enum ag_err, secret_new, (size_t len, struct secret **ret),
              (len, ret), AG_EMEMLOCK)

static const uint8_t VAULT[16] = "vault of a test";

static const struct seal_at ROW = {.vault_id = VAULT,
                                   .table = "version",
                                   .column = "key",
                                   .row = 7,
                                   .version = 3};

static struct {
    struct secret *root;
    struct secret *code;
    struct secret *pass;
    struct keyring *kr;
    struct keyring *locked;
    struct buf blob;    /* sealed for ROW with the root key */
    struct buf wrapped; /* a data key */
    struct buf slot;    /* of the recovery code */
    struct buf box;
    struct buf out; /* emptied before each try */
    uint8_t public_key[BOX_PUBLIC_BYTES];
} t;

static enum ag_err
do_root(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return kdf_root_new(&s);
}

static enum ag_err
do_subkey(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return kdf_subkey(t.root, KDF_AUDIT, &s);
}

static enum ag_err
do_seal(void)
{
    return seal_make(t.root, &ROW, span_str("value"), &t.out);
}

static enum ag_err
do_open(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return seal_open(t.root, &ROW, buf_view(&t.blob), &s);
}

static enum ag_err
do_open_buf(void)
{
    return seal_open_buf(t.root, &ROW, buf_view(&t.blob), &t.out);
}

static enum ag_err
do_token(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return token_new(TOKEN_TASK, &s);
}

static enum ag_err
do_code(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return slot_recovery_new(&s);
}

static enum ag_err
do_slot_make(void)
{
    static const struct slot_cost QUICK = {.passes = 1, .memory_bytes = 8192};
    struct slot_at at = {VAULT, 7, SLOT_FACTOR_PASSPHRASE};

    return slot_make(&at, &QUICK, t.pass, t.root, &t.out);
}

static enum ag_err
do_slot_open(void)
{
    AG_AUTO(secret) struct secret *s = NULL;
    struct slot_at at = {VAULT, 7, SLOT_FACTOR_RECOVERY};

    return slot_open(&at, buf_view(&t.slot), t.code, &s);
}

static enum ag_err
do_ring(void)
{
    AG_AUTO(keyring) struct keyring *kr = NULL;

    return keyring_new(VAULT, &kr);
}

static enum ag_err
do_ring_open(void)
{
    enum ag_err err = keyring_open(t.locked, t.root);

    assert_int_equal(keyring_state(t.locked),
                     err == AG_OK ? KEYRING_OPEN : KEYRING_LOCKED);
    keyring_lock(t.locked);
    return err;
}

static enum ag_err
do_data_new(void)
{
    AG_AUTO(secret) struct secret *s = NULL;

    return keyring_data_new(t.kr, &ROW, &t.out, &s);
}

static enum ag_err
do_rewrap(void)
{
    return keyring_data_rewrap(t.kr, t.kr, &ROW, buf_view(&t.wrapped), &t.out);
}

static enum ag_err
do_head(void)
{
    static const struct chain_head HEAD = {.seq = 1};
    uint8_t file[CHAIN_HEAD_FILE_BYTES] = {0};
    struct chain_head got;
    unsigned slot;
    enum ag_err err = chain_head_make(t.root, VAULT, 0, &HEAD, file);

    return err != AG_OK
               ? err
               : chain_head_pick(t.root, VAULT, span_of(file, sizeof(file)),
                                 &got, &slot);
}

static enum ag_err
do_box_seal(void)
{
    return box_seal(t.public_key, span_str("value"), &t.out);
}

static enum ag_err
do_box_open(void)
{
    AG_AUTO(secret) struct secret *s = NULL;
    uint8_t public_key[BOX_PUBLIC_BYTES];
    enum ag_err err = box_public(t.root, public_key);

    return err != AG_OK ? err : box_open(t.root, buf_view(&t.box), &s);
}

static void
test_each_allocation_fails(void **state)
{
    static enum ag_err (*const OPERATIONS[])(void) = {
        do_root,      do_subkey, do_seal,      do_open,
        do_open_buf,  do_token,  do_code,      do_slot_make,
        do_slot_open, do_ring,   do_ring_open, do_data_new,
        do_rewrap,    do_head,   do_box_seal,  do_box_open};

    size_t used = secret_arena_used_bytes();

    (void)state;
    for (size_t i = 0; i < 2 * AG_COUNT(OPERATIONS); i++) {
        for (unsigned n = 1;; n++) {
            enum ag_err err;
            bool fired;

            buf_done(&t.out);
            fault_arm(n);
            fault.all_later = i >= AG_COUNT(OPERATIONS);
            err = OPERATIONS[i % AG_COUNT(OPERATIONS)]();
            fired = fault_done();
            assert_int_equal(secret_arena_used_bytes(), used);
            if (!fired) {
                check_ok(err);
                assert_true(n > 1); /* the wrappers are in place */
                break;
            }
            assert_true(err == AG_ENOMEM || err == AG_EMEMLOCK);
            assert_int_equal(t.out.len, 0);
        }
    }
}

static int
set_up(void **state)
{
    struct slot_at at = {VAULT, 7, SLOT_FACTOR_RECOVERY};
    AG_AUTO(secret) struct secret *key = NULL;

    (void)state;
    check_ok(secret_arena_open((size_t)256 * 1024));
    check_ok(kdf_root_new(&t.root));
    check_ok(secret_from(span_str("passphrase"), &t.pass));
    check_ok(slot_recovery_new(&t.code));
    check_ok(keyring_new(VAULT, &t.kr));
    check_ok(keyring_open(t.kr, t.root));
    check_ok(keyring_new(VAULT, &t.locked));
    buf_init(&t.blob, 4096, BUF_PLAIN);
    buf_init(&t.wrapped, 4096, BUF_PLAIN);
    buf_init(&t.slot, 4096, BUF_PLAIN);
    buf_init(&t.box, 4096, BUF_PLAIN);
    buf_init(&t.out, 4096, BUF_WIPE);
    check_ok(seal_make(t.root, &ROW, span_str("value"), &t.blob));
    check_ok(keyring_data_new(t.kr, &ROW, &t.wrapped, &key));
    check_ok(slot_make(&at, NULL, t.code, t.root, &t.slot));
    check_ok(box_public(t.root, t.public_key));
    check_ok(box_seal(t.public_key, span_str("value"), &t.box));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.root);
    secret_free(t.pass);
    secret_free(t.code);
    keyring_free(t.kr);
    keyring_free(t.locked);
    buf_done(&t.blob);
    buf_done(&t.wrapped);
    buf_done(&t.slot);
    buf_done(&t.box);
    buf_done(&t.out);
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
