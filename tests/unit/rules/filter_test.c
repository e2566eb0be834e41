/* The filter for unknown secrets, case by case; chunkings are a property test.
 */
// LINKS: redact
#include "common/rules.h"
#include "redact/lockmem.h"

#define META  "\"service\":\"X\",\"description\":\"d\",\"source\":\"s\","
#define TEXTS "\"examples\":[\"«x»\"],\"negatives\":[\"y\"]"
static const char RULES[] =
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":["
    "{\"id\":\"token\"," META "\"regex\":\"tt_[a-z0-9]{36}\","
    "\"keywords\":[\"tt_\"],\"tail\":\"a-z0-9\"," TEXTS "},"
    "{\"id\":\"stop\"," META "\"regex\":\"QQ[A-Z]{6}\","
    "\"keywords\":[\"QQ\"],\"stop\":\"A-Z\"," TEXTS "},"
    "{\"id\":\"key\"," META "\"regex\":\"--BEGIN--[a-z]{4}\","
    "\"keywords\":[\"--BEGIN\"],\"block\":true,\"tail\":\"a-z\\\\n\\\\-END\","
    "\"until\":\"--END--\"," TEXTS "},"
    "{\"id\":\"keyless\"," META "\"regex\":\"kk_[0-9]{4}|zz_[0-9]{4}\","
    "\"keywords\":[\"zz_\"]," TEXTS "},"
    "{\"id\":\"run\"," META "\"regex\":\"rr=([a-z ]{4});\",\"secret\":1,"
    "\"keywords\":[\"rr=\"]," TEXTS "},"
    "{\"id\":\"inner\"," META "\"regex\":\"nn=([a-z]{2,4});\",\"secret\":1,"
    "\"keywords\":[\"nn=\"],\"tail\":\"a-z;\"," TEXTS "},"
    "{\"id\":\"limit\"," META "\"regex\":\"ll_[a-z]{2}\","
    "\"keywords\":[\"ll_\"],\"tail\":\"a-z\",\"tail_max\":3," TEXTS "},"
    "{\"id\":\"border\"," META "\"regex\":\"\\\\bvv_[0-9]{4}\","
    "\"keywords\":[\"vv_\"]," TEXTS "},"
    "{\"id\":\"gated\"," META "\"regex\":\"gg[a-z]{0,9} = ([0-9]{4})\","
    "\"secret\":1,\"keywords\":[\"gg\"],\"gate\":\"sign\"," TEXTS "},"
    "{\"id\":\"late\"," META "\"regex\":\"[0-9]{32}-us[0-9]{1}\","
    "\"keywords\":[\"-us\"],\"lead\":\"0-9\",\"lead_max\":32," TEXTS "},"
    "{\"id\":\"pair\"," META "\"regex\":\"pass=([a-z0-9_:/\\\\[\\\\]]{5})\","
    "\"secret\":1,\"keywords\":[\"pass\"],"
    "\"tail\":\"a-z0-9_:/\\\\[\\\\]\",\"context\":true," TEXTS "}]}";

#define TOKEN "tt_0123456789abcdefghijklmnopqrstuvwxyz" /* 39 bytes */

struct fixture {
    struct rule_set *set;
    struct rule_filter *filter;
    struct buf out;
    size_t hits;
    uint64_t offset; /* of the last */
    char name[64];
};

static void
on_hit(void *ctx, const struct redactor_hit *hit)
{
    struct fixture *f = ctx;

    f->hits++;
    f->offset = hit->offset;
    assert_int_equal(hit->id & RULE_FILTER_ID_BITS, RULE_FILTER_ID_BITS);
    (void)snprintf(f->name, sizeof(f->name), "%.*s", (int)hit->name.len,
                   (const char *)hit->name.ptr);
}

static bool
leave_token(void *ctx, struct span secret)
{
    (void)ctx;
    return span_is(secret, TOKEN);
}

static void
begin(struct fixture *f, bool (*leave)(void *ctx, struct span secret),
      const char *marker)
{
    const struct rule_filter_terms terms = {
        .set = f->set,
        .level = RULES_ALL,
        .leave = leave,
        .options = {.marker = marker, .hit_ctx = f, .on_hit = on_hit}};
    const struct sink next = {.ctx = &f->out, .feed = rules_gather};

    f->hits = 0;
    buf_clear(&f->out);
    rule_filter_free(f->filter);
    f->filter = NULL;
    check_ok(rule_filter_new(&terms, &next, &f->filter));
}

