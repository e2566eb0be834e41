/* Token text: one form, everything else refused. */
#include "common/arena.h"
#include "crypt/kdf.h"
#include "crypt/token.h"

/* Of 32 bytes 0, 1, 2, …; the checksum by Python's zlib.crc32. */
static const char KNOWN[] =
    "agt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3c6lNx";

static void
test_the_known_text(void **state)
{
    uint8_t raw[TOKEN_RAW_BYTES];
    uint8_t back[TOKEN_RAW_BYTES];
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)i;
    }
    token_text(TOKEN_TASK, span_of(raw, sizeof(raw)), text);
    assert_string_equal(text, KNOWN);
    check_ok(token_parse(TOKEN_TASK, span_str(KNOWN), back));
    assert_memory_equal(raw, back, sizeof(raw));
}

static void
test_the_extremes(void **state)
{
    static const uint8_t BYTES[] = {0x00, 0xff};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BYTES); i++) {
        uint8_t raw[TOKEN_RAW_BYTES];
        uint8_t back[TOKEN_RAW_BYTES];
        char text[TOKEN_TEXT_BYTES];

        memset(raw, BYTES[i], sizeof(raw));
        token_text(TOKEN_PASS, span_of(raw, sizeof(raw)), text);
        assert_int_equal(strlen(text), 53);
        check_ok(token_parse(TOKEN_PASS, span_str(text), back));
        assert_memory_equal(raw, back, sizeof(raw));
    }
}

/* Half of a renewed text stays, which is its line; the other half is new. */
static void
test_a_renewed_text_is_of_the_same_line(void **state)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *next = NULL;
    uint8_t one[TOKEN_HASH_BYTES];
    uint8_t two[TOKEN_HASH_BYTES];
    uint8_t raw[TOKEN_RAW_BYTES];
    uint8_t renewed[TOKEN_RAW_BYTES];
    char other[TOKEN_TEXT_BYTES];

    (void)state;
    check_ok(secret_from(span_str("0123456789abcdef0123456789abcdef"), &key));
    check_err(token_next(TOKEN_TASK, span_str("agt_x"), &next), AG_ETOKEN);
    check_ok(token_next(TOKEN_TASK, span_str(KNOWN), &next));
    check_ok(token_parse(TOKEN_TASK, span_str(KNOWN), raw));
    check_ok(token_parse(TOKEN_TASK, secret_view(next), renewed));
    assert_memory_equal(raw, renewed, 16);
    assert_memory_not_equal(raw + 16, renewed + 16, 16);
    check_ok(token_line_hash(key, TOKEN_TASK, span_str(KNOWN), one));
    check_ok(token_line_hash(key, TOKEN_TASK, secret_view(next), two));
    assert_memory_equal(one, two, sizeof(one));
    check_ok(token_hash(key, TOKEN_TASK, span_str(KNOWN), one));
    assert_memory_not_equal(one, two, sizeof(one));
    check_ok(token_hash(key, TOKEN_TASK, secret_view(next), two));
    assert_memory_not_equal(one, two, sizeof(one));
    token_new_text(TOKEN_TASK, other);
    check_ok(token_line_hash(key, TOKEN_TASK, span_str(KNOWN), one));
    check_ok(token_line_hash(key, TOKEN_TASK, span_str(other), two));
    assert_memory_not_equal(one, two, sizeof(one));
}

static void
test_new_tokens_differ_and_parse(void **state)
{
    AG_AUTO(secret) struct secret *a = NULL;
    AG_AUTO(secret) struct secret *b = NULL;
    char accessor[TOKEN_TEXT_BYTES];
    uint8_t raw[TOKEN_RAW_BYTES];

    (void)state;
    check_ok(token_new(TOKEN_TASK, &a));
    check_ok(token_new(TOKEN_TASK, &b));
    assert_int_equal(secret_len(a), TOKEN_CHARS);
    assert_false(secret_equal(a, b));
    check_ok(token_parse(TOKEN_TASK, secret_view(a), raw));
    check_err(token_parse(TOKEN_ACCESSOR, secret_view(a), raw), AG_ETOKEN);
    check_err(token_parse(TOKEN_PASS, secret_view(a), raw), AG_ETOKEN);
    token_new_text(TOKEN_ACCESSOR, accessor);
    assert_true(span_starts(span_str(accessor), span_str("aga_")));
    check_ok(token_parse(TOKEN_ACCESSOR, span_str(accessor), raw));
}

