/* Encodings: known answers, strictness, and that errors change nothing. */
#include "base/encode.h"
#include "base/secret.h"
#include "common/check.h"

static int
open_arena(void **state)
{
    (void)state;
    return secret_arena_open((size_t)64 * 1024) == AG_OK ? 0 : -1;
}

static int
close_arena(void **state)
{
    (void)state;
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return 0;
}

static void
test_hex(void **state)
{
    AG_AUTO(buf) struct buf b;

    (void)state;
    buf_init(&b, 100, BUF_PLAIN);
    check_ok(encode_hex(span_of("\x00\xff\x1a", 3), &b));
    check_span(buf_view(&b), "00ff1a");
    check_ok(encode_hex(span_of(NULL, 0), &b));
    assert_int_equal(b.len, 6);
    check_err(encode_hex(span_of("x", SIZE_MAX), &b), AG_ELIMIT);
    b.max = 4;
    check_err(encode_hex(span_of("x", 1), &b), AG_ELIMIT);
}

static void
test_base64_too_large(void)
{
    static const char LARGE[SECRET_MAX_BYTES / 3 * 4 + 8] = {'A'};
    struct secret *s = NULL;

    check_err(decode_base64_secret(span_of(LARGE, sizeof(LARGE) / 4 * 4), &s),
              AG_ELIMIT);
    assert_null(s);
}

static void
test_base64(void **state)
{
    /* RFC 4648 section 10 */
    static const struct {
        const char *plain;
        const char *text;
    } ROWS[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xfb\xff", "+/8="}};

    static const char *const BAD[] = {
        "Zg",       "Zg=",  "Z===", "Zh==",     "Zg==\n",           "Zm9v Zm9",
        "Zg==Zg==", "-_8=", "====", "Zm9v====", "\xff\xff\xff\xff", "=m9v"};
    AG_AUTO(buf) struct buf b;

    (void)state;
    buf_init(&b, 100, BUF_WIPE);
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        AG_AUTO(secret) struct secret *s = NULL;

        buf_clear(&b);
        check_ok(encode_base64(span_str(ROWS[i].plain), &b));
        check_span(buf_view(&b), ROWS[i].text);
        check_ok(decode_base64_secret(span_str(ROWS[i].text), &s));
        check_span(secret_view(s), ROWS[i].plain);
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        struct secret *s = NULL;

        if (decode_base64_secret(span_str(BAD[i]), &s) != AG_EINVAL) {
            fail_msg("%s was taken", BAD[i]);
        }
        assert_null(s);
    }
    check_err(encode_base64(span_of("x", SIZE_MAX), &b), AG_ELIMIT);
    test_base64_too_large();
    b.max = b.len + 3;
    check_err(encode_base64(span_of("x", 1), &b), AG_ELIMIT);
}

static void
test_base32(void **state)
{
    static const char *const BAD[] = {"U",   "0",  "00-",  "01",
                                      "000", "0*", "\xff", "ZZZZZZZZZ"};
    AG_AUTO(secret) struct secret *text = NULL;
    AG_AUTO(secret) struct secret *back = NULL;
    AG_AUTO(secret) struct secret *lenient = NULL;
    AG_AUTO(secret) struct secret *none = NULL;

    (void)state;
    check_ok(encode_base32_secret(span_str("foobar"), &text));
    check_span(secret_view(text), "CSQPYRK1E8"); /* RFC 4648's MZXW6YTBOI */
    check_ok(decode_base32_secret(secret_view(text), &back));
    check_span(secret_view(back), "foobar");
    check_ok(decode_base32_secret(span_str("csqpyrkie8"), &lenient));
    assert_true(secret_equal(back, lenient));
    check_ok(decode_base32_secret(span_of(NULL, 0), &none));
    assert_int_equal(secret_len(none), 0);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        struct secret *s = NULL;

        if (decode_base32_secret(span_str(BAD[i]), &s) != AG_EINVAL) {
            fail_msg("%s was taken", BAD[i]);
        }
        assert_null(s);
    }
    check_err(encode_base32_secret(span_of("x", SIZE_MAX), &none), AG_ELIMIT);
    check_err(decode_base32_secret(span_of("x", SIZE_MAX), &none), AG_ELIMIT);
}

static void
test_base62(void **state)
{
    uint8_t max[32];
    uint8_t back[32];
    char text[43];

    (void)state;
    memset(max, 0xff, sizeof(max));
    check_ok(encode_base62(span_of(max, sizeof(max)), 43, text));
    assert_memory_equal(text, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1",
                        43);
    check_ok(decode_base62(span_of(text, 43), back, sizeof(back)));
    assert_memory_equal(max, back, sizeof(back));
    text[42]++; /* one more than fits 256 bits */
    memset(back, 7, sizeof(back));
    check_err(decode_base62(span_of(text, 43), back, sizeof(back)), AG_EINVAL);
    assert_int_equal(back[0], 7);
    check_err(encode_base62(span_of(max, sizeof(max)), 42, text), AG_EINVAL);
    check_err(encode_base62(span_of(max, 65), 43, text), AG_EINVAL);
    check_err(decode_base62(span_of(text, 43), back, 65), AG_EINVAL);
}

static void
test_base62_small_numbers_and_bad_digits(void **state)
{
    static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    uint8_t value[1];
    char text[4];

    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        const char *at = c == 0 ? NULL : strchr(DIGITS, c);

        if (at != NULL) {
            check_ok(decode_base62(span_of(&byte, 1), value, 1));
            assert_int_equal(value[0], at - DIGITS);
        } else {
            check_err(decode_base62(span_of(&byte, 1), value, 1), AG_EINVAL);
        }
        check_ok(encode_base62(span_of(&byte, 1), 3, text));
        assert_int_equal(text[0], '0');
        assert_int_equal(text[1], DIGITS[c / 62]);
        assert_int_equal(text[2], DIGITS[c % 62]);
    }
    check_ok(decode_base62(span_str("47"), value, 1)); /* 4 * 62 + 7 */
    assert_int_equal(value[0], 255);
    check_err(decode_base62(span_str("48"), value, 1), AG_EINVAL);
    check_ok(decode_base62(span_of(NULL, 0), value, 1));
    assert_int_equal(value[0], 0);
}

/* The example of GitHub's format that is all over the web. */
static void
test_checksum(void **state)
{
    char sum[ENCODE_CHECKSUM_CHARS];

    (void)state;
    encode_checksum(span_str("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), sum);
    check_span(span_of(sum, sizeof(sum)), "0mLq17");
    encode_checksum(span_str(""), sum);
    check_span(span_of(sum, sizeof(sum)), "000000");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_base62),
        cmocka_unit_test(test_base62_small_numbers_and_bad_digits),
        cmocka_unit_test(test_checksum),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