static void
feed(struct fixture *f, const char *text, const char *shown)
{
    check_ok(rule_filter_feed(f->filter, span_str(text)));
    check_ok(rule_filter_settle(f->filter));
    check_span(buf_view(&f->out), shown);
}

static void
idle(struct fixture *f, const char *shown)
{
    check_ok(rule_filter_idle(f->filter));
    assert_false(rule_filter_is_holding(f->filter));
    check_span(buf_view(&f->out), shown);
}

static void
finish(struct fixture *f, const char *shown)
{
    check_ok(rule_filter_finish(f->filter));
    check_span(buf_view(&f->out), shown);
}

static void
test_nothing_is_held_without_reason(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "ls -l word", "ls -l word");
    assert_false(rule_filter_is_holding(f->filter));
    feed(f, "\n$ t", "ls -l word\n$ "); /* tt_ may follow */
    assert_true(rule_filter_is_holding(f->filter));
    assert_int_equal(rule_filter_held_bytes(f->filter), 1);
    feed(f, "o", "ls -l word\n$ to");
    assert_false(rule_filter_is_holding(f->filter));
}

/* Typed, on a terminal: at once, unless it is a token's own looks. */
static void
test_typed_letters(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "t", "");
    check_ok(rule_filter_pause(f->filter));
    check_span(buf_view(&f->out), "t");
    feed(f, "t_01234567", "t"); /* not typed */
    check_ok(rule_filter_pause(f->filter));
    check_span(buf_view(&f->out), "t");
    idle(f, "tt_012345");
    /* Seen but for its keyword: the rest of that is no secret either. */
    begin(f, NULL, NULL);
    feed(f, "01234567890123456789012345678901-u", "");
    idle(f, "01234567890123456789012345678901-u");
    begin(f, NULL, NULL);
    check_ok(rule_filter_feed(f->filter, span_str("vv_x")));
    check_ok(rule_filter_settle(f->filter));
    idle(f, "vv_x"); /* nothing is there of what may begin behind it */
    /* The keyword is there, and no match can come of it. */
    begin(f, NULL, NULL);
    feed(f, "att_0123456789-----------------", "a");
    idle(f, "att_0123456789-----------------");
    feed(f, "o", "att_0123456789-----------------");
    check_ok(rule_filter_pause(f->filter));
    finish(f, "att_0123456789-----------------o");
}

static void
test_a_token_is_held_then_taken_out(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "a tt_0123456789", "a ");
    feed(f, "abcdefghijklmnopqrstuvwxyz", "a ");
    feed(f, "more", "a "); /* its end is open, and nothing of it is shown */
    feed(f, " b", "a [redacted:rule:token] b");
    assert_int_equal(f->hits, 1);
    assert_int_equal(f->offset, 2);
    assert_string_equal(f->name, "rule:token");
    finish(f, "a [redacted:rule:token] b");
}

static void
test_a_pause(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "tt_0123456789abcdef", "");
    idle(f, "tt_012345"); /* a quarter of 39 */
    feed(f, "ghijklmnopqrstuvwxyz ", "tt_012345[redacted:rule:token] ");
    /* Whole but for what may follow: taken out at once, and what follows too. */
    begin(f, NULL, NULL);
    feed(f, TOKEN, "");
    idle(f, "[redacted:rule:token]");
    feed(f, "more b", "[redacted:rule:token] b");
    assert_int_equal(f->hits, 1);
    /* Nothing of a rule's own: all of it. */
    begin(f, NULL, NULL);
    feed(f, "pass=abc", "");
    idle(f, "pass=abc");
    feed(f, "defgh ", "pass=abc[redacted:rule:pair] ");
    /* What must not follow decides at a pause as at the end. */
    begin(f, NULL, NULL);
    feed(f, "QQABCDEF", "");
    idle(f, "[redacted:rule:stop]");
}

static void
test_long_ones_cost_no_memory(void **state)
{
    struct fixture *f = *state;
    static char run[64 * 1024 + 1];
    size_t locked;

    memset(run, 'x', sizeof(run) - 1);
    begin(f, NULL, NULL);
    locked = lockmem_used_bytes();
    feed(f, TOKEN, "");
    for (int i = 0; i < 64; i++) {
        feed(f, run, "[redacted:rule:token]");
        assert_true(rule_filter_held_bytes(f->filter) <=
                    RULE_FILTER_HELD_MAX_BYTES);
    }
    assert_int_equal(lockmem_used_bytes(), locked);
    feed(f, " end ", "[redacted:rule:token] end ");
}

