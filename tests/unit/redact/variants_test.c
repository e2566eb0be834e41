/*
 * Every form: what it looks like, that it is hidden, that a generator cut into
 * small pieces writes the same, and that a set without the form misses it.
 */
#include <sodium.h>

#include "base/buf.h"
#include "common/check.h"
#include "redact/redactor.h"

enum {
    OUT_BYTES = 1024,
};

struct vector {
    enum variant form;
    const char *value;
    const char *text;
};

#define V1 "tJ8#kd\"03\\x/Qa 7'm<b>&$w`~*!("
#define V2 "p\xc3\xa4ss/w\xc3\xb6rd+42bvaqrp\xf0\x9f\x98\x80"
#define V3 "first line, 4711\r\nsecond line 0815"
#define V5 "fst%ln4711\nsec\r\nthird line 0815"
#define V4 "fst%ln4711\nsecond line 0815"

static const struct vector VECTORS[] = {
    {VARIANT_RAW, V1, V1},
    {VARIANT_LF, V3, "first line, 4711\nsecond line 0815"},
    {VARIANT_CRLF, V4, "fst%ln4711\r\nsecond line 0815"},
    {VARIANT_TTY, V5, "fst%ln4711\r\nsec\r\r\nthird line 0815"},
    {VARIANT_JOINED, V4, "fst%ln4711 second line 0815"},
    {VARIANT_JSON, V1, "tJ8#kd\\\"03\\\\x/Qa 7'm<b>&$w`~*!("},
    {VARIANT_JSON_SLASH, V1, "tJ8#kd\\\"03\\\\x\\/Qa 7'm<b>&$w`~*!("},
    {VARIANT_JSON_ASCII, V2, "p\\u00e4ss/w\\u00f6rd+42bvaqrp\\ud83d\\ude00"},
    {VARIANT_JSON_UPPER, V2, "p\\u00E4ss/w\\u00F6rd+42bvaqrp\\uD83D\\uDE00"},
    {VARIANT_JSON_SLASH_ASCII, V2,
     "p\\u00e4ss\\/w\\u00f6rd+42bvaqrp\\ud83d\\ude00"},
    {VARIANT_JSON_HTML, V1,
     "tJ8#kd\\\"03\\\\x/Qa 7'm\\u003cb\\u003e\\u0026$w`~*!("},
    {VARIANT_JSON_CONTROL,
     "x8z\x1f"
     "51p\x1b",
     "x8z\\u001F51p\\u001B"},
    {VARIANT_JSON2_CONTROL,
     "x8z\x1f"
     "51p\x1b",
     "x8z\\\\u001F51p\\\\u001B"},
    {VARIANT_JSON_DEL,
     "x8z\x7f"
     "51\xc3\xa9\t",
     "x8z\\u007f51\xc3\xa9\\t"},
    {VARIANT_JSON2_DEL,
     "x8z\x7f"
     "51\xc3\xa9\t1",
     "x8z\\\\u007f51\xc3\xa9\\\\t1"},
    {VARIANT_JSON2, V1, "tJ8#kd\\\\\\\"03\\\\\\\\x/Qa 7'm<b>&$w`~*!("},
    {VARIANT_JSON2_SLASH, V1,
     "tJ8#kd\\\\\\\"03\\\\\\\\x\\\\\\/Qa 7'm<b>&$w`~*!("},
    {VARIANT_JSON2_ASCII, V2,
     "p\\\\u00e4ss/w\\\\u00f6rd+42bvaqrp\\\\ud83d\\\\ude00"},
    {VARIANT_JSON2_UPPER, V2,
     "p\\\\u00E4ss/w\\\\u00F6rd+42bvaqrp\\\\uD83D\\\\uDE00"},
    {VARIANT_JSON2_SLASH_ASCII, V2,
     "p\\\\u00e4ss\\\\\\/w\\\\u00f6rd+42bvaqrp\\\\ud83d\\\\ude00"},
    {VARIANT_JSON2_HTML, V1,
     "tJ8#kd\\\\\\\"03\\\\\\\\x/Qa 7'm\\\\u003cb\\\\u003e\\\\u0026$w`~*!("},
    {VARIANT_URL, V1,
     "tJ8%23kd%2203%5Cx%2FQa%207%27m%3Cb%3E%26%24w%60~%2A%21%28"},
    {VARIANT_URL_LOWER, V1,
     "tJ8%23kd%2203%5cx%2fQa%207%27m%3cb%3e%26%24w%60~%2a%21%28"},
    {VARIANT_URL_PATH, V1,
     "tJ8%23kd%2203%5Cx/Qa%207%27m%3Cb%3E%26%24w%60~%2A%21%28"},
    {VARIANT_URL_MARKS, V1,
     "tJ8%23kd%2203%5Cx%2FQa%207'm%3Cb%3E%26%24w%60~*!("},
    {VARIANT_FORM, V1,
     "tJ8%23kd%2203%5Cx%2FQa+7%27m%3Cb%3E%26%24w%60~%2A%21%28"},
    {VARIANT_FORM_LOWER, V1,
     "tJ8%23kd%2203%5cx%2fQa+7%27m%3cb%3e%26%24w%60~%2a%21%28"},
    {VARIANT_FORM_WEB, V1,
     "tJ8%23kd%2203%5Cx%2FQa+7%27m%3Cb%3E%26%24w%60%7E*%21%28"},
    {VARIANT_XML_TEXT, V1, "tJ8#kd\"03\\x/Qa 7'm&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_XML_ATTR, V1, "tJ8#kd&quot;03\\x/Qa 7'm&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_XML_ALL, V1, "tJ8#kd&quot;03\\x/Qa 7&apos;m&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_XML_39, V1, "tJ8#kd&quot;03\\x/Qa 7&#39;m&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_XML_X27, V1, "tJ8#kd&quot;03\\x/Qa 7&#x27;m&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_XML_34, V1, "tJ8#kd&#34;03\\x/Qa 7&#39;m&lt;b&gt;&amp;$w`~*!("},
    {VARIANT_SH_SINGLE, V1, "tJ8#kd\"03\\x/Qa 7'\\''m<b>&$w`~*!("},
    {VARIANT_SH_PYTHON, V1, "tJ8#kd\"03\\x/Qa 7'\"'\"'m<b>&$w`~*!("},
    {VARIANT_SH_DOUBLE, V1, "tJ8#kd\\\"03\\\\x/Qa 7'm<b>&\\$w\\`~*!("},
    {VARIANT_QUOTED, V1, "tJ8#kd\"03\\\\x/Qa 7\\'m<b>&$w`~*!("},
    {VARIANT_HEX, "x8z?51pv", "78387a3f35317076"},
    {VARIANT_HEX_UPPER, "x8z?51pv", "78387A3F35317076"},
    {VARIANT_B64_0, "x8z?51pv", "eDh6PzUxcH"},
    {VARIANT_B64_1, "x8z?51pv", "g4ej81MXB2"},
    {VARIANT_B64_2, "x8z?51pv", "4OHo/NTFwd"},
    {VARIANT_URL64_0, "abc~~?xyz", "YWJjfn4_eHl6"},
    {VARIANT_URL64_1, "abc~~?xyz", "FiY35-P3h5e"},
    {VARIANT_URL64_2, "x8z?51pv", "4OHo_NTFwd"},
    {VARIANT_B64_JSON_0, "x8\\a5?1pv", "eDhcXGE1PzFwd"},
    {VARIANT_B64_JSON_1, "x8\\a5?1pv", "g4XFxhNT8xcH"},
    {VARIANT_B64_JSON_2, "x8\\a5?1pv", "4OFxcYTU/MXB2"},
};

/* The forms whose text is the same whatever the place are above; of the others
 * (base64 twice and in JSON) this checks that they stand in what an encoder
 * makes of the value among strangers. */
static const struct {
    enum variant form;
    const char *value;
    const char *inside;  /* the text that is encoded first */
    const char *between; /* what stands before the inner base64 */
} NESTED[] = {
    {VARIANT_B64X2_00, "k3?Zq81~Lm", "k3?Zq81~Lm", ""},
    {VARIANT_B64X2_01, "k3?Zq81~Lm", "k3?Zq81~Lm", "="},
    {VARIANT_B64X2_02, "k3?Zq81~Lm", "k3?Zq81~Lm", ": "},
    {VARIANT_B64X2_10, "k3?Zq81~Lm", ":k3?Zq81~Lm", "="},
    {VARIANT_B64X2_11, "k3?Zq81~Lm", ":k3?Zq81~Lm", ": "},
    {VARIANT_B64X2_12, "k3?Zq81~Lm", ":k3?Zq81~Lm", ""},
    {VARIANT_B64X2_20, "k3?Zq81~Lm", "u:k3?Zq81~Lm", ""},
    {VARIANT_B64X2_21, "k3?Zq81~Lm", "u:k3?Zq81~Lm", "="},
    {VARIANT_B64X2_22, "k3?Zq81~Lm", "u:k3?Zq81~Lm", ": "},
};

/* JSON inside base64, for the traits that need it. */
static const struct {
    enum variant form;
    const char *value;
    const char *text; /* JSON with the value in it, at this alignment */
} JSON64[] = {
    {VARIANT_B64_ASCII_0, V2,
     "{:\"p\\u00e4ss/w\\u00f6rd+42bvaqrp\\ud83d\\ude00\"}"},
    {VARIANT_B64_ASCII_1, V2,
     "\"p\\u00e4ss/w\\u00f6rd+42bvaqrp\\ud83d\\ude00\"}"},
    {VARIANT_B64_ASCII_2, V2,
     ":\"p\\u00e4ss/w\\u00f6rd+42bvaqrp\\ud83d\\ude00\"}"},
    {VARIANT_B64_HTML_0, "aB3<d>Ef&9k", "{:\"aB3\\u003cd\\u003eEf\\u00269k\""},
    {VARIANT_B64_HTML_1, "aB3<d>Ef&9k", "\"aB3\\u003cd\\u003eEf\\u00269k\""},
    {VARIANT_B64_HTML_2, "aB3<d>Ef&9k", ":\"aB3\\u003cd\\u003eEf\\u00269k\""},
};

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* Is anything in `text` redacted, when forms are enabled by `mask`? */
static bool
is_found(const char *value, struct span text, uint64_t mask)
{
    const struct matcher_value list = {.id = 1,
                                       .name = span_str("v"),
                                       .value = span_str(value),
                                       .flags = MATCHER_NO_LINES};
    const struct redactor_options options = {.marker = NULL};
    AG_AUTO(buf) struct buf out = {0};
    AG_AUTO(matcher) struct matcher *set = NULL;
    AG_AUTO(redactor) struct redactor *r = NULL;
    struct sink sink = {.ctx = &out, .feed = take};

    buf_init(&out, OUT_BYTES, BUF_PLAIN);
    matcher_enable_forms(mask);
    check_ok(matcher_build(&list, 1, &set));
    matcher_enable_forms(~0ULL);
    check_ok(redactor_new(&options, &sink, &r));
    check_ok(redactor_use(r, set));
    check_ok(redactor_feed(r, text));
    check_ok(redactor_finish(r));
    return !span_equal(buf_view(&out), text);
}

static size_t
write_form(enum variant form, const char *value, size_t step, uint8_t *out)
{
    struct variant_gen gen;
    size_t len = 0;
    size_t n;

    variant_begin(&gen, form, span_str(value));
    do {
        n = variant_next(&gen, out + len, step);
        len += n;
    } while (n > 0);
    return len;
}

static void
test_each_form_is_written_as_it_should(void **state)
{
    uint8_t out[OUT_BYTES];
    size_t i;
    size_t step;

    (void)state;
    for (i = 0; i < AG_COUNT(VECTORS); i++) {
        const struct vector *v = &VECTORS[i];
        size_t len = write_form(v->form, v->value, OUT_BYTES, out);

        if (len != strlen(v->text) || memcmp(out, v->text, len) != 0) {
            fail_msg("form %d (%s): %.*s, not %s", (int)v->form,
                     variant_name(v->form), (int)len, (char *)out, v->text);
        }
    }
    for (i = 0; i < AG_COUNT(VECTORS); i++) {
        const struct vector *v = &VECTORS[i];

        for (step = 1; step < 9; step++) {
            assert_int_equal(write_form(v->form, v->value, step, out),
                             strlen(v->text));
            assert_memory_equal(out, v->text, strlen(v->text));
        }
        assert_int_equal(variant_len(v->form, span_str(v->value)),
                         strlen(v->text));
        assert_true(variant_applies(v->form, span_str(v->value),
                                    escape_traits(span_str(v->value))));
    }
}

/* The mutation "drop one form" must show: the text is missed. */
static void
test_a_set_without_a_form_misses_it(void **state)
{
    size_t i;

    (void)state;
    matcher_enable_looks(false); /* views find some of them, too */
    for (i = 0; i < AG_COUNT(VECTORS); i++) {
        const struct vector *v = &VECTORS[i];
        struct span text = span_str(v->text);

        if (!is_found(v->value, text, ~0ULL)) {
            fail_msg("form %d (%s) is not found", (int)v->form,
                     variant_name(v->form));
        }
        assert_true(is_found(v->value, text, 1ULL << v->form));
        if (is_found(v->value, text, ~(1ULL << v->form))) {
            fail_msg("form %d (%s) is found without itself", (int)v->form,
                     variant_name(v->form));
        }
    }
}

static void
encode(struct span in, char *out, size_t cap)
{
    (void)sodium_bin2base64(out, cap, in.ptr, in.len,
                            sodium_base64_VARIANT_ORIGINAL);
}

static void
test_base64_of_base64(void **state)
{
    char inner[OUT_BYTES];
    char middle[OUT_BYTES + 64];
    char outer[2 * OUT_BYTES];
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(NESTED); i++) {
        encode(span_str(NESTED[i].inside), inner, sizeof(inner));
        (void)snprintf(middle, sizeof(middle), "%s%s\n", NESTED[i].between,
                       inner);
        encode(span_str(middle), outer, sizeof(outer));
        if (!is_found(NESTED[i].value, span_str(outer), ~0ULL)) {
            fail_msg("form %d is not found in %s", (int)NESTED[i].form, outer);
        }
        if (is_found(NESTED[i].value, span_str(outer),
                     ~(1ULL << NESTED[i].form))) {
            fail_msg("form %d is found without itself", (int)NESTED[i].form);
        }
    }
}

