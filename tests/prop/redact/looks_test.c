/* What fragments and views find, on random texts: see looks.h. */
#include "common/prop.h"
#include "prop/redact/looks.h"

enum {
    RUNS_DEFAULT = 300,
    DATA_MAX_BYTES = 600,
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neither_cuts_nor_short_cuts_make_a_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
