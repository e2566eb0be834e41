/* Random new, free, shrink and refill against plain copies. */
#include "base/secret.h"
#include "common/prop.h"

enum {
    ARENA_BYTES = 256 * 1024,
    LIVE_MAX_COUNT = 400,
    PLAIN_MAX_BYTES = 20000,
};

struct pair {
    struct secret *s;
    uint8_t *copy;
    size_t len;
};

static struct pair live[LIVE_MAX_COUNT];

static size_t
random_len(void)
{
    /* mostly keys and tokens, now and then a file */
    return prop_below(10) > 0 ? prop_below(200) : prop_below(PLAIN_MAX_BYTES);
}

static void
check_pair(const struct pair *p)
{
    assert_int_equal(secret_len(p->s), p->len);
    assert_memory_equal(secret_view(p->s).ptr, p->copy, p->len);
}

static void
refill(struct pair *p)
{
    prop_bytes(secret_bytes(p->s), p->len);
    memcpy(p->copy, secret_bytes(p->s), p->len);
}

/* A full arena is an answer, too; it must then be really near full. */
static void
make(struct pair *p)
{
    enum ag_err err;

    p->len = random_len();
    err = secret_new(p->len, &p->s);
    if (err != AG_OK) {
        assert_int_equal(err, AG_EMEMLOCK);
        assert_true(secret_arena_used_bytes() > ARENA_BYTES / 4);
        p->s = NULL;
        return;
    }
    for (size_t i = 0; i < p->len; i++) {
        assert_int_equal(secret_bytes(p->s)[i], 0);
    }
    p->copy = malloc(p->len + 1);
    assert_non_null(p->copy);
    refill(p);
}

static void
drop(struct pair *p)
{
    check_pair(p);
    secret_free(p->s);
    free(p->copy);
    *p = (struct pair){0};
}

static void
step(void)
{
    struct pair *p = &live[prop_below(LIVE_MAX_COUNT)];

    if (p->s == NULL) {
        make(p);
        return;
    }
    check_pair(p);
    switch (prop_below(4)) {
    case 0:
        p->len = prop_below(p->len + 1);
        secret_shrink(p->s, p->len);
        break;
    case 1:
        refill(p);
        break;
    default:
        drop(p);
        break;
    }
}

static void
test_secrets_keep_their_bytes(void **state)
{
    uint64_t runs = prop_begin(20000);

    (void)state;
    check_ok(secret_arena_open(ARENA_BYTES));
    for (uint64_t i = 0; i < runs; i++) {
        step();
    }
    for (size_t i = 0; i < LIVE_MAX_COUNT; i++) {
        if (live[i].s != NULL) {
            drop(&live[i]);
        }
    }
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_keep_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