static void
test_another_text_knows_nothing_of_the_first(void **state)
{
    struct fixture *f = *state;
    static char run[64 * 1024 + 1];

    memset(run, 'x', sizeof(run) - 1);
    begin(f, NULL, NULL);
    feed(f, run, run);
    buf_clear(&f->out);
    feed(f, " tt_012345", " ");
    check_ok(rule_filter_restart(f->filter));
    assert_int_equal(rule_filter_position(f->filter), 0);
    buf_clear(&f->out);
    feed(f, "6789abcdefghijklmnopqrstuvwxyz ", /* not a whole one */
         "6789abcdefghijklmnopqrstuvwxyz ");
    assert_int_equal(f->hits, 0);

    check_ok(rule_filter_restart(f->filter));
    buf_clear(&f->out);
    feed(f, TOKEN, "");
    idle(f, "[redacted:rule:token]"); /* and may go on */
    check_ok(rule_filter_restart(f->filter));
    buf_clear(&f->out);
    f->hits = 0;
    feed(f, "xyz " TOKEN " ", "xyz [redacted:rule:token] ");
    assert_int_equal(f->hits, 1);
    assert_int_equal(f->offset, 4);
    finish(f, "xyz [redacted:rule:token] ");
    check_ok(rule_filter_restart(f->filter));
    feed(f, "!", "xyz [redacted:rule:token] !");
}

/* A rule with a gate is looked for near its keyword, in this text. */
static void
test_gates_are_asked_text_by_text(void **state)
{
    struct fixture *f = *state;
    static char run[8 * 1024 + 1];

    memset(run, '~', sizeof(run) - 1);
    begin(f, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        buf_clear(&f->out);
        f->hits = 0;
        feed(f, "gg = 1234 gg is = 1234 GGx = 1234; ggx = 5678 ",
             "gg = [redacted:rule:gated] gg is = 1234 GGx = 1234; ggx = "
             "[redacted:rule:gated] ");
        buf_clear(&f->out);
        feed(f, run, run);
        buf_clear(&f->out);
        feed(f, "gg = 1234 ", "gg = [redacted:rule:gated] ");
        assert_int_equal(f->hits, 3);
        if (i == 0) {
            check_ok(rule_filter_restart(f->filter));
        }
    }
    check_ok(rule_filter_finish(f->filter));
    check_ok(rule_filter_restart(f->filter));
    buf_clear(&f->out);
    feed(f, "gg = 1234 ", "gg = [redacted:rule:gated] ");
}

static void
test_blocks_have_an_end(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "x --BEG", "x ");
    feed(f, "IN--abcd\nef", "x ");
    feed(f, "\n--END--\nab\n", "x [redacted:rule:key]\nab\n");
    feed(f, "--BEGIN--\n", "x [redacted:rule:key]\nab\n");
    finish(f, "x [redacted:rule:key]\nab\n--BEGIN--\n");
}

static void
test_what_is_left(void **state)
{
    struct fixture *f = *state;

    begin(f, leave_token, NULL);
    feed(f, "a " TOKEN " b " TOKEN "x ",
         "a " TOKEN " b [redacted:rule:token] ");
    /* A known value's marker where a pair has its value; a marker of ours. */
    begin(f, NULL, "[gone:%s]");
    feed(f, "pass=x[gone:a/b] ", "pass=x[gone:a/b] ");
    feed(f, "pass=abcdef ", "pass=x[gone:a/b] pass=[gone:rule:pair] ");
    begin(f, NULL, NULL);
    feed(f, "pass=x[gone:a/b] ", "pass=[redacted:rule:pair] ");
    /* A marker's name is no secret, even where a rule's context ends in it. */
    begin(f, NULL, "pass=%s]");
    feed(f, "pass=ab/c] ", "pass=ab/c] ");
    feed(f, "pass=ab/cd] ", "pass=ab/c] pass=pass=rule:pair] ");
    begin(f, NULL, "xpass=%s]");
    feed(f, "a pass=ab/c] xpass=ab/c] ",
         "a pass=xpass=rule:pair] xpass=ab/c] ");
    begin(f, NULL, " %s0");
    feed(f, "a vv_1230 ", "a  rule:border0 ");
    begin(f, NULL, "pass=%s");
    feed(f, "pass=ab/c] ", "pass=pass=rule:pair ");
    begin(f, NULL, "%s]");
    feed(f, "pass=ab/c] ", "pass=rule:pair] ");
    begin(f, NULL, "pass=]");
    feed(f, "pass=ab/c] ", "pass=pass=] ");
}

