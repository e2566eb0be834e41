/*
 * The shipped rules: texts made of their examples, of what is nearly one and of
 * what stands in transcripts, in random parts through the filter, are what the
 * oracle makes of them whole (common/rules_whole.h). The same behind the filter
 * for known values, which are pieces of the text, as a task gets it: what that
 * one's oracle (prop/redact/oracle.h) makes of the whole text is the text then.
 * PROP_SEED, PROP_RUNS: see STYLE.
 */
#include "common/prop.h"
#include "common/rules_whole.h"
#include "prop/redact/oracle.h"
#include "redact/rule_filter.h"
#include "rules/example.h"
#include "rules/load.h"

enum {
    RUNS_DEFAULT = 150,
    CHUNKINGS = 6,
    ENDS_TRIED = 3, /* rules whose every end PCRE2 alone looks for */
    PIECES_MAX = 40,
    VALUES_MAX = 4,
    VALUE_MIN_BYTES = 12, /* as long as a marker: the text does not grow */
    VALUE_MAX_BYTES = 48,
    RUN_MAX_BYTES = 2500, /* longer than any window with what is judged */
};

static struct whole whole;
static struct rule_set *set;
static struct rule_book *book;

/* ---- texts ---- */

static const char *const LINES[] = {
    "{\"timestamp\":\"2026-02-03T04:05:06Z\",\"payload\":{\"text\":\"",
    "\"}}\n",
    "\x1b[32m   Compiling\x1b[0m serde v1.0.219\r\n",
    "export API_TOKEN=",
    "  password: \"",
    "\"\n",
    "Authorization: Bearer ",
    "https://user:",
    "@db.example.org:5432/app\n",
    "curl -sS -H 'X-Api-Key: ",
    "'\n",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b\n",
    "def handler(event, context):\n    return os.environ[\"SECRET_KEY\"]\n",
    "00000010: 6d79 2076 616c 7565 2069 7320 6f66 2061  my value is of a\n",
    "the tests pass, and the key to it is that nothing waits\n",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "\n-----END RSA PRIVATE KEY-----\n",
    "[redacted:codex/default]",
    "[redacted:rule:github-token]",
    "https://[redacted:rule:github-token]@",
    "api_key: ",
    "secret=",
    "PASSWORD=",
    "token\\\":\\\"",
    "\\\"",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    " ",
    "\n",
    "\t",
    "&",
    ";",
    "`",
    "+    ",
    "\xe2\x94\x82 ",
};

static const char *const RUNS_OF[] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "abcdefghijklmnopqrstuvwxyz-_.",
    "x",
};

static void
add_run(struct buf *text)
{
    const char *of = RUNS_OF[prop_below(AG_COUNT(RUNS_OF))];
    size_t len = prop_below(prop_below(4) == 0 ? RUN_MAX_BYTES : 40);

    while (len-- > 0) {
        check_ok(buf_add_byte(text, (uint8_t)of[prop_below(strlen(of))]));
    }
}

/* Cut, doubled, a byte wrong, broken by a line's end; or as it is. */
static void
add_bent(struct buf *text, struct span part)
{
    size_t at = prop_below(part.len + 1);

    switch (prop_below(10)) {
    case 0:
        check_ok(buf_add(text, span_sub(part, 0, at)));
        break;
    case 1:
        check_ok(buf_add(text, span_sub(part, at, part.len)));
        break;
    case 2:
        check_ok(buf_add(text, span_sub(part, 0, at)));
        check_ok(buf_add(text, part));
        break;
    case 3:
        check_ok(buf_add(text, span_sub(part, 0, at)));
        check_ok(buf_add_byte(text, (uint8_t)prop_below(256)));
        check_ok(buf_add(text, span_sub(part, at + 1, part.len)));
        break;
    case 4:
        check_ok(buf_add(text, span_sub(part, 0, at)));
        check_ok(buf_add_str(text, prop_below(2) == 0 ? "\n" : WHOLE_MARKER));
        check_ok(buf_add(text, span_sub(part, at, part.len)));
        break;
    case 5:
        check_ok(buf_add(text, part));
        add_run(text);
        break;
    default:
        check_ok(buf_add(text, part));
        break;
    }
}

static void
add_example(struct buf *text)
{
    const struct rule_item *item =
        rule_book_at(book, prop_below(rule_book_count(book)));
    const struct rule_texts *texts =
        prop_below(4) == 0 ? &item->negatives : &item->examples;
    AG_AUTO(rule_example) struct rule_example e;
    struct span made;

    check_ok(rule_example_make(item, texts->items[prop_below(texts->count)],
                               prop_below(SIZE_MAX), &e));
    made = buf_view(&e.text);
    if (made.len > WHOLE_TEXT_MAX_BYTES / 32) { /* a few rules' blocks */
        made = span_sub(made, 0, WHOLE_TEXT_MAX_BYTES / 32);
    }
    add_bent(text, made);
}

