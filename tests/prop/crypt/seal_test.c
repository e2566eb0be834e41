/* Random blobs moved, mixed and damaged: only the right one opens; a chain
 * with a changed, dropped or swapped link does not end the same. */
#include "base/buf.h"
#include "common/arena.h"
#include "common/prop.h"
#include "crypt/chain.h"
#include "crypt/kdf.h"
#include "crypt/seal.h"

enum {
    BLOB_COUNT = 8,
    LINK_COUNT = 12,
    PLAIN_MAX_BYTES = 300,
};

static const char *const WORDS[] = {"a", "b", "ab", "", "secret", "version"};

struct sealed {
    struct seal_at at;
    uint8_t vault_id[SEAL_VAULT_ID_BYTES];
    struct buf blob;
    uint8_t plain[PLAIN_MAX_BYTES];
    size_t len;
};

static struct sealed all[BLOB_COUNT];

static bool
same_place(const struct sealed *a, const struct sealed *b)
{
    return memcmp(a->vault_id, b->vault_id, sizeof(a->vault_id)) == 0 &&
           strcmp(a->at.table, b->at.table) == 0 &&
           strcmp(a->at.column, b->at.column) == 0 && a->at.row == b->at.row &&
           a->at.version == b->at.version;
}

static void
make(const struct secret *key, struct sealed *s)
{
    s->vault_id[0] = (uint8_t)prop_below(2);
    s->at = (struct seal_at){.vault_id = s->vault_id,
                             .table = WORDS[prop_below(AG_COUNT(WORDS))],
                             .column = WORDS[prop_below(AG_COUNT(WORDS))],
                             .row = (int64_t)prop_below(2),
                             .version = (int64_t)prop_below(2)};
    s->len = prop_below(PLAIN_MAX_BYTES);
    prop_bytes(s->plain, s->len);
    buf_init(&s->blob, 1000, BUF_PLAIN);
    check_ok(seal_make(key, &s->at, span_of(s->plain, s->len), &s->blob));
}

static void
test_blobs(void **state)
{
    AG_AUTO(secret) struct secret *key = NULL;
    uint64_t runs = prop_begin(500);

    (void)state;
    check_ok(kdf_root_new(&key));
    for (uint64_t i = 0; i < runs; i++) {
        for (size_t k = 0; k < BLOB_COUNT; k++) {
            make(key, &all[k]);
        }
        for (size_t k = 0; k < (size_t)BLOB_COUNT * BLOB_COUNT; k++) {
            const struct sealed *from = &all[k / BLOB_COUNT];
            const struct sealed *to = &all[k % BLOB_COUNT];
            AG_AUTO(secret) struct secret *plain = NULL;
            enum ag_err err =
                seal_open(key, &to->at, buf_view(&from->blob), &plain);

            assert_int_equal(err, same_place(from, to) ? AG_OK : AG_ECORRUPT);
            if (err == AG_OK) {
                assert_true(
                    secret_equal_span(plain, span_of(from->plain, from->len)));
            }
        }
        for (size_t k = 0; k < BLOB_COUNT; k++) {
            struct secret *none = NULL;
            struct buf *blob = &all[k].blob;

            blob->ptr[prop_below(blob->len)] ^= (uint8_t)(1 << prop_below(8));
            check_err(seal_open(key, &all[k].at, buf_view(blob), &none),
                      AG_ECORRUPT);
            buf_done(blob);
        }
    }
}

struct links {
    uint8_t bytes[LINK_COUNT][16];
    size_t lens[LINK_COUNT];
    size_t count;
};

static void
run_chain(const struct secret *key, const struct links *links,
          uint8_t out[CHAIN_BYTES])
{
    static const uint8_t VAULT[16];

    chain_start(key, "audit", VAULT, out);
    for (size_t i = 0; i < links->count; i++) {
        struct span parts[] = {span_of(&i, sizeof(i)),
                               span_of(links->bytes[i], links->lens[i])};

        chain_step(key, out, parts, AG_COUNT(parts), out);
    }
}

static void
test_chains(void **state)
{
    AG_AUTO(secret) struct secret *key = NULL;
    uint64_t runs = prop_begin(2000);

    (void)state;
    check_ok(kdf_root_new(&key));
    for (uint64_t i = 0; i < runs; i++) {
        struct links links = {.count = 1 + prop_below(LINK_COUNT)};
        struct links changed;
        uint8_t a[CHAIN_BYTES];
        uint8_t b[CHAIN_BYTES];
        size_t at = prop_below(links.count);
        size_t last = links.count - 1;

        prop_bytes(links.bytes, sizeof(links.bytes));
        for (size_t k = 0; k < links.count; k++) {
            links.lens[k] = 1 + prop_below(16);
        }
        changed = links;
        switch (prop_below(4)) {
        case 0:
            changed.bytes[at][0] ^= 1;
            break;
        case 1:
            changed.lens[at]--;
            break;
        case 2:
            changed.count--;
            break;
        default:
            memcpy(changed.bytes[at], links.bytes[last], 16);
            memcpy(changed.bytes[last], links.bytes[at], 16);
            changed.bytes[at][0] ^= at == last ? 1 : 0;
            break;
        }
        run_chain(key, &links, a);
        run_chain(key, &changed, b);
        if (memcmp(links.bytes[at], links.bytes[last], 1) != 0 || at == last) {
            assert_false(chain_equal(a, b));
        }
        run_chain(key, &links, b);
        assert_true(chain_equal(a, b));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_chains),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
