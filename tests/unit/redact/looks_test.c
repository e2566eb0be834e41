/* Fragments and views: each form once, in one piece and byte by byte. */
#include <sys/mman.h>

#include <unistd.h>

#include "unit/redact/rig.h"

#define VALUE  "q7RtWz90LmXcAb12Kd34Ve56"
#define DOTS16 "................"
#define DOTS   DOTS16 DOTS16 DOTS16 DOTS16

struct one {
    const char *text;
    size_t len;
    const char *out;
    enum variant form;
};

#define ONE(in, out, form)                                                     \
    {                                                                          \
        in, sizeof(in) - 1, out, form                                          \
    }

static const struct one SHOWN[] = {
    ONE("a q7RtWz\x1b[01;31m\x1b[K90LmXcAb12Kd34\x1b[mVe56\n",
        "a [redacted:n1]\n", VARIANT_ANSI),
    ONE("a q7RtWz\x1b[1\x7fm90LmXcAb12Kd34Ve56\n", "a [redacted:n1]\n",
        VARIANT_ANSI),
    ONE("a q7RtWz\x1b\x7f[\x7f\x7fm90LmXcAb1\x1b(\x7f"
        "B2Kd34Ve56\n",
        "a [redacted:n1]\n", VARIANT_ANSI),
    ONE("a q7RtWz\x1b[0C90LmXcAb12Kd34Ve56\n", "a [redacted:n1]\n",
        VARIANT_ANSI),
    ONE("a q\xe2\x80\x8b"
        "7RtWz9\xc2\xad"
        "0LmXcAb12Kd34\xef\xbb\xbfVe56",
        "a [redacted:n1]", VARIANT_ANSI),
    ONE("q\bq7\b7R\bRt\btW\bWz\bz9\b90\b0L\bLm\bmX\bXc\bcA\bAb\bb1\b12\b2K\bK"
        "d\bd3\b34\b4V\bVe\be5\b56\b6 x",
        "q\b[redacted:n1]\b6 x", VARIANT_ANSI),
    ONE("xx\rq7RtWz90LmXc\x1b[13GAb12Kd34Ve56\n", "xx\r[redacted:n1]\n",
        VARIANT_ANSI),
    ONE("q7RtWz90LmX\r\ncAb12Kd34Ve56\r\n", "[redacted:n1]\r\n", VARIANT_ANSI),
    ONE("  q7RtWz90LmX\n    cAb12Kd34Ve56\n", "  [redacted:n1]\n",
        VARIANT_ANSI),
    ONE("q7RtWz90LmX\\\ncAb12Kd34Ve56\n", "[redacted:n1]\n", VARIANT_ESCAPED),
    ONE("q\0"
        "7\0R\0t\0W\0z\0"
        "9\0"
        "0\0L\0m\0X\0c\0A\0b\0"
        "1\0"
        "2\0K\0"
        "d\0"
        "3\0"
        "4\0V\0e\0"
        "5\0"
        "6",
        "[redacted:n1]", VARIANT_ANSI),
    /* base64 of a larger text, wrapped inside the value's part */
    ONE("eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4cTdSdFd6OTBM\n"
        "bVhjQWIxMktkMzRWZTU2eQ==\n",
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4[redacted:n1]eQ==\n",
        VARIANT_ANSI),
};

static const struct one UNDONE[] = {
    ONE("\\u0071\\u0037RtWz90LmXcAb12Kd34Ve5\\u0036\"",
        "\\u0071[redacted:n1]\"", VARIANT_ESCAPED),
    ONE("\\x71\\x37RtWz90LmXcAb12Kd34Ve56", "\\x71[redacted:n1]",
        VARIANT_ESCAPED),
    ONE("\\161\\067RtWz90LmXcAb12Kd34Ve56", "\\161[redacted:n1]",
        VARIANT_ESCAPED),
    ONE("%71%37RtWz90LmXcAb12Kd34Ve56", "%71[redacted:n1]", VARIANT_ESCAPED),
    ONE("&#113;&#x37;RtWz90LmXcAb12Kd34Ve56", "&#113;[redacted:n1]",
        VARIANT_ESCAPED),
    ONE("q7RtWz9\\0LmXcAb12Kd34Ve56", "q7RtWz9\\0L[redacted:n1]",
        VARIANT_FRAGMENT),
    ONE("a=q7Rt=57z90LmX=\ncAb12Kd34Ve56\n", "a=[redacted:n1]\n", VARIANT_MAIL),
    ONE("is 71:37:52:74:57:7a:39:30:4c:6d:58:63:41:62:31:32:4b:64:33:34:56:65"
        ":35:36 ok\n",
        "is 71:37:[redacted:n1] ok\n", VARIANT_HEXDUMP),
    ONE("00000000  71 37 52 74 57 7a 39 30  4c 6d 58 63 41 62 31 32  "
        "|q7RtWz90LmXcAb12|\n"
        "00000010  4b 64 33 34 56 65 35 36                           "
        "|Kd34Ve56|\n",
        "00000000  71 37 [redacted:n1]                           |Kd34Ve56|\n",
        VARIANT_HEXDUMP),
    ONE("00000000: 7137 5274 577a 3930 4c6d 5863 4162 3132  q7RtWz90LmXcAb12\n"
        "00000010: 4b64 3334 5665 3536                      Kd34Ve56\n",
        "00000000: 7137 [redacted:n1]                      Kd34Ve56\n",
        VARIANT_HEXDUMP),
};

