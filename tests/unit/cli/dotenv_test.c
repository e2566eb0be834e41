#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run/dotenv.h"

static char seen[4096];

static enum ag_err
note(void *arg, struct span name, struct span value)
{
    size_t len = strlen(seen);

    (void)arg;
    snprintf(seen + len, sizeof(seen) - len, "%.*s=<%.*s>;", (int)name.len,
             (const char *)name.ptr, (int)value.len, (const char *)value.ptr);
    return AG_OK;
}

static enum ag_err
parse(const char *text)
{
    seen[0] = '\0';
    return dotenv_parse(span_str(text), note, NULL);
}

static void
test_usual_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("# comment\n\nA=1\nexport B=two words  # why\n"
                           "  C = 'it''s'\n"),
                     AG_EINVAL); /* something after the quote */
    assert_int_equal(parse("# comment\n\nA=1\nexport B=two words  # why\r\n"
                           "  C = 'literal \\n $X # no'\nD=\nE=a#b\n"
                           "F=ag://x#/y"),
                     AG_OK);
    assert_string_equal(seen, "A=<1>;B=<two words>;C=<literal \\n $X # no>;"
                              "D=<>;E=<a#b>;F=<ag://x#/y>;");
}

static void
test_double_quotes_unescape(void **state)
{
    (void)state;
    assert_int_equal(parse("A=\"a\\nb\\t\\\"q\\\" \\$HOME \\x\" # c\n"), AG_OK);
    assert_string_equal(seen, "A=<a\nb\t\"q\" $HOME \\x>;");
}

static void
test_values_may_span_lines(void **state)
{
    (void)state;
    assert_int_equal(parse("K='-----BEGIN\nabc\n-----END'\nL=\"x\ny\"\nM=1"),
                     AG_OK);
    assert_string_equal(seen, "K=<-----BEGIN\nabc\n-----END>;L=<x\ny>;M=<1>;");
}

static void
test_a_word_named_export(void **state)
{
    (void)state;
    assert_int_equal(parse("export=1\nexport X=2\n"), AG_OK);
    assert_string_equal(seen, "export=<1>;X=<2>;");
}

static void
test_mistakes_have_their_line(void **state)
{
    (void)state;
    assert_int_equal(parse("A=1\nnonsense\n"), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "line 2"));
    assert_int_equal(parse("\n\nA='open\n\n"), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "line 3"));
    assert_int_equal(parse("1A=x\n"), AG_EINVAL);
    assert_int_equal(parse("A B=x\n"), AG_EINVAL);
    assert_int_equal(parse("A='x' y\n"), AG_EINVAL);
    assert_int_equal(dotenv_parse(span_of("A=a\0b", 5), note, NULL), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_forms),
        cmocka_unit_test(test_double_quotes_unescape),
        cmocka_unit_test(test_values_may_span_lines),
        cmocka_unit_test(test_a_word_named_export),
        cmocka_unit_test(test_mistakes_have_their_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
