/* Where a marked block may be: the same on every machine, and none is missed. */
// CPU: plain
#include <sys/mman.h>

#include <unistd.h>

#include "common/check.h"
#include "redact/marks.h"

enum {
    BITMAP_LOG2 = 14,
    BITMAP_BYTES = (1 << BITMAP_LOG2) / 8,
    TEXT_BYTES = 200,
    STRIDES_COUNT = 20,
};

static const uint32_t BLOCKS[] = {4, 5, 6, 8};

typedef size_t (*next_fn)(const struct marks *m, const uint8_t *text, size_t at,
                          size_t end);

static uint64_t
hash_at(const struct marks *m, const uint8_t *at)
{
    return set_hash(set_load_short(at, m->block_bytes), m->block_bytes);
}

/* The block at text[marked] is the only one; each byte differs. */
static void
check_one(const struct marks *m, next_fn next, const uint8_t *text,
          size_t marked)
{
    const size_t end = TEXT_BYTES - WORD_BYTES + 1;

    for (size_t first = 0; first < m->stride; first++) {
        size_t at = next(m, text, first, end);

        if (marked < end && marked % m->stride == first) {
            assert_int_equal(at, marked);
            at = next(m, text, at + m->stride, end);
        }
        assert_true(at >= end && at % m->stride == first);
    }
}

static void
check_all(struct marks m, uint8_t *bitmap, const uint8_t *text)
{
    for (size_t marked = 0; marked + WORD_BYTES <= TEXT_BYTES; marked++) {
        uint64_t hash = hash_at(&m, text + marked);

        memset(bitmap, 0, BITMAP_BYTES);
        (m.is_single ? marks_put_single : marks_put)(bitmap, hash, m.shift);
        check_one(&m, marks_next, text, marked);
        check_one(&m, marks_next_anywhere, text, marked);
    }
}

/* At a page's end, behind which no memory is. */
static void
test_each_place_by_each_way(void **state)
{
    static uint8_t bitmap[BITMAP_BYTES];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *text;

    (void)state;
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    text = pages + page - TEXT_BYTES;
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < AG_COUNT(BLOCKS) * STRIDES_COUNT; i++) {
        struct marks m = {.bitmap = bitmap,
                          .stride = 1 + i % STRIDES_COUNT,
                          .shift = 64 - BITMAP_LOG2,
                          .block_bytes = BLOCKS[i / STRIDES_COUNT]};

        check_all(m, bitmap, text);
        m.is_single = true;
        check_all(m, bitmap, text);
    }
    (void)munmap(pages, 2 * page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_place_by_each_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
