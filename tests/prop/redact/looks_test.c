/* What fragments and views find, on random texts: see looks.h. */
// CPU: plain
#include "common/prop.h"
#include "prop/redact/looks.h"

enum {
    RUNS_DEFAULT = 300,
    DATA_MAX_BYTES = 600,
    /* Of a text that is looked at in several slices. */
    LONG_RUNS_SHARE = 50,
    LONG_TEXT_BYTES = 80 * 1024,
    LONG_FILLER_BYTES = 300,
    LONG_CUTS = 251, /* of any length up to that */
};

static void
test_neither_cuts_nor_short_cuts_make_a_difference(void **state)
{
    size_t runs = prop_begin(RUNS_DEFAULT);

    (void)state;
    while (runs-- > 0) {
        uint8_t data[DATA_MAX_BYTES];
        size_t len = prop_below(sizeof(data));

        for (size_t i = 0; i < len; i++) {
            data[i] = (uint8_t)prop_below(256);
        }
        looks_check(data, len);
    }
}

/* Pieces as above, and plain text between them. */
static struct bytes
long_text(void)
{
    static const char WORDS[] = "a line of words, of 12 bytes or so each\n";
    struct bytes text = {NULL, 0, 0};

    while (text.len < LONG_TEXT_BYTES) {
        uint8_t data[DATA_MAX_BYTES];
        struct looks_input in = {data, prop_below(sizeof(data))};
        struct bytes piece;

        for (size_t i = 0; i < in.len; i++) {
            data[i] = (uint8_t)prop_below(256);
        }
        piece = looks_text(&in);
        bytes_add(&text, piece.ptr, piece.len);
        bytes_done(&piece);
        for (size_t i = prop_below(LONG_FILLER_BYTES); i > 0; i--) {
            bytes_add(&text, &WORDS[i % (sizeof(WORDS) - 1)], 1);
        }
    }
    return text;
}

static void
test_nor_do_slices(void **state)
{
    size_t runs = prop_begin(RUNS_DEFAULT) / LONG_RUNS_SHARE + 1;
    struct matcher *set = looks_set(false);

    (void)state;
    while (runs-- > 0) {
        struct bytes text = long_text();
        struct bytes want = looks_run(set, text, LONG_CUTS);

        looks_same(&text, want, looks_run(set, text, 0), "in one part");
        bytes_done(&want);
        bytes_done(&text);
    }
    matcher_unref(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neither_cuts_nor_short_cuts_make_a_difference),
        cmocka_unit_test(test_nor_do_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