static const struct one CUT[] = {
    ONE("token q7RtWz90LmXc... rejected\n", "token [redacted:n1]... rejected\n",
        VARIANT_FRAGMENT),
    ONE("...LmXcAb12Kd34Ve56\n", "...Lm[redacted:n1]\n", VARIANT_FRAGMENT),
    ONE("token q7RtWz90LmX... is too short\n",
        "token q7RtWz90LmX... is too short\n", VARIANT_COUNT),
};

static void
check_whole(const struct one *row, size_t number)
{
    struct rig rig;

    RIG(&rig, REDACTOR_OPERATOR, VALUE);
    check_ok(redactor_feed(rig.redactor, span_of(row->text, row->len)));
    finish(&rig, row->out);
    if (row->form != VARIANT_COUNT &&
        strcmp(variant_name(rig.last.form), variant_name(row->form)) != 0) {
        fail_msg("row %zu is found as %s", number, variant_name(rig.last.form));
    }
}

static void
check_bytes(const struct one *row)
{
    struct span text = span_of(row->text, row->len);
    struct rig rig;

    RIG(&rig, REDACTOR_OPERATOR, VALUE);
    for (size_t k = 0; k < text.len; k++) {
        check_ok(redactor_feed(rig.redactor, span_sub(text, k, 1)));
    }
    finish(&rig, row->out);
}

static void
check_all(const struct one *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_whole(&rows[i], i);
        check_bytes(&rows[i]);
    }
}

static void
test_what_is_shown_is_what_counts(void **state)
{
    (void)state;
    check_all(SHOWN, AG_COUNT(SHOWN));
}

static void
test_escapes_and_dumps_are_undone(void **state)
{
    (void)state;
    check_all(UNDONE, AG_COUNT(UNDONE));
}

static void
test_twelve_bytes_are_a_fragment(void **state)
{
    (void)state;
    check_all(CUT, AG_COUNT(CUT));
}

/* Its claims are no secret, and a placeholder has the same. */
/* With a short one in the set the text is looked at otherwise. */
static void
test_a_short_value_leaves_fragments(void **state)
{
    static const char *const SHORTS[] = {"aB3$xY7z", "zQ4tV8nB1c", "rY6pL2w"};
    static const char TEXT[] = "........LmXcAb12Kd34, q7RtWz90LmXc, aB3$xY7";
    static const char WANT[] =
        "........Lm[redacted:n1], [redacted:n1], aB3$xY7";

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SHORTS) * 8; i++) {
        struct rig rig;

        RIG(&rig, REDACTOR_OPERATOR, VALUE, SHORTS[i / 8]);
        feed(&rig, TEXT + i % 8);
        finish(&rig, WANT + i % 8);
    }
}

static void
test_of_a_jwt_the_signature(void **state)
{
#define CLAIMS                                                                 \
    "eyJ"                                                                      \
    "hbGciOiJSUzI1NiJ9.eyJ"                                                    \
    "zdWIiOiI4NDM3NTgzNDc1OTkyMSJ9."
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, CLAIMS "Xk3vQ9dT7pLw2RzYb8Nf5Gh1");
    check_ok(redactor_feed(rig.redactor,
                           span_str(CLAIMS "other\n Xk3vQ9dT7pLw2Rz...\n")));
    finish(&rig, CLAIMS "other\n Xk[redacted:n1]...\n");
#undef CLAIMS
}

static void
test_of_a_document_its_fields(void **state)
{
    static const struct matcher_value DOCUMENT = {
        .id = 1,
        .name = {(const uint8_t *)"n1", 2},
        .value = {(const uint8_t *)"{\"id\":\"q7RtWz90LmXcAb12\"}", 25},
        .flags = MATCHER_NO_LINES};
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, VALUE);
    matcher_unref(rig.set);
    check_ok(matcher_build(&DOCUMENT, 1, &rig.set));
    check_ok(redactor_use(rig.redactor, rig.set));
    check_ok(redactor_feed(rig.redactor, span_str("q7RtWz90LmXcAb12\n")));
    finish(&rig, "q7RtWz90LmXcAb12\n");
}

