/* Tokens and recovery codes: every random value survives, every change of the
 * text is refused or (for codes) means the same. */
#include <ctype.h>

#include "common/arena.h"
#include "common/prop.h"
#include "crypt/slot.h"
#include "crypt/token.h"

static void
check_token(void)
{
    enum token_kind kind = (enum token_kind)prop_below(3);
    uint8_t raw[TOKEN_RAW_BYTES];
    uint8_t back[TOKEN_RAW_BYTES];
    char text[TOKEN_TEXT_BYTES];
    size_t at = prop_below(TOKEN_CHARS);
    char kept;

    prop_bytes(raw, sizeof(raw));
    token_text(kind, span_of(raw, sizeof(raw)), text);
    check_ok(token_parse(kind, span_str(text), back));
    assert_memory_equal(raw, back, sizeof(raw));
    kept = text[at];
    prop_bytes(&text[at], 1);
    if (text[at] != kept) {
        check_err(token_parse(kind, span_of(text, TOKEN_CHARS), back),
                  AG_ETOKEN);
    }
}

static char
lower(char c)
{
    return (char)tolower((unsigned char)c);
}

/* Dashes and blanks anywhere, any case: the same code. */
static void
check_code(void)
{
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(secret) struct secret *bytes = NULL;
    AG_AUTO(secret) struct secret *again = NULL;
    char typed[200];
    size_t len = 0;

    check_ok(slot_recovery_new(&code));
    check_ok(slot_recovery_parse(secret_view(code), &bytes));
    for (size_t i = 0; i < secret_len(code); i++) {
        char c = (char)secret_bytes(code)[i];

        while (prop_below(5) == 0) {
            typed[len++] = "- \t\n"[prop_below(4)];
        }
        if (c == '-') {
            continue;
        }
        if (prop_below(2) == 0) {
            c = lower(c);
        }
        typed[len++] = c;
    }
    check_ok(slot_recovery_parse(span_of(typed, len), &again));
    assert_true(secret_equal(bytes, again));
}

static void
test_texts(void **state)
{
    uint64_t runs = prop_begin(5000);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        check_token();
        check_code();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
