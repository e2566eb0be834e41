/*
 * Random texts of pieces that rules care about, in random parts, through the
 * filter: always what the oracle makes of the text in one piece.
 * PROP_SEED, PROP_RUNS: see STYLE.
 */
// LINKS: redact
#include "common/prop.h"
#include "common/rules.h"

enum {
    RUNS_DEFAULT = 300,
    CHUNKINGS = 12,
    PARTS_MAX = 4000,
};

/* One rule for each thing that a rule can say. */
#define META  "\"service\":\"X\",\"description\":\"d\",\"source\":\"s\","
#define TEXTS "\"examples\":[\"«x»\"],\"negatives\":[\"y\"]"
static const char RULES[] =
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":["
    "{\"id\":\"plain\"," META "\"regex\":\"pp_[a-z0-9]{6}\","
    "\"keywords\":[\"pp_\"]," TEXTS "},"
    "{\"id\":\"tail\"," META "\"regex\":\"tt_[a-z0-9]{6}\","
    "\"keywords\":[\"tt_\"],\"tail\":\"a-z0-9\"," TEXTS "},"
    "{\"id\":\"limit\"," META "\"regex\":\"ll_[a-z0-9]{4}\","
    "\"keywords\":[\"ll_\"],\"tail\":\"a-z0-9\",\"tail_max\":5," TEXTS "},"
    "{\"id\":\"stop\"," META "\"regex\":\"\\\\bSS[A-Z]{6}\","
    "\"keywords\":[\"SS\"],\"stop\":\"A-Z\"," TEXTS "},"
    "{\"id\":\"lead\"," META "\"regex\":\"[0-9]{3,6}:AA[a-z]{4}\","
    "\"keywords\":[\":AA\"],\"lead\":\"0-9\",\"lead_max\":6," TEXTS "},"
    "{\"id\":\"block\"," META "\"regex\":\"--BEGIN KEY--[\\\\s|+>]{1,4}"
    "[A-Za-z0-9]{4}\",\"keywords\":[\"--BEGIN KEY\"],\"block\":true,"
    "\"tail\":\"A-Za-z0-9+/= \\\\n|>\\\\-\",\"until\":\"--END KEY--\"," TEXTS
    "},"
    "{\"id\":\"judged\"," META "\"regex\":\"jj_[a-z0-9]{6}\","
    "\"keywords\":[\"jj_\"],\"tail\":\"a-z0-9\",\"entropy\":250,"
    "\"allow\":[\"zz\"],\"words\":true," TEXTS "},"
    "{\"id\":\"url\"," META "\"regex\":\"://[a-z]{1,8}:([^@ ]{3,12})@\","
    "\"secret\":1,\"keywords\":[\"://\"],\"context\":true," TEXTS "},"
    "{\"id\":\"pair\"," META "\"regex\":\"(?i)pass(?:word)?[\\\"']?\\\\s{0,2}"
    "[:=]\\\\s{0,2}[\\\"']?([a-z0-9_:/]{5})\",\"secret\":1,"
    "\"keywords\":[\"pass\"],\"tail\":\"a-z0-9_:/@\",\"context\":true," TEXTS
    "},"
    "{\"id\":\"sign\"," META "\"regex\":\"(?i)pass[\\\\w.\\\\-]{0,30}"
    "[\\\"')]{0,3}\\\\s{0,5}[:=]{1,2}\\\\s{0,2}([a-z0-9]{6})\",\"secret\":1,"
    "\"keywords\":[\"pass\"],\"gate\":\"sign\"," TEXTS "},"
    "{\"id\":\"tag\"," META "\"regex\":\"<[a-z]{0,20}xyz(?:\\\\s[^<>]{0,40})?>"
    "([a-z0-9]{4})\",\"secret\":1,\"keywords\":[\"xyz\"],\"gate\":"
    "\"tag\"," TEXTS "},"
    "{\"id\":\"quote\"," META "\"regex\":\"[\\\"']zz[^\\\"']{0,20}[\\\"']"
    "\\\\s{1,3}([a-z0-9]{4})\",\"secret\":1,\"keywords\":[\"zz\"],"
    "\"gate\":\"quote\"," TEXTS "},"
    "{\"id\":\"run\"," META "\"regex\":\"word[\\\\w\\\\-]{0,16}[ :=\\\\-]{1,3}"
    "([A-Za-z0-9_\\\\-]{24})\",\"secret\":1,\"keywords\":[\"word\"],"
    "\"gate\":\"run\"," TEXTS "},"
    "{\"id\":\"value\"," META "\"regex\":\"\\\\b(?i:user)[\\\\w.\\\\- ]{0,24}"
    "(?i:key|pass|api)[\\\\w.\\\\- "
    "]{0,16}[\\\"']{0,3}[\\\\s=:>,(]{1,6}[\\\"']{0,2}"
    "([a-z0-9_]{16})\",\"secret\":1,\"keywords\":[\"user\"],"
    "\"gate\":\"value\"," TEXTS "}]}";