/* A sequence as long as is looked for at once, and three bytes: ASan sees one
 * that is read behind them. */
static void
test_nothing_is_read_behind_the_end(void **state)
{
    static const char TEXT[] =
        "clean text \x1b[012345678901234567890123456789mabc";
    struct rig rig;

    (void)state;
    for (size_t len = sizeof(TEXT) - 4; len < sizeof(TEXT); len++) {
        uint8_t *exact = malloc(len);

        assert_non_null(exact);
        memcpy(exact, TEXT, len);
        RIG(&rig, REDACTOR_OPERATOR, VALUE);
        check_ok(redactor_feed(rig.redactor, span_of(exact, len)));
        free(exact);
        rig_done(&rig);
    }
}

/* A value behind other text, wrapped behind its first byte: the
 * part ends at `end`, behind which no memory is, `seen` bytes into the line. */
static void
check_indent(uint8_t *end, size_t indent, size_t seen)
{
    const size_t part_bytes = 128;
    const size_t pad_bytes = part_bytes - 2 - indent - seen;
    const uint8_t *value = (const uint8_t *)VALUE;
    uint8_t *part = end - part_bytes;
    char expected[160];
    struct rig rig;

    memset(part, '.', pad_bytes);
    memcpy(part + pad_bytes, "q\n", 2);
    memset(part + pad_bytes + 2, ' ', indent);
    memcpy(end - seen, value + 1, seen);
    (void)snprintf(expected, sizeof(expected), "%.*s[redacted:n1]",
                   (int)pad_bytes, (const char *)part);
    RIG(&rig, REDACTOR_OPERATOR, VALUE);
    check_ok(redactor_feed(rig.redactor, span_of(part, part_bytes)));
    feed(&rig, &VALUE[1 + seen]);
    finish(&rig, expected);
}

static void
test_an_indent_ends_where_a_page_does(void **state)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t indent = 0; indent < 32; indent++) {
        for (size_t seen = 0; seen < 8; seen++) {
            check_indent(pages + page, indent, seen);
        }
    }
    (void)munmap(pages, 2 * page);
}

enum {
    LONG_BYTES = 4000,
    LONGER_BYTES = 40 * 1000,
    LINES_COUNT = 4000,
};

static const char PART_LINE[] = "tWz90LmXcAb12 is\n";
static const char PART_LEFT[] = "tW[redacted:n1] is\n";

static char *
make_long(size_t len)
{
    char *value = calloc(1, len + 1);
    uint32_t seed = 1;

    assert_non_null(value);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245U + 12345U;
        value[i] = (char)('!' + (seed >> 16) % 90);
    }
    return value;
}

static char *
make_part_lines(void)
{
    char *text = calloc(LINES_COUNT, sizeof(PART_LINE));

    assert_non_null(text);
    for (size_t i = 0; i < LINES_COUNT; i++) {
        memcpy(text + i * (sizeof(PART_LINE) - 1), PART_LINE,
               sizeof(PART_LINE));
    }
    return text;
}

/* The end of `out` is those lines, with what stays of each. */
static void
check_part_lines(struct span out)
{
    const size_t len = sizeof(PART_LEFT) - 1;

    assert_true(out.len >= LINES_COUNT * len);
    out = span_sub(out, out.len - LINES_COUNT * len, LINES_COUNT * len);
    for (size_t i = 0; i < LINES_COUNT; i++) {
        check_span(span_sub(out, i * len, len), PART_LEFT);
    }
}

/* However long a value may be that waits, the text between two parts of another
 * stays. */
static void
test_many_parts_beside_a_long_value(void **state)
{
    char *value = make_long(LONG_BYTES);
    char *text = make_part_lines();
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, VALUE, value);
    feed(&rig, text);
    check_ok(redactor_finish(rig.redactor));
    assert_int_equal(rig.hits, LINES_COUNT);
    assert_int_equal(rig.out.len, LINES_COUNT * (sizeof(PART_LEFT) - 1));
    check_part_lines(buf_view(&rig.out));
    rig_done(&rig);
    free(text);
    free(value);
}

/* Nor is it lost behind dozens of KiB that waited: of a long value, coloured
 * anew for each character. */
