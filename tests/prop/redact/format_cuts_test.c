/* A text of each format, with values and what rules take: the same comes out
 * wherever it is cut in two, and byte by byte. */
// LINKS: rules
#include "common/formats.h"
#include "common/rules.h"

static const char *const VALUES[] = {
    "q7RtWz90\"LmX\\cAb12/+", "hunter7\xc3\xa9Xq\xf0\x9f\x98\x80Kz", "s9-Fq2",
    "Kf83jXq0ZmT1vB7yRwL5uE2aHs9c\nPd6Gn4Yo8WkC3iQxJ0bMz7tVrA1e\nUh5lSf2",
    NULL};

#define META  "\"service\":\"X\",\"description\":\"d\",\"source\":\"s\","
#define TEXTS "\"examples\":[\"«x»\"],\"negatives\":[\"y\"]"
static const char RULES[] =
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":["
    "{\"id\":\"tail\"," META "\"regex\":\"tt_[a-z0-9]{6}\","
    "\"keywords\":[\"tt_\"],\"tail\":\"a-z0-9\"," TEXTS "},"
    "{\"id\":\"pair\"," META "\"regex\":\"(?i)pass(?:word)?[\\\"']?\\\\s{0,2}"
    "[:=]\\\\s{0,2}[\\\"']?([a-z0-9_:/]{5})\",\"secret\":1,"
    "\"keywords\":[\"pass\"],\"tail\":\"a-z0-9_:/@\",\"context\":true," TEXTS
    "}]}";

#define DELTA(id, text)                                                        \
    "{\"type\":\"d\",\"item_id\":\"" id "\",\"delta\":\"" text "\"}\n"
#define EVENT(text)                                                            \
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","     \
    "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text          \
    "\"}}\n\n"

static const struct {
    enum format format;
    const char *in;
    const char *out;
} CUTS[] = {
    {STREAM_JSONL,
     "{\"a\":\"q7RtWz90\\\"LmX\\\\cAb12\\/+ tt_abcdef12\"}\nlog s9-Fq2\n"
     "{\"password\":\"abc12345\",\"id\":\"tt_abcdef\",\"o\":\"{\\\"a\\\":"
     "\\\"tt_abcdef\\\"}\"}\n" DELTA("1", "is q7RtWz90\\\"")
         DELTA("2", "tt_ab") "{\"x\":null}\n" DELTA("1", "LmX\\\\cAb12/+.")
             DELTA("2", "cdefgh"),
     "{\"a\":\"[redacted:v1] [redacted:rule:tail]\"}\nlog [redacted:v3]\n"
     "{\"password\":\"[redacted:rule:pair]\",\"id\":\"tt_abcdef\",\"o\":\"{"
     "\\\"a\\\":\\\"[redacted:rule:tail]\\\"}\"}\n" DELTA("1",
                                                          "is [redacted:v1]")
         DELTA("2", "[redacted:rule:tail]") "{\"x\":null}\n" DELTA("1", ".")
             DELTA("2", "")},
    {STREAM_JSON, "[\n \"q7RtWz90\\\"LmX\\\\cAb12\\/+\",\n {\"s9-Fq2\": 1}\n]",
     "[\n \"[redacted:v1]\",\n {\"[redacted:v3]\": 1}\n]"},
    {STREAM_SSE,
     ": hi\n\n" EVENT("q7RtWz90") EVENT("\\\"LmX") EVENT("\\\\cAb12/+ tt_abc")
         EVENT("def") "data: [DONE]\r\n\r\n",
     ": hi\n\n" EVENT("[redacted:v1]") EVENT("") EVENT(" [redacted:rule:tail]")
         EVENT("") "data: [DONE]\r\n\r\n"},
    {STREAM_MARKDOWN,
     "> Kf83jXq0ZmT1vB7yRwL5uE2aHs9c\r\n> Pd6Gn4Yo8WkC3iQxJ0bMz7tVrA1e\r\n> "
     "Uh5lSf2\r\n- "
     "s9-Fq2",
     "> [redacted:v4]\r\n> [redacted:v4]\r\n> Uh5lSf2\r\n- "
     "[redacted:v3]"},
    {STREAM_DIFF,
     "@@ -1 +1,4 "
     "@@\n+Kf83jXq0ZmT1vB7yRwL5uE2aHs9c\n+Pd6Gn4Yo8WkC3iQxJ0bMz7tVrA1e\n+"
     "Uh5lSf2\n"
     "-s9-Fq2\n tt_abcdef\n",
     "@@ -1 +1,4 @@\n+[redacted:v4]\n+[redacted:v4]\n+Uh5lSf2\n"
     "-[redacted:v3]\n [redacted:rule:tail]\n"},
};

static void
check_cut(size_t n, size_t first, size_t step, const struct rule_set *rules)
{
    struct span in = span_str(CUTS[n].in);
    struct formats_rig rig;

    formats_init(&rig, CUTS[n].format, REDACTOR_OPERATOR, VALUES, rules);
    for (size_t at = 0; at < in.len;) {
        size_t len = at == 0 ? first : step;

        check_ok(format_feed(rig.filter, span_sub(in, at, len)));
        check_ok(format_settle(rig.filter));
        at += len;
    }
    check_ok(format_finish(rig.filter));
    if (!span_equal(buf_view(&rig.out), span_str(CUTS[n].out))) {
        fail_msg("%s, cut at %zu:\n%.*s\n", format_name(CUTS[n].format), first,
                 (int)rig.out.len, (const char *)rig.out.ptr);
    }
    formats_done(&rig);
}

static void
test_every_cut(void **state)
{
    struct rule_set *rules = rules_of(RULES);

    (void)state;
    for (size_t n = 0; n < AG_COUNT(CUTS); n++) {
        size_t len = strlen(CUTS[n].in);

        for (size_t first = 1; first <= len; first++) {
            check_cut(n, first, len, rules);
        }
        for (size_t step = 1; step < 4; step++) {
            check_cut(n, step, step, rules);
        }
    }
    rule_set_free(rules);
}

/* Of a secret that only rules know nothing shows in a part, or all of it. */
static void
test_parts_and_a_pause(void **state)
{
    struct rule_set *rules = rules_of(RULES);
    struct formats_rig rig;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, rules);
    formats_feed(&rig, DELTA("1", "is tt_abcd"));
    check_ok(format_idle(rig.filter));
    formats_expect(&rig, "");
    formats_feed(&rig, DELTA("1", "ef."));
    formats_expect(&rig, DELTA("1", "is [redacted:rule:tail]") DELTA("1", "."));
    formats_feed(&rig, DELTA("1", " tt"));
    formats_expect(&rig, "");
    check_ok(format_idle(rig.filter));
    formats_expect(&rig, DELTA("1", " tt"));
    formats_done(&rig);
    rule_set_free(rules);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_parts_and_a_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