static const char *const PIECES[] = {
    "pp_",
    "tt_",
    "ll_",
    "SS",
    ":AA",
    "jj_",
    "://",
    "pass",
    "word",
    "Pass",
    "PASSWORD",
    "=",
    ":",
    "@",
    " ",
    "\n",
    "\"",
    "'",
    "zz",
    "abc",
    "abcdef",
    "q7x2k9",
    "ABCDEF",
    "XYZ",
    "123",
    "4567",
    "--BEGIN KEY--",
    "--END KEY--",
    "--",
    "| ",
    "> ",
    "user:",
    "u",
    "0",
    "_",
    ".",
    "[redacted:a/b]",
    "xxxxx",
    "BEGIN",
    "\t",
    "+",
    "/",
    "example",
    "k3v9w1",
    "<",
    ">",
    "xyz",
    "user_",
    "api",
    "_key",
    "0123456789abcdef",
    "a_b-c",
    ",",
};

static struct rules_oracle oracle;

static void
add_piece(struct buf *text)
{
    size_t n = prop_below(20);

    if (n == 0) { /* a run that no window sees the whole of */
        size_t len = prop_below(1500);

        for (size_t i = 0; i < len; i++) {
            check_ok(buf_add_byte(
                text, (uint8_t) "abcdefghijklmnop0123456789"[prop_below(26)]));
        }
    } else if (n == 1) {
        check_ok(buf_add_byte(text, (uint8_t)prop_below(256)));
    } else {
        const char *piece = PIECES[prop_below(AG_COUNT(PIECES))];

        check_ok(buf_add(text, span_sub(span_str(piece), 0,
                                        n == 2 ? 1 + prop_below(8) : 64)));
    }
}

static size_t
random_parts(size_t lens[PARTS_MAX])
{
    size_t most = 1 + prop_below(prop_below(3) == 0 ? 600 : 12);

    for (size_t i = 0; i < PARTS_MAX; i++) {
        lens[i] = 1 + prop_below(most);
    }
    return prop_below(8) == 0 ? 0 : PARTS_MAX;
}

/* Where they part. */
static void
explain(const struct buf *got, const struct buf *want)
{
    size_t at = 0;

    while (at < got->len && at < want->len && got->ptr[at] == want->ptr[at]) {
        at++;
    }
    at = at > 80 ? at - 80 : 0;
    print_error("got:  %.200s\n", (const char *)got->ptr + at);
    print_error("want: %.200s\n", (const char *)want->ptr + at);
}

static size_t
one_run(const struct rule_set *set)
{
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf want = {0};
    size_t count = 1 + prop_below(60);

    buf_init(&text, RULES_TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&want, (size_t)2 * RULES_TEXT_MAX_BYTES, BUF_PLAIN);
    while (count-- > 0) {
        add_piece(&text);
    }
    rules_oracle(&oracle, set, buf_view(&text), &want);
    for (int i = 0; i < CHUNKINGS; i++) {
        AG_AUTO(buf) struct buf got = {0};
        static size_t lens[PARTS_MAX];
        size_t parts = random_parts(lens);

        buf_init(&got, (size_t)2 * RULES_TEXT_MAX_BYTES, BUF_PLAIN);
        rules_filter(set, buf_view(&text), lens, parts, &got);
        if (!span_equal(buf_view(&got), buf_view(&want))) {
            check_ok(buf_add_byte(&got, 0));
            check_ok(buf_add_byte(&want, 0));
            explain(&got, &want);
            fail();
        }
    }
    return memmem(want.ptr, want.len, "[redacted:rule", 14) != NULL;
}

static void
test_any_chunking_is_the_whole(void **state)
{
    struct rule_set *set = rules_of(RULES);
    uint64_t runs = prop_begin(RUNS_DEFAULT);
    size_t hits = 0;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        hits += one_run(set);
    }
    assert_true(hits > runs / 4);
    rule_set_free(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_chunking_is_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
