/* A value written as its leaf was spelled reads back as the same value. */
#include "base/buf.h"
#include "common/arena.h"
#include "profile/respell.h"

/* What is spelled, respelled and read again. */
static void
check_back(const struct leaf *leaf, const char *value)
{
    AG_AUTO(buf) struct buf raw = {0};
    AG_AUTO(secret) struct secret *back = NULL;
    struct leaf again = *leaf;

    buf_init(&raw, 4096, BUF_PLAIN);
    check_ok(respell(leaf, span_str(value), &raw));
    again.raw = buf_view(&raw);
    check_ok(leaf_value(&again, &back));
    check_span(secret_view(back), value);
}

static void
test_each_spelling(void **state)
{
    static const char *const VALUES[] = {
        "plain",        "quote\"and'apostrophe",
        "back\\slash",  "a:b@c/d?e%f#g",
        "dollar$and`x", "tab\tin it",
        "  blanks  ",   "caf\xc3\xa9",
        "{\"a\":1}",    "",
    };

    static const enum leaf_spelling SPELLINGS[] = {
        SPELL_PLAIN,     SPELL_JSON,    SPELL_YAML_SQ, SPELL_SHELL,
        SPELL_BACKSLASH, SPELL_PERCENT, SPELL_BLOCK};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SPELLINGS); i++) {
        struct leaf leaf = {.pointer = "/a",
                            .spelling = SPELLINGS[i],
                            .raw = span_str("was"),
                            .indent = 4};

        for (size_t k = 0; k < AG_COUNT(VALUES); k++) {
            check_back(&leaf, VALUES[k]);
        }
    }
}

static void
test_lines(void **state)
{
    struct leaf leaf = {.pointer = "/a", .raw = span_str("one line")};
    AG_AUTO(buf) struct buf raw = {0};

    (void)state;
    leaf.spelling = SPELL_JSON;
    check_back(&leaf, "a\nb\n\x01");
    leaf.spelling = SPELL_SHELL;
    check_back(&leaf, "a\nb");
    leaf.raw = span_str("was\ntwo");
    check_back(&leaf, "a\nb");
    leaf.spelling = SPELL_BLOCK;
    leaf.indent = 2;
    check_back(&leaf, "a\n  b\nc");
    leaf.spelling = SPELL_PLAIN;
    leaf.raw = span_str("one line");
    buf_init(&raw, 4096, BUF_PLAIN);
    check_err(respell(&leaf, span_str("a\nb"), &raw), AG_EINVAL);
}

/* Escapes that a reader may not know are made only where one was. */
static void
test_dollars_stay_as_they_were(void **state)
{
    struct leaf leaf = {.pointer = "/a",
                        .spelling = SPELL_SHELL,
                        .raw = span_str("pa$$ \\` x")};
    AG_AUTO(buf) struct buf raw = {0};

    (void)state;
    buf_init(&raw, 4096, BUF_PLAIN);
    check_ok(respell(&leaf, span_str("qb$$ ` y"), &raw));
    check_span(buf_view(&raw), "qb$$ \\` y");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_spelling),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_dollars_stay_as_they_were),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
