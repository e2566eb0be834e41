/* The chain's steps and the sealed head. */
#include "common/arena.h"
#include "crypt/chain.h"
#include "crypt/kdf.h"

static const uint8_t VAULT[16] = "vault of a test";
static const uint8_t OTHER_VAULT[16] = "another vault..";

static struct {
    struct secret *key;
    struct secret *other;
    uint8_t file[CHAIN_HEAD_FILE_BYTES];
} t;

static int
set_up(void **state)
{
    (void)state;
    check_ok(kdf_root_new(&t.key));
    check_ok(kdf_root_new(&t.other));
    memset(t.file, 0, sizeof(t.file));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(t.key);
    secret_free(t.other);
    return 0;
}

static void
test_starts_differ(void **state)
{
    uint8_t a[CHAIN_BYTES];
    uint8_t b[CHAIN_BYTES];

    (void)state;
    chain_start(t.key, "audit", VAULT, a);
    chain_start(t.key, "audit", VAULT, b);
    assert_true(chain_equal(a, b));
    chain_start(t.key, "uses", VAULT, b);
    assert_false(chain_equal(a, b));
    chain_start(t.key, "audit", OTHER_VAULT, b);
    assert_false(chain_equal(a, b));
    chain_start(t.other, "audit", VAULT, b);
    assert_false(chain_equal(a, b));
}

/* The same bytes cut into other parts are another link. */
static void
test_a_step_depends_on_every_part(void **state)
{
    const struct span cuts[][3] = {
        {span_str("ab"), span_str("c"), span_str("")},
        {span_str("a"), span_str("bc"), span_str("")},
        {span_str("abc"), span_str(""), span_str("")},
        {span_str(""), span_str("ab"), span_str("c")},
        {span_str("ab"), span_str("d"), span_str("")},
    };
    uint8_t links[AG_COUNT(cuts) + 2][CHAIN_BYTES];
    uint8_t start[CHAIN_BYTES];
    size_t count = AG_COUNT(cuts);

    (void)state;
    chain_start(t.key, "audit", VAULT, start);
    for (size_t i = 0; i < AG_COUNT(cuts); i++) {
        chain_step(t.key, start, cuts[i], 3, links[i]);
    }
    chain_step(t.key, start, cuts[2], 1, links[count++]);
    chain_step(t.key, links[0], cuts[0], 3, links[count++]);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_false(chain_equal(links[i], links[k]));
        }
    }
    chain_step(t.key, start, cuts[0], 3, start); /* in place */
    assert_true(chain_equal(start, links[0]));
}

static struct chain_head
head_of(uint64_t seq)
{
    struct chain_head head = {.seq = seq, .wall_ms = -5};

    memset(head.chain, (int)(seq & 0xff), sizeof(head.chain));
    return head;
}

static void
write_head(unsigned slot, uint64_t seq)
{
    struct chain_head head = head_of(seq);

    check_ok(chain_head_make(t.key, VAULT, slot, &head,
                             t.file + (size_t)slot * CHAIN_HEAD_SLOT_BYTES));
}

static void
check_head(uint64_t seq, unsigned slot)
{
    struct chain_head want = head_of(seq);
    struct chain_head got;
    unsigned got_slot = 99;

    check_ok(chain_head_pick(t.key, VAULT, span_of(t.file, sizeof(t.file)),
                             &got, &got_slot));
    assert_int_equal(got.seq, seq);
    assert_int_equal(got.wall_ms, -5);
    assert_true(chain_equal(got.chain, want.chain));
    assert_int_equal(got_slot, slot);
}

static void
test_the_newest_head_counts(void **state)
{
    (void)state;
    write_head(0, 0); /* an empty record has a head too */
    check_head(0, 0);
    write_head(1, 1);
    check_head(1, 1);
    write_head(0, 2);
    check_head(2, 0);
    write_head(1, UINT64_MAX);
    check_head(UINT64_MAX, 1);
}

/* A torn write leaves the other slot; any byte of it may be wrong. */
static void
test_a_torn_slot_leaves_the_other(void **state)
{
    (void)state;
    write_head(0, 4);
    write_head(1, 5);
    for (size_t i = 0; i < 8 + 8 + 32 + 41; i++) {
        t.file[CHAIN_HEAD_SLOT_BYTES + i] ^= 0x80;
        check_head(4, 0);
        t.file[CHAIN_HEAD_SLOT_BYTES + i] ^= 0x80;
    }
    check_head(5, 1);
}

static void
test_no_valid_head_is_an_error(void **state)
{
    struct chain_head head = head_of(1);
    struct chain_head got = {.seq = 77};
    uint8_t slot[CHAIN_HEAD_SLOT_BYTES];
    unsigned got_slot = 99;

    (void)state;
    check_err(chain_head_pick(t.key, VAULT, span_of(t.file, sizeof(t.file)),
                              &got, &got_slot),
              AG_ECORRUPT);
    check_err(chain_head_pick(t.key, VAULT, span_of(NULL, 0), &got, &got_slot),
              AG_ECORRUPT);
    write_head(0, 4);
    check_err(
        chain_head_pick(t.key, VAULT, span_of(t.file, 50), &got, &got_slot),
        AG_ECORRUPT);
    check_err(chain_head_pick(t.other, VAULT, span_of(t.file, sizeof(t.file)),
                              &got, &got_slot),
              AG_ECORRUPT);
    check_err(chain_head_pick(t.key, OTHER_VAULT,
                              span_of(t.file, sizeof(t.file)), &got, &got_slot),
              AG_ECORRUPT);
    /* a slot copied over the other one is not taken there */
    memcpy(t.file + CHAIN_HEAD_SLOT_BYTES, t.file, CHAIN_HEAD_SLOT_BYTES);
    memset(t.file, 0, CHAIN_HEAD_SLOT_BYTES);
    check_err(chain_head_pick(t.key, VAULT, span_of(t.file, sizeof(t.file)),
                              &got, &got_slot),
              AG_ECORRUPT);
    assert_int_equal(got.seq, 77);
    assert_int_equal(got_slot, 99);
    check_err(chain_head_make(t.key, VAULT, CHAIN_HEAD_COUNT, &head, slot),
              AG_EINVAL);
}

int
main(void)
{
#define HEAD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        HEAD_TEST(test_starts_differ),
        HEAD_TEST(test_a_step_depends_on_every_part),
        HEAD_TEST(test_the_newest_head_counts),
        HEAD_TEST(test_a_torn_slot_leaves_the_other),
        HEAD_TEST(test_no_valid_head_is_an_error),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