/* Each character replaced by each byte: refused, and `raw` left alone. */
static void
test_one_wrong_character_is_refused(void **state)
{
    char text[TOKEN_TEXT_BYTES];
    uint8_t raw[TOKEN_RAW_BYTES];
    uint8_t kept[TOKEN_RAW_BYTES];

    (void)state;
    memset(raw, 7, sizeof(raw));
    memset(kept, 7, sizeof(kept));
    for (size_t i = 0; i < TOKEN_CHARS; i++) {
        for (int c = 0; c < 256; c++) {
            memcpy(text, KNOWN, sizeof(text));
            if (text[i] == (char)c) {
                continue;
            }
            text[i] = (char)c;
            check_err(token_parse(TOKEN_TASK, span_of(text, TOKEN_CHARS), raw),
                      AG_ETOKEN);
        }
    }
    assert_memory_equal(raw, kept, sizeof(raw));
}

static void
test_cut_long_and_swapped(void **state)
{
    char text[TOKEN_TEXT_BYTES + 1];
    uint8_t raw[TOKEN_RAW_BYTES];

    (void)state;
    for (size_t len = 0; len < TOKEN_CHARS; len++) {
        check_err(token_parse(TOKEN_TASK, span_of(KNOWN, len), raw), AG_ETOKEN);
    }
    memcpy(text, KNOWN, TOKEN_TEXT_BYTES);
    text[TOKEN_CHARS] = '0';
    check_err(token_parse(TOKEN_TASK, span_of(text, TOKEN_CHARS + 1), raw),
              AG_ETOKEN);
    check_err(token_parse(TOKEN_TASK, span_of(KNOWN, TOKEN_TEXT_BYTES), raw),
              AG_ETOKEN); /* its NUL too */
    for (size_t i = TOKEN_PREFIX_CHARS; i + 1 < TOKEN_CHARS; i++) {
        memcpy(text, KNOWN, TOKEN_TEXT_BYTES);
        if (text[i] == text[i + 1]) {
            continue;
        }
        text[i] = KNOWN[i + 1];
        text[i + 1] = KNOWN[i];
        check_err(token_parse(TOKEN_TASK, span_str(text), raw), AG_ETOKEN);
    }
    check_err(token_parse(TOKEN_TASK, span_of(NULL, 0), raw), AG_ETOKEN);
}

static void
test_the_stored_hash(void **state)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *other = NULL;
    AG_AUTO(secret) struct secret *token = NULL;
    char same[TOKEN_TEXT_BYTES];
    uint8_t raw[TOKEN_RAW_BYTES];
    uint8_t a[TOKEN_HASH_BYTES];
    uint8_t b[TOKEN_HASH_BYTES];

    (void)state;
    check_ok(kdf_root_new(&key));
    check_ok(kdf_root_new(&other));
    check_ok(token_new(TOKEN_TASK, &token));
    check_ok(token_hash(key, TOKEN_TASK, secret_view(token), a));
    check_ok(token_hash(key, TOKEN_TASK, secret_view(token), b));
    assert_memory_equal(a, b, KDF_HASH_BYTES);
    check_ok(token_hash(other, TOKEN_TASK, secret_view(token), b));
    assert_memory_not_equal(a, b, KDF_HASH_BYTES);
    /* the same random bytes as another kind are another token */
    check_ok(token_parse(TOKEN_TASK, secret_view(token), raw));
    token_text(TOKEN_PASS, span_of(raw, sizeof(raw)), same);
    check_ok(token_hash(key, TOKEN_PASS, span_str(same), b));
    assert_memory_not_equal(a, b, KDF_HASH_BYTES);
    check_err(token_hash(key, TOKEN_TASK, span_str("agt_"), b), AG_ETOKEN);
    assert_null(strstr(err_text(AG_ETOKEN), same));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_known_text),
        cmocka_unit_test(test_the_extremes),
        cmocka_unit_test(test_a_renewed_text_is_of_the_same_line),
        cmocka_unit_test(test_new_tokens_differ_and_parse),
        cmocka_unit_test(test_one_wrong_character_is_refused),
        cmocka_unit_test(test_cut_long_and_swapped),
        cmocka_unit_test(test_the_stored_hash),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
