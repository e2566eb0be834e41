/* The memo of a token: the same text again, and nothing else. */
#include "common/arena.h"
#include "crypt/memo.h"

static const char TEXT[] =
    "agt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3c6lNx";
static const uint8_t HASH[TOKEN_HASH_BYTES] = {1, 2, 3};

static void
test_an_empty_memo_knows_nothing(void **state)
{
    const struct token_memo memo = {0};
    uint8_t hash[TOKEN_HASH_BYTES];

    (void)state;
    assert_false(token_memo_find(&memo, span_str(TEXT), hash));
}

static void
test_the_same_text_is_known(void **state)
{
    struct token_memo memo = {0};
    uint8_t hash[TOKEN_HASH_BYTES];

    (void)state;
    token_memo_keep(&memo, span_str(TEXT), HASH);
    assert_true(token_memo_find(&memo, span_str(TEXT), hash));
    assert_memory_equal(hash, HASH, sizeof(hash));
}

static void
test_every_other_text_is_not(void **state)
{
    struct token_memo memo = {0};
    uint8_t hash[TOKEN_HASH_BYTES];
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    token_memo_keep(&memo, span_str(TEXT), HASH);
    for (size_t i = 0; i < TOKEN_CHARS; i++) {
        memcpy(text, TEXT, sizeof(text));
        text[i] = text[i] == '0' ? '1' : '0';
        assert_false(token_memo_find(&memo, span_str(text), hash));
    }
    assert_false(token_memo_find(&memo, span_of(TEXT, TOKEN_CHARS - 1), hash));
    assert_false(token_memo_find(&memo, span_of(TEXT, 0), hash));
}

static void
test_the_last_one_counts(void **state)
{
    static const uint8_t LATER[TOKEN_HASH_BYTES] = {9};
    struct token_memo memo = {0};
    uint8_t hash[TOKEN_HASH_BYTES];
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    token_new_text(TOKEN_TASK, text);
    token_memo_keep(&memo, span_str(TEXT), HASH);
    token_memo_keep(&memo, span_str(text), LATER);
    assert_false(token_memo_find(&memo, span_str(TEXT), hash));
    assert_true(token_memo_find(&memo, span_str(text), hash));
    assert_memory_equal(hash, LATER, sizeof(hash));
}

static void
test_no_byte_of_the_token_is_kept(void **state)
{
    struct token_memo memo = {0};
    uint8_t bytes[sizeof(memo)];

    (void)state;
    token_memo_keep(&memo, span_str(TEXT), HASH);
    memcpy(bytes, &memo, sizeof(memo));
    for (size_t i = 0; i + 8 <= sizeof(bytes); i++) {
        for (size_t k = 0; k + 8 <= TOKEN_CHARS; k++) {
            assert_memory_not_equal(bytes + i, TEXT + k, 8);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_memo_knows_nothing),
        cmocka_unit_test(test_the_same_text_is_known),
        cmocka_unit_test(test_every_other_text_is_not),
        cmocka_unit_test(test_the_last_one_counts),
        cmocka_unit_test(test_no_byte_of_the_token_is_kept),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