static void
make_text(struct buf *text)
{
    /* Some longer than what the filter takes at a time. */
    size_t pieces = 1 + prop_below(prop_below(8) == 0 ? 10 * (size_t)PIECES_MAX
                                                      : (size_t)PIECES_MAX);

    while (pieces-- > 0 && text->len < WHOLE_TEXT_MAX_BYTES / 2) {
        switch (prop_below(8)) {
        case 0:
            add_run(text);
            break;
        case 1:
            check_ok(buf_add_byte(text, (uint8_t)prop_below(256)));
            break;
        case 2:
        case 3:
        case 4:
            check_ok(buf_add_str(text, LINES[prop_below(AG_COUNT(LINES))]));
            break;
        default:
            add_example(text);
            break;
        }
    }
}

/* ---- known values ---- */

/* Pieces of the text without blanks. */
static struct matcher *
make_known(struct span text, struct oracle *o)
{
    struct matcher_value values[VALUES_MAX];
    struct matcher *known = NULL;
    size_t count = 0;

    for (size_t i = 0; i < VALUES_MAX; i++) {
        struct span piece = span_sub(
            text, prop_below(text.len),
            VALUE_MIN_BYTES + prop_below(VALUE_MAX_BYTES - VALUE_MIN_BYTES));
        size_t len = 0;

        while (len < piece.len && piece.ptr[len] > ' ' &&
               piece.ptr[len] < 0x7f) {
            len++;
        }
        if (len >= VALUE_MIN_BYTES) {
            oracle_add(o, piece.ptr, len, "k");
            values[count] =
                (struct matcher_value){.id = count,
                                       .name = span_str("k"),
                                       .value = span_of(piece.ptr, len)};
            count++;
        }
    }
    check_ok(matcher_build(values, count, &known));
    return known;
}

/* ---- the filter ---- */

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* Some secrets are known to be none: by what they are, whatever stands near. */
static bool
leave_some(void *ctx, struct span secret)
{
    size_t sum = 0;

    (void)ctx;
    for (size_t i = 0; i < secret.len; i++) {
        sum += secret.ptr[i];
    }
    return sum % 8 == 0;
}

struct chain {
    struct redactor *redactor; /* NULL: rules alone */
    struct rule_filter *rules;
};

static enum ag_err
feed(const struct chain *c, struct span part)
{
    return c->redactor != NULL ? redactor_feed(c->redactor, part)
                               : rule_filter_feed(c->rules, part);
}

/* Parts of up to `most` bytes, settled after most of them. */
static void
feed_all(const struct chain *c, struct span text, size_t most)
{
    size_t at = 0;

    while (at < text.len) {
        struct span part = span_sub(text, at, 1 + prop_below(most));

        check_ok(feed(c, part));
        at += part.len;
        if (prop_below(4) != 0) {
            check_ok(rule_filter_settle(c->rules));
            assert_true(rule_filter_held_bytes(c->rules) <=
                        RULE_FILTER_HELD_MAX_BYTES);
        }
    }
    check_ok(c->redactor != NULL ? redactor_finish(c->redactor)
                                 : rule_filter_finish(c->rules));
}

static void
filter(struct span text, const struct matcher *known, enum rule_level_set level,
       size_t most, struct buf *out)
{
    const struct rule_filter_terms terms = {
        .set = set, .level = level, .leave = leave_some};
    const struct redactor_options options = {.audience = REDACTOR_TASK};
    struct sink next = {.ctx = out, .feed = gather};
    AG_AUTO(rule_filter) struct rule_filter *f = NULL;
    AG_AUTO(redactor) struct redactor *r = NULL;

    check_ok(rule_filter_new(&terms, &next, &f));
    if (known != NULL) {
        next = rule_filter_sink(f);
        check_ok(redactor_new(&options, &next, &r));
        check_ok(redactor_use(r, known));
    }
    feed_all(&(struct chain){.redactor = r, .rules = f}, text, most);
}

/* ---- both ---- */

/* Where they part. */
static void
explain(const struct buf *got, const struct buf *want)
{
    size_t at = 0;

    while (at < got->len && at < want->len && got->ptr[at] == want->ptr[at]) {
        at++;
    }
    at = at > 150 ? at - 150 : 0;
    print_error("got:  %.400s\n", (const char *)got->ptr + at);
    print_error("want: %.400s\n", (const char *)want->ptr + at);
}