static void
test_base64_of_json(void **state)
{
    char outer[2 * OUT_BYTES];
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(JSON64); i++) {
        encode(span_str(JSON64[i].text), outer, sizeof(outer));
        if (!is_found(JSON64[i].value, span_str(outer), ~0ULL)) {
            fail_msg("form %d is not found in %s", (int)JSON64[i].form, outer);
        }
        if (is_found(JSON64[i].value, span_str(outer),
                     ~(1ULL << JSON64[i].form))) {
            fail_msg("form %d is found without itself", (int)JSON64[i].form);
        }
    }
}

/* Nothing in the tables above may be forgotten when a form is added. */
static void
test_every_form_has_a_vector(void **state)
{
    uint64_t seen = 0;
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(VECTORS); i++) {
        seen |= 1ULL << VECTORS[i].form;
    }
    for (i = 0; i < AG_COUNT(NESTED); i++) {
        seen |= 1ULL << NESTED[i].form;
    }
    for (i = 0; i < AG_COUNT(JSON64); i++) {
        seen |= 1ULL << JSON64[i].form;
    }
    for (i = 0; i < VARIANT_COUNT; i++) {
        if ((seen >> i & 1) == 0) {
            fail_msg("form %zu (%s) has no vector", i,
                     variant_name((enum variant)i));
        }
        assert_non_null(variant_name((enum variant)i));
    }
}

static void
test_forms_that_do_not_exist(void **state)
{
    struct span binary = span_of("\xff\xfe\x80\x81\xff\xfe\x80\x90", 8);
    struct span plain = span_str("abcdefgh12345678");
    unsigned int form;
    size_t count = 0;

    (void)state;
    assert_false(
        variant_applies(VARIANT_JSON_ASCII, binary, escape_traits(binary)));
    for (form = 0; form < VARIANT_COUNT; form++) {
        count +=
            variant_applies((enum variant)form, plain, escape_traits(plain))
                ? 1
                : 0;
    }
    assert_int_equal(count, 1 + 2 + 3 + 9); /* raw, hex, base64, twice */
    assert_int_equal(variant_len(VARIANT_B64_1, span_of("", 0)), 0);
    assert_int_equal(variant_len(VARIANT_B64X2_11, span_of("a", 1)), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_form_is_written_as_it_should),
        cmocka_unit_test(test_a_set_without_a_form_misses_it),
        cmocka_unit_test(test_base64_of_base64),
        cmocka_unit_test(test_base64_of_json),
        cmocka_unit_test(test_every_form_has_a_vector),
        cmocka_unit_test(test_forms_that_do_not_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