static bool
leave_all(void *ctx, struct span secret)
{
    (void)ctx;
    (void)secret;
    return true;
}

/* Whether a secret is left does not depend on how much of the text is there,
 * nor on a pause. */
static void
test_what_is_left_in_one_part_and_in_two(void **state)
{
    struct fixture *f = *state;
    char run[RULE_JUDGED_BYTES + 1];
    char text[2 * RULE_JUDGED_BYTES];

    for (size_t i = 0; i < RULE_JUDGED_BYTES; i++) {
        run[i] = (char)('a' + i % 26);
    }
    run[RULE_JUDGED_BYTES] = '\0';
    (void)snprintf(text, sizeof(text), TOKEN "%s ", run);
    begin(f, leave_all, NULL);
    feed(f, text, "[redacted:rule:token] ");
    begin(f, leave_all, NULL);
    feed(f, TOKEN, "");
    feed(f, text + sizeof(TOKEN) - 1, "[redacted:rule:token] ");
    /* The same of a marker behind what is looked at. */
    (void)snprintf(text, sizeof(text), "pass=abcde%s[redacted:a/b] ", run);
    begin(f, NULL, NULL);
    feed(f, text, "pass=[redacted:rule:pair] ");
    begin(f, leave_token, NULL);
    feed(f, TOKEN, "");
    idle(f, "tt_012345");
    feed(f, " ", TOKEN " ");
}

/* What a rule's regex matches and the rule does not find. */
static void
test_what_is_no_hit(void **state)
{
    struct fixture *f = *state;

    begin(f, NULL, NULL);
    feed(f, "zz_1234 kk_1234 ", "[redacted:rule:keyless] kk_1234 ");
    begin(f, NULL, NULL);
    feed(f, "rr=abcd; rr=ab d; ", "rr=[redacted:rule:run]; rr=ab d; ");
    begin(f, NULL, NULL); /* its tail would begin behind the `;` */
    feed(f, "nn=abc;xx ", "nn=abc;xx ");
    begin(f, NULL, NULL); /* a tail of three at most */
    feed(f, "ll_abcdefgh ", "[redacted:rule:limit]fgh ");
    begin(f, NULL, NULL); /* the byte before a window counts */
    feed(f, "vv_1234 ", "[redacted:rule:border] ");
    feed(f, "avv_1234 ", "[redacted:rule:border] avv_1234 ");
}

static void
test_overlaps_are_one_hole(void **state)
{
    struct fixture *f = *state;

    /* At one start the rule that needs no context names it. */
    begin(f, NULL, NULL);
    feed(f, "pass=" TOKEN " ", "pass=[redacted:rule:token] ");
    /* The leftmost does, and the hole ends where the last of them does. */
    begin(f, NULL, NULL);
    feed(f, "pass=a_" TOKEN "zz/x ", "pass=[redacted:rule:pair] ");
    assert_int_equal(f->hits, 1);
}

static void
test_markers_are_checked(void **state)
{
    struct fixture *f = *state;
    const struct rule_filter_terms terms = {.set = f->set,
                                            .options = {.marker = "%s %s"}};
    const struct sink next = {.ctx = &f->out, .feed = rules_gather};
    struct rule_filter *none = NULL;

    check_err(rule_filter_new(&terms, &next, &none), AG_EINVAL);
    assert_null(none);
}

static int
setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.set = rules_of(RULES)};
    buf_init(&f.out, RULES_TEXT_MAX_BYTES, BUF_PLAIN);
    *state = &f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    rule_filter_free(f->filter);
    rule_set_free(f->set);
    buf_done(&f->out);
    assert_int_equal(lockmem_used_bytes(), 0);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_held_without_reason),
        cmocka_unit_test(test_typed_letters),
        cmocka_unit_test(test_a_token_is_held_then_taken_out),
        cmocka_unit_test(test_a_pause),
        cmocka_unit_test(test_long_ones_cost_no_memory),
        cmocka_unit_test(test_another_text_knows_nothing_of_the_first),
        cmocka_unit_test(test_gates_are_asked_text_by_text),
        cmocka_unit_test(test_blocks_have_an_end),
        cmocka_unit_test(test_what_is_left),
        cmocka_unit_test(test_what_is_left_in_one_part_and_in_two),
        cmocka_unit_test(test_what_is_no_hit),
        cmocka_unit_test(test_overlaps_are_one_hole),
        cmocka_unit_test(test_markers_are_checked),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