/* Of a rule every end, by PCRE2 alone: what Vectorscan in one block says. */
static void
check_ends(size_t index)
{
    size_t count = 0;

    for (size_t end = 1; end <= whole.text.len; end++) {
        struct whole_hit hit;

        count += whole_match(&whole, &whole.rules[index], end, &hit) ? 1 : 0;
    }
    assert_int_equal(count, whole.ends[index]);
}

static void
check_chunkings(struct span text, const struct matcher *known,
                enum rule_level_set level, struct buf *want)
{
    for (int i = 0; i < CHUNKINGS; i++) {
        static const size_t MOST[CHUNKINGS] = {
            WHOLE_TEXT_MAX_BYTES, 1, 7, 64, 700, 4096};
        AG_AUTO(buf) struct buf got = {0};

        buf_init(&got, (size_t)16 * WHOLE_TEXT_MAX_BYTES, BUF_PLAIN);
        filter(text, known, level, MOST[i], &got);
        if (!span_equal(buf_view(&got), buf_view(want))) {
            check_ok(buf_add_byte(&got, 0));
            check_ok(buf_add_byte(want, 0));
            print_error("text of %zu bytes, parts up to %zu, %s\n", text.len,
                        MOST[i], known != NULL ? "known values" : "rules");
            explain(&got, want);
            fail();
        }
    }
}

static void
one_run(void)
{
    enum rule_level_set level = prop_below(3) == 0 ? RULES_ALL : RULES_DEFAULT;
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf want = {0};

    buf_init(&text, WHOLE_TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&want, (size_t)16 * WHOLE_TEXT_MAX_BYTES, BUF_PLAIN);
    make_text(&text);
    whole_redact(&whole, buf_view(&text), level == RULES_ALL, &want);
    for (int i = 0; i < ENDS_TRIED; i++) {
        check_ends(prop_below(whole.rule_count));
    }
    check_chunkings(buf_view(&text), NULL, level, &want);
}

static size_t
one_run_with_known(void)
{
    enum rule_level_set level = prop_below(3) == 0 ? RULES_ALL : RULES_DEFAULT;
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf want = {0};
    struct oracle o = {NULL, 0};
    struct matcher *known;
    struct bytes first;
    size_t holes = 0;

    buf_init(&text, WHOLE_TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&want, (size_t)16 * WHOLE_TEXT_MAX_BYTES, BUF_PLAIN);
    make_text(&text);
    known = make_known(buf_view(&text), &o);
    first = oracle_redact(&o, text.ptr, text.len, true, &holes);
    whole_redact(&whole, span_of(first.ptr, first.len), level == RULES_ALL,
                 &want);
    check_chunkings(buf_view(&text), known, level, &want);
    matcher_unref(known);
    oracle_done(&o);
    bytes_done(&first);
    return holes;
}

static void
test_any_chunking_is_the_whole(void **state)
{
    uint64_t runs = prop_begin(RUNS_DEFAULT);
    size_t secrets = 0;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        whole.secret_count = 0;
        one_run();
        secrets += whole.secret_count;
    }
    print_message("%zu rules, %llu texts, %zu secrets\n", whole.count,
                  (unsigned long long)runs, secrets);
    assert_true(secrets > runs);
}

static void
test_known_values_first_any_chunking_is_the_whole(void **state)
{
    uint64_t runs = prop_begin(RUNS_DEFAULT) / 3 + 1;
    size_t secrets = 0;
    size_t holes = 0;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        whole.secret_count = 0;
        holes += one_run_with_known();
        secrets += whole.secret_count;
    }
    print_message("%llu texts, %zu known values, %zu secrets\n",
                  (unsigned long long)runs, holes, secrets);
    assert_true(secrets > runs && holes > runs);
}

static int
load(void **state)
{
    char path[] = AG_SOURCE_DIR "/schema/rules";
    char *const paths[] = {path};
    const struct rule_source source = {.dir = AG_BINARY_DIR "/rules",
                                       .level = RULES_ALL};
    size_t first_count = 0;

    (void)state;
    check_ok(rule_book_load(paths, 1, &book));
    for (size_t i = 0; i < rule_book_count(book); i++) {
        first_count +=
            rule_book_at(book, i)->level == RULE_LEVEL_DEFAULT ? 1 : 0;
    }
    check_ok(rule_set_load(&source, &set));
    whole_init(&whole, set, first_count);
    whole.leave = leave_some;
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    whole_done(&whole);
    rule_set_free(set);
    rule_book_free(book);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_chunking_is_the_whole),
        cmocka_unit_test(test_known_values_first_any_chunking_is_the_whole),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
