/* Which values can be redacted at all. */
#include "redact/strength.h"
#include "unit/redact/rig.h"

static const struct {
    const char *value;
    enum strength want;
} CASES[] = {
    {"", STRENGTH_SHORT},
    {"abc", STRENGTH_SHORT},
    {" ab \n", STRENGTH_SHORT},
    {"{", STRENGTH_SHORT},
    {"x8z7", STRENGTH_TOKEN},
    {"hunter2", STRENGTH_TOKEN},
    {" k3pz9 \n", STRENGTH_TOKEN},
    {"test", STRENGTH_GUESSABLE},
    {"true", STRENGTH_GUESSABLE},
    {"TRUE", STRENGTH_GUESSABLE},
    {"8080", STRENGTH_GUESSABLE},
    {"2026", STRENGTH_GUESSABLE},
    {"aaaaaaaaaaaaaaaa", STRENGTH_GUESSABLE},
    {"abababababababab", STRENGTH_GUESSABLE},
    {"12345678", STRENGTH_GUESSABLE},
    {"abcdefghij", STRENGTH_GUESSABLE},
    {"password", STRENGTH_GUESSABLE},
    {"Password1!", STRENGTH_GUESSABLE},
    {"passw0rd", STRENGTH_GUESSABLE},
    {"localhost", STRENGTH_GUESSABLE},
    {"production", STRENGTH_GUESSABLE},
    {"x22du5x5", STRENGTH_FULL},
    {"axbe txiuhui tnriht dssf zgggwo", STRENGTH_FULL},
    {"aab-secret", STRENGTH_FULL},
    {"passwordless-entry-9", STRENGTH_FULL},
    {"ghp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk", STRENGTH_FULL},
    {"p\xc3\xa4ssw\xc3\xb6rd-42bvaqrp", STRENGTH_FULL},
};

static void
test_the_table(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(CASES); i++) {
        enum strength got = strength_of(span_str(CASES[i].value));

        if (got != CASES[i].want) {
            fail_msg("\"%s\" is %d, not %d", CASES[i].value, (int)got,
                     (int)CASES[i].want);
        }
    }
}

static void
test_what_is_not_redacted_is_warned_of(void **state)
{
    int strength;

    (void)state;
    assert_null(strength_warning(STRENGTH_FULL));
    for (strength = STRENGTH_FULL; strength <= STRENGTH_GUESSABLE; strength++) {
        enum strength s = (enum strength)strength;

        if (!strength_is_redacted(s)) {
            assert_non_null(strength_warning(s));
        }
    }
    assert_non_null(strength_warning(STRENGTH_TOKEN));
}

/* Of blanks around a value nothing is looked for, in one piece or in two. */
static void
test_blanks_around_a_value_are_left(void **state)
{
    struct span text = span_str("1 qalwXpzkXqy 2");

    (void)state;
    for (size_t cut = 0; cut < text.len; cut++) {
        struct rig rig;

        RIG(&rig, REDACTOR_OPERATOR, " qalwXpzkXqy \n");
        check_ok(redactor_feed(rig.redactor, span_sub(text, 0, cut)));
        check_ok(redactor_feed(rig.redactor, span_sub(text, cut, text.len)));
        finish(&rig, "1 [redacted:n1] 2");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_what_is_not_redacted_is_warned_of),
        cmocka_unit_test(test_blanks_around_a_value_are_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
