/* Strict parsing: what is taken, and everything near it that is not. */
#include "base/clock.h"
#include "base/parse.h"
#include "common/check.h"

static void
test_numbers(void **state)
{
    static const char *const BAD[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "01",
                                      "00",
                                      "1a",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "1.0"};
    uint64_t n = 7;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(parse_u64(span_str(BAD[i]), UINT64_MAX, &n), AG_EINVAL);
        assert_int_equal(n, 7);
    }
    check_ok(parse_u64(span_str("0"), 0, &n));
    assert_int_equal(n, 0);
    check_ok(parse_u64(span_str("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    check_err(parse_u64(span_str("11"), 10, &n), AG_EINVAL);
    check_err(parse_u64(span_of("1\0", 2), 10, &n), AG_EINVAL);
}

static void
test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {
        {"0", 0},        {"90", 90000},           {"90s", 90000},
        {"15m", 900000}, {"8h", 28800000},        {"7d", 604800000},
        {"500ms", 500},  {"3660d", 316224000000},
    };

    static const char *const BAD[] = {
        "",      "s",    "ms",    "1w",  "1 s", "1S",
        "-1s",   "1.5h", "3661d", "01s", "1ss", "99999999999999999999d",
        "1m30s", "1sm",  " 1s"};
    int64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(parse_duration_ms(span_str(GOOD[i].text), &ms));
        assert_int_equal(ms, GOOD[i].ms);
    }
    ms = 7;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(parse_duration_ms(span_str(BAD[i]), &ms), AG_EINVAL);
        assert_int_equal(ms, 7);
    }
    assert_non_null(strstr(err_text(AG_EINVAL), "15m"));
}

static void
test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T23:59:59.999Z", 951868799999},
        {"2026-01-01T00:00:00.000Z", 1767225600000},
        {"2026-01-01T02:00:00+02:00", 1767225600000},
        {"2025-12-31t19:30:00-04:30", 1767225600000},
        {"2026-01-01 00:00:00.1234567z", 1767225600123},
        {"9999-12-31T23:59:59Z", 253402300799000},
    };

    static const char *const BAD[] = {
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00+0200",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+02:60",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2026-1-01T00:00:00Z",
        "2026/01/01T00:00:00Z",
        "+026-01-01T00:00:00Z",
    };
    int64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(parse_time_ms(span_str(GOOD[i].text), &ms));
        assert_int_equal(ms, GOOD[i].ms);
    }
    ms = 7;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (parse_time_ms(span_str(BAD[i]), &ms) != AG_EINVAL) {
            fail_msg("%s was taken", BAD[i]);
        }
        assert_int_equal(ms, 7);
    }
}

static void
test_names(void **state)
{
    static const char *const GOOD[] = {"a", "codex/default", "a.b_c-9/..x", "0",
                                       "-", "a/b/c/d"};
    static const char *const BAD[] = {
        "",  "/",   "a/",  "/a", "a//b", ".",   "..",  "a/..",   "./a",
        "A", "a b", "a\n", "ä",  "a*",   "a/*", "a#b", "ag://a", "a%2fb"};
    char longest[NAME_MAX_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(parse_name(span_str(GOOD[i])));
        check_ok(parse_name_pattern(span_str(GOOD[i])));
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (parse_name(span_str(BAD[i])) != AG_EINVAL) {
            fail_msg("%s was taken", BAD[i]);
        }
    }
    check_err(parse_name(span_of("a\0b", 3)), AG_EINVAL);
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 64; i < sizeof(longest); i += 65) {
        longest[i] = '/';
    }
    check_ok(parse_name(span_of(longest, 255)));
    check_err(parse_name(span_of(longest, 256)), AG_EINVAL);
    memset(longest, 'a', sizeof(longest));
    check_ok(parse_name(span_of(longest, 64)));
    check_err(parse_name(span_of(longest, 65)), AG_EINVAL);
}