static void
test_many_parts_behind_a_long_value(void **state)
{
    enum {
        CHARACTER_BYTES = 8,
        CLOSE_COUNT = 3000,
    };

    static const char CLOSE[] = "tWz90LmXcAb1\n";
    static const char LEFT[] = "tW[redacted:n1]\n";
    char *value = make_long(LONGER_BYTES);
    char *text = calloc(LONGER_BYTES + 1, CHARACTER_BYTES);
    size_t len = 0;
    struct span out;
    struct rig rig;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i + 9 < LONGER_BYTES; i++) {
        len += (size_t)snprintf(text + len, CHARACTER_BYTES + 1, "\x1b[0;1m%c",
                                value[i]);
    }
    RIG(&rig, REDACTOR_OPERATOR, VALUE, value);
    check_ok(redactor_feed(rig.redactor, span_of(text, len)));
    len = 0;
    for (size_t i = 0; i < CLOSE_COUNT; i++) {
        memcpy(text + len, CLOSE, sizeof(CLOSE) - 1);
        len += sizeof(CLOSE) - 1;
    }
    check_ok(redactor_feed(rig.redactor, span_of(text, len)));
    check_ok(redactor_finish(rig.redactor));
    out = buf_view(&rig.out);
    len = CLOSE_COUNT * (sizeof(LEFT) - 1);
    assert_true(out.len > len);
    out = span_sub(out, out.len - len, len);
    for (size_t i = 0; i < CLOSE_COUNT; i++) {
        check_span(span_sub(out, i * (sizeof(LEFT) - 1), sizeof(LEFT) - 1),
                   LEFT);
    }
    rig_done(&rig);
    free(text);
    free(value);
}

/* What is no letter ends no sequence, wherever the sequence lies: so in the
 * middle of a text, too, where many bytes are looked at at once. */
static void
test_only_a_letter_ends_a_sequence(void **state)
{
    static const char *const CUTS[] = {
        "p\x1b[\xe4ssword-Q7x9Lm42", "p\x1b[1\xe4ssword-Q7x9Lm42",
        "p\x1b[\xe4\x1b[0mssword-Q7x9Lm42", "p\x1b[1\x7fm\xe4ssword-Q7x9Lm42",
        "p\x1b[\x7f\x7fm\xe4ssword-Q7x9Lm42"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(CUTS); i++) {
        char text[256];
        struct rig rig;

        (void)snprintf(text, sizeof(text), "%s%s%s", DOTS, CUTS[i], DOTS);
        RIG(&rig, REDACTOR_OPERATOR, "p\xe4ssword-Q7x9Lm42");
        feed(&rig, text);
        finish(&rig, DOTS "[redacted:n1]" DOTS);
    }
}

/* The filter is no oracle: a task gets neither. */
static void
test_a_task_has_no_looks(void **state)
{
    static const char *const TEXTS[] = {
        "q7RtWz90LmXcAb12Kd34\n",
        "q7RtWz90Lm\x1b[0mXcAb12Kd34Ve56\n",
        "%71%37RtWz90LmXcAb12Kd34Ve56\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(TEXTS); i++) {
        struct rig rig;

        RIG(&rig, REDACTOR_TASK, VALUE);
        feed(&rig, TEXTS[i]);
        finish(&rig, TEXTS[i]);
    }
}

/* Hosts and words are no secret part of a value. */
static void
test_what_is_not_random_is_left(void **state)
{
    static const char TEXT[] =
        "postgres://app:x@db.internal.example:5432/prod\n"
        "-----BEGIN PUBLIC KEY-----\n";
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR,
        "postgres://app:oFFpJ6z4TvGOm@db.internal.example:5432/prod", KEY);
    feed(&rig, TEXT);
    finish(&rig, TEXT);
}

static void
test_idle_lets_out_what_a_view_holds(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, VALUE);
    feed(&rig, "a q7RtWz90\x1b[0mLm");
    expect(&rig, "a ");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "q7RtWz");
    feed(&rig, "XcAb12Kd34Ve56 b");
    finish(&rig, "[redacted:n1] b");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_shown_is_what_counts),
        cmocka_unit_test(test_escapes_and_dumps_are_undone),
        cmocka_unit_test(test_twelve_bytes_are_a_fragment),
        cmocka_unit_test(test_a_short_value_leaves_fragments),
        cmocka_unit_test(test_of_a_jwt_the_signature),
        cmocka_unit_test(test_of_a_document_its_fields),
        cmocka_unit_test(test_nothing_is_read_behind_the_end),
        cmocka_unit_test(test_an_indent_ends_where_a_page_does),
        cmocka_unit_test(test_only_a_letter_ends_a_sequence),
        cmocka_unit_test(test_many_parts_beside_a_long_value),
        cmocka_unit_test(test_many_parts_behind_a_long_value),
        cmocka_unit_test(test_a_task_has_no_looks),
        cmocka_unit_test(test_what_is_not_random_is_left),
        cmocka_unit_test(test_idle_lets_out_what_a_view_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
