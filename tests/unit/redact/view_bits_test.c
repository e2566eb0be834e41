/* Which bytes the views look at: all they need, the same on every machine. */
// CPU: plain
#include <string.h>

#include "common/check.h"
#include "redact/view_impl.h"

enum {
    BLOCKS_COUNT = 4,
    TEXT_BYTES = BLOCKS_COUNT * VIEW_BLOCK_BYTES,
};

static const char BLANKS[] = " \t\n\r,-:xX";
static const char ESCAPES[] = "\\&\a\b\n\r\x1b\xc2\xe2\xef";

static bool
has(const char *set, uint8_t c)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool
is_set(uint64_t bits, size_t i)
{
    return (bits >> i & 1) != 0;
}

/* One byte of a block: what must be told of it, and what must not. */
static void
check_byte(const struct view_bits *bits, const uint8_t *text, size_t i)
{
    uint8_t c = text[i];
    int next = i + 1 < VIEW_BLOCK_BYTES ? text[i + 1] : -1;

    assert_int_equal(is_set(bits->digits, i), view_is_hex(c));
    if (view_is_hex(c) || has(BLANKS, c)) {
        assert_true(is_set(bits->dump, i));
    }
    if (c > ' ' && c < 0x80 && !view_is_hex(c) && !has(BLANKS, c)) {
        assert_false(is_set(bits->dump, i));
    }
    if (c == 0 || has(ESCAPES, c)) {
        assert_true(is_set(bits->marks, i));
    }
    if (c == '%' || c == '=') {
        bool is_wanted =
            next < 0 || view_is_hex(next) || next == '\n' || next == '\r';

        assert_true(is_set(bits->marks, i) || !is_wanted);
        assert_false(is_set(bits->marks, i) && (next == ' ' || next == 'y'));
    } else if (c >= ' ' && c < 0x7f && !has(ESCAPES, c)) {
        assert_false(is_set(bits->marks, i));
    }
}

static void
check_blocks(const uint8_t *text)
{
    struct view_bits here[BLOCKS_COUNT];
    struct view_bits anywhere[BLOCKS_COUNT];

    view_bits_of(text, BLOCKS_COUNT, here);
    view_bits_anywhere(text, BLOCKS_COUNT, anywhere);
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        size_t block = i / VIEW_BLOCK_BYTES;

        check_byte(&here[block], text + i - i % VIEW_BLOCK_BYTES,
                   i % VIEW_BLOCK_BYTES);
        check_byte(&anywhere[block], text + i - i % VIEW_BLOCK_BYTES,
                   i % VIEW_BLOCK_BYTES);
    }
}

static void
test_every_byte_at_every_place(void **state)
{
    uint8_t text[TEXT_BYTES];

    (void)state;
    for (size_t shift = 0; shift < TEXT_BYTES; shift++) {
        for (size_t i = 0; i < TEXT_BYTES; i++) {
            text[i] = (uint8_t)(i + shift);
        }
        check_blocks(text);
    }
}

static void
test_what_follows_a_sign(void **state)
{
    uint8_t text[TEXT_BYTES];

    (void)state;
    for (unsigned int next = 0; next < 256; next++) {
        for (size_t i = 0; i < TEXT_BYTES; i++) {
            text[i] = i % 4 == 0 ? '%' : '=';
            text[i] = i % 2 == 0 ? text[i] : (uint8_t)next;
        }
        check_blocks(text);
        memmove(text + 1, text, sizeof(text) - 1);
        check_blocks(text);
    }
}

/* Where a stretch that begins at `start` ends, or VIEW_BLOCK_BYTES. */
static size_t
end_of(const char *text, size_t start, size_t len)
{
    uint8_t blocks[2 * VIEW_BLOCK_BYTES];
    struct view_bits bits[2];
    uint64_t ends;

    memset(blocks, '.', sizeof(blocks));
    memcpy(blocks + start, text, len);
    view_bits_of(blocks, 2, bits);
    ends = view_ends_of_stretches(&bits[0], &bits[1]);
    if (ends != 0) {
        assert_true(view_eights(bits[0].dump) != 0 ||
                    view_eights(bits[1].dump) != 0);
    }
    return ends == 0 ? VIEW_BLOCK_BYTES : (size_t)__builtin_ctzll(ends);
}

static void
test_stretches_across_two_blocks(void **state)
{
    static const char DUMP[] = "7a 4f 12:34 00-ff 1";

    (void)state;
    assert_int_equal(sizeof(DUMP) - 1, VIEW_STRETCH_BYTES);
    for (size_t start = VIEW_BLOCK_BYTES - VIEW_STRETCH_BYTES + 1;
         start + VIEW_STRETCH_BYTES <= (size_t)2 * VIEW_BLOCK_BYTES; start++) {
        assert_int_equal(end_of(DUMP, start, VIEW_STRETCH_BYTES),
                         start + VIEW_STRETCH_BYTES - 1 - VIEW_BLOCK_BYTES);
        assert_int_equal(end_of(DUMP, start, VIEW_STRETCH_BYTES - 1),
                         VIEW_BLOCK_BYTES);
    }
    /* It begins with a number. */
    assert_int_equal(end_of("                   ", 70, VIEW_STRETCH_BYTES),
                     VIEW_BLOCK_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_what_follows_a_sign),
        cmocka_unit_test(test_stretches_across_two_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