static void
test_patterns(void **state)
{
    static const char *const BAD[] = {"",      "/*", "a*",   "*/a",
                                      "a/*/b", "**", "a/**", "a/*x"};

    (void)state;
    check_ok(parse_name_pattern(span_str("*")));
    check_ok(parse_name_pattern(span_str("a/*")));
    check_ok(parse_name_pattern(span_str("a/b/*")));
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(parse_name_pattern(span_str(BAD[i])), AG_EINVAL);
    }
}

static void
test_variables(void **state)
{
    static const char *const BAD[] = {"", "1A", "A-B", "A B", "A=", "Ä", "A.B"};
    char longest[130];

    (void)state;
    check_ok(parse_env_name(span_str("OPENAI_API_KEY")));
    check_ok(parse_env_name(span_str("_a1")));
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(parse_env_name(span_str(BAD[i])), AG_EINVAL);
    }
    memset(longest, 'A', sizeof(longest));
    check_ok(parse_env_name(span_of(longest, 128)));
    check_err(parse_env_name(span_of(longest, 129)), AG_EINVAL);
}

static void
test_references(void **state)
{
    static const struct {
        const char *text;
        const char *name;
        const char *pointer;
    } GOOD[] = {
        {"ag://codex/default#/tokens/access_token", "codex/default",
         "/tokens/access_token"},
        {"codex/default", "codex/default", ""},
        {"ag://a", "a", ""},
        {"a#/", "a", "/"},
        {"a#/x~0y~1z/%41#", "a", "/x~0y~1z/%41#"},
        {"a#/\xc3\xa4", "a", "/\xc3\xa4"},
    };

    static const char *const BAD[] = {
        "",        "ag://",   "#/a",    "a#",       "a#b",   "a#/~",
        "a#/~2",   "a#/%",    "a#/%4",  "a#/%4x",   "a#/ b", "a#/\t",
        "a#/\x7f", "a#/\xff", "AG://a", "http://a", "ag:/a"};
    char longest[REFERENCE_MAX_BYTES + 2];
    struct reference ref;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(parse_reference(span_str(GOOD[i].text), &ref));
        check_span(ref.name, GOOD[i].name);
        check_span(ref.pointer, GOOD[i].pointer);
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (parse_reference(span_str(BAD[i]), &ref) != AG_EINVAL) {
            fail_msg("%s was taken", BAD[i]);
        }
    }
    memset(longest, 'a', sizeof(longest));
    longest[1] = '#';
    longest[2] = '/';
    check_ok(parse_reference(span_of(longest, REFERENCE_MAX_BYTES), &ref));
    check_err(parse_reference(span_of(longest, REFERENCE_MAX_BYTES + 1), &ref),
              AG_EINVAL);
}

static void
test_utf8(void **state)
{
    static const char *const GOOD[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const BAD[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x61",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe1\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xf1\x80\x80",
                                      "\xe1\x80\x61"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        assert_true(parse_is_utf8(span_str(GOOD[i])));
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        assert_false(parse_is_utf8(span_str(BAD[i])));
        assert_false(parse_is_text(span_str(BAD[i])));
    }
    assert_true(parse_is_utf8(span_of("\0", 1)));
    assert_false(parse_is_text(span_of("\0", 1)));
    assert_true(parse_is_text(span_str("a\tb\n\xc3\xa4")));
    assert_false(parse_is_text(span_str("a\r")));
    assert_false(parse_is_text(span_str("\x1b[0m")));
    assert_false(parse_is_text(span_str("\x7f")));
}

static void
test_the_clock_stands_still_for_tests(void **state)
{
    char text[CLOCK_TEXT_BYTES];
    int64_t before;

    (void)state;
    clock_fix_ms(1767225600000);
    assert_int_equal(clock_wall_ms(), 1767225600000);
    assert_int_equal(clock_steady_ms(), 1767225600000);
    clock_fix_ms(-1);
    assert_true(clock_wall_ms() > INT64_C(1767225600000));
    before = clock_steady_ms();
    assert_true(clock_steady_ms() >= before);
    clock_text(951868799999, text);
    assert_string_equal(text, "2000-02-29T23:59:59.999Z");
    clock_text(-5, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_text(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_the_clock_stands_still_for_tests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
