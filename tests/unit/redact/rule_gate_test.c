/* Gates against what their header says, as a regex of another engine. */
#include <regex.h>

#include "common/prop.h"
#include "redact/rule_gate.h"

enum {
    TEXT_BYTES = 80, /* longer than any gate looks */
    RUNS_DEFAULT = 20000,
};

#define BLANK " \t\n\v\f\r"

static const char *const SAYS[RULE_GATE_COUNT] = {
    [RULE_GATE_SIGN] = "^[A-Za-z0-9_.-]{0,36}[]\\\"')" BLANK "]{0,11}[:=?|<>,]",
    [RULE_GATE_TAG] = "^(.|\n){0,48}>",
    [RULE_GATE_QUOTE] = "^[^\"']{0,20}[\"'][" BLANK "]",
    [RULE_GATE_RUN] = "^(.|\n){0,20}[A-Za-z0-9_-]{24}",
    [RULE_GATE_VALUE] = "^(.|\n){0,26}[" BLANK "\"'=:>,(`][A-Za-z0-9_.+/-]{16}",
};

static regex_t compiled[RULE_GATE_COUNT];

static bool
is_open(enum rule_gate gate, const char *text)
{
    unsigned open = rule_gate_open(1U << gate, span_str(text));

    assert_true(open == 0 || open == 1U << gate);
    return open != 0;
}

/* ---- one by one ---- */

static const struct {
    enum rule_gate gate;
    bool is_open;
    const char *text;
} CASES[] = {
    {RULE_GATE_SIGN, true,
     "=x then something that is long enough to be told "
     "from an end of the text, which opens"},
    {RULE_GATE_SIGN, true, "_of.the-service\"] : x"},
    {RULE_GATE_SIGN, false, " is what it says in prose, where : comes later"},
    {RULE_GATE_SIGN, false, "(x) = 1"},
    {RULE_GATE_SIGN, true, "abcdefghijklmnopqrstuvwxyz0123456789=1"},
    {RULE_GATE_SIGN, false, "abcdefghijklmnopqrstuvwxyz0123456789a=1"},
    {RULE_GATE_SIGN, true, "           |"},
    {RULE_GATE_SIGN, false, "            |"},
    {RULE_GATE_SIGN, true, ""},
    {RULE_GATE_SIGN, true, "_of  "},
    {RULE_GATE_SIGN, false, "_of  x"},
    {RULE_GATE_TAG, true, "s encoding=\"x\">"},
    {RULE_GATE_TAG, false, "s are what nobody writes in angle brackets, but 1"},
    {RULE_GATE_TAG, true, "s are what nobody writes in angle brackets, but "},
    {RULE_GATE_QUOTE, true, "\" value="},
    {RULE_GATE_QUOTE, false, "\"value="},
    {RULE_GATE_QUOTE, false, "s, twenty-one of them\" "},
    {RULE_GATE_QUOTE, true, "s, twenty of them, a' "},
    {RULE_GATE_QUOTE, false, "a'is' "},
    {RULE_GATE_RUN, true, " is 0123456789abcdef_-ABCDEF"},
    {RULE_GATE_RUN, false, " is 0123456789abcdef_-ABCDE."},
    {RULE_GATE_RUN, true, " is 0123456789"},
    {RULE_GATE_VALUE, true, "_id = \"0123456789abcdef\""},
    {RULE_GATE_VALUE, false,
     "_id = \"0123456789abcde\" and more than the text "
     "of which an end may be one that comes"},
    {RULE_GATE_VALUE, false,
     "0123456789abcdef and more than the text of which "
     "an end may be one that comes later"},
    {RULE_GATE_VALUE, true, " of the service: a/b+c.d_e-fghijk"},
    {RULE_GATE_NONE, false, ""},
};

static void
test_gates(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        if (is_open(CASES[i].gate, CASES[i].text) != CASES[i].is_open) {
            fail_msg("%s: %s", RULE_GATE_NAMES[CASES[i].gate], CASES[i].text);
        }
    }
}

static void
test_those_asked_for_are_told(void **state)
{
    const struct span text = span_str("=\" 0123456789abcdef0123456789abcdef>");
    unsigned all = (1U << RULE_GATE_COUNT) - 1;

    (void)state;
    assert_int_equal(rule_gate_open(0, text), 0);
    assert_int_equal(rule_gate_open(all, text), all - 1);
    assert_int_equal(rule_gate_open(all, span_of(NULL, 0)), all - 1);
}

/* ---- at random ---- */

static void
make_text(char *text)
{
    static const char MIXED[] =
        "aZ09_-.+/ \t\n\v\f\r\"'\\])(:=?|<>,`;x~\x7f\xe2";
    size_t at = 0;

    while (at < TEXT_BYTES) {
        size_t len = 1 + prop_below(prop_below(3) == 0 ? 40 : 3);
        size_t one = prop_below(sizeof(MIXED) - 1);
        bool same = prop_below(2) == 0;

        for (; len > 0 && at < TEXT_BYTES; len--) {
            text[at++] =
                MIXED[same                 ? one
                      : prop_below(4) == 0 ? prop_below(sizeof(MIXED) - 1)
                                           : prop_below(9)];
        }
    }
    text[at] = '\0';
}

static void
test_gates_are_what_they_say(void **state)
{
    uint64_t runs = prop_begin(RUNS_DEFAULT);
    size_t count[RULE_GATE_COUNT] = {0};

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        enum rule_gate gate =
            (enum rule_gate)(1 + prop_below(RULE_GATE_COUNT - 1));
        char text[TEXT_BYTES + 1];
        bool want;

        make_text(text);
        want = regexec(&compiled[gate], text, 0, NULL, 0) == 0;
        count[gate] += want ? 1 : 0;
        if (is_open(gate, text) != want) {
            fail_msg("%s: %s", RULE_GATE_NAMES[gate], text);
        }
        if (want) { /* and so of each beginning */
            text[prop_below(TEXT_BYTES)] = '\0';
            assert_true(is_open(gate, text));
        }
    }
    for (size_t gate = 1; gate < RULE_GATE_COUNT; gate++) {
        assert_true(count[gate] > 0 || runs < RUNS_DEFAULT);
    }
}

static int
compile(void **state)
{
    (void)state;
    for (size_t gate = 1; gate < RULE_GATE_COUNT; gate++) {
        assert_int_equal(
            regcomp(&compiled[gate], SAYS[gate], REG_EXTENDED | REG_NOSUB), 0);
    }
    return 0;
}

static int
release(void **state)
{
    (void)state;
    for (size_t gate = 1; gate < RULE_GATE_COUNT; gate++) {
        regfree(&compiled[gate]);
    }
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_those_asked_for_are_told),
        cmocka_unit_test(test_gates_are_what_they_say),
    };

    return cmocka_run_group_tests(tests, compile, release);
}
