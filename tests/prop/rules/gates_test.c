/*
 * The shipped rules with gates find what they would without: texts of their
 * keywords, of the words that gates stand behind and of what may stand between
 * these and a value, at any length near what a gate allows, in random parts.
 * PROP_SEED, PROP_RUNS: see STYLE.
 */
// LINKS: redact
#include "common/prop.h"
#include "common/rules.h"
#include "redact/rule_gate.h"
#include "rules/example.h"

enum {
    RUNS_DEFAULT = 4000,
    TEXT_MAX_BYTES = 16 * 1024,
    PLACES_MAX = 24,
    PARTS_MAX = 64,
};

static struct rule_book *book;
static struct rule_set *gated;
static struct rule_set *ungated;
static size_t indexes[RULES_MAX_COUNT]; /* of the rules that have a gate */
static size_t count;

/* ---- texts ---- */

/* What gates stand behind, besides keywords: as the rules' regexes have it. */
static const char *const WORDS[] = {
    "key", "token", "secret", "access", "auth",   "pass",    "private",
    "pat", "sid",   "api",    "cred",   "client", "licence", "license"};

static bool is_long; /* all of the next is as long as can be */

static char
one_of(const char *of)
{
    return of[prop_below(strlen(of))];
}

static void
add_some(struct buf *text, const char *of, size_t most)
{
    for (size_t len = is_long ? most : prop_below(most + 1); len > 0; len--) {
        check_ok(buf_add_byte(text, (uint8_t)one_of(of)));
    }
}

static void
add_any_case(struct buf *text, const char *word)
{
    size_t how = prop_below(3);

    for (; *word != '\0'; word++) {
        bool is_upper = how == 0 || (how == 1 && prop_below(2) == 0);
        uint8_t c = (uint8_t)*word;

        check_ok(buf_add_byte(text,
                              is_upper && c >= 'a' && c <= 'z' ? c & 0xdf : c));
    }
}

/* What may stand between a keyword, a word and a value: mostly what does. */
static void
add_joint(struct buf *text)
{
    switch (prop_below(8)) {
    case 0:
        add_some(text, "aZ0_-.", 24);
        break;
    case 1:
        add_some(text, "aZ0_-. ", 36);
        break;
    case 2:
        add_some(text, "aZ_-.", prop_below(2) == 0 ? 30 : 4);
        add_some(text, "\\", 3);
        add_some(text, "\"'])", 3);
        add_some(text, " \t\n\v\f\r", 5);
        add_some(text, ":=?|<>,", 3);
        break;
    case 3:
    case 4:
    case 5:
        add_some(text, "a_-. ", 16);
        add_some(text, "\"'`])", 3);
        add_some(text, " =:>,(", 6);
        add_some(text, "\"'`", 2);
        break;
    case 6:
        add_some(text, "ab \"=/><", 48);
        break;
    default:
        add_some(text, "=: ", 1);
        break;
    }
}

/* As one of the rule's own examples has it, or of any length. */
static void
add_value(struct buf *text, const struct rule_item *item)
{
    static const char OF[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./+";
    const struct rule_texts *texts = &item->examples;
    AG_AUTO(rule_example) struct rule_example e;

    check_ok(rule_example_make(item, texts->items[prop_below(texts->count)],
                               prop_below(SIZE_MAX), &e));
    if (prop_below(8) == 0) {
        add_some(text, OF, 64);
    } else if (e.secret_count > 0) {
        check_ok(buf_add(text, span_sub(buf_view(&e.text), e.secrets[0].from,
                                        e.secrets[0].to - e.secrets[0].from)));
    }
    add_some(text, "\"'`\n >;<", 3);
}

/* Every second one of the few whose gate is another one. */
static const struct rule_item *
any_rule(void)
{
    bool is_value = prop_below(2) == 0;
    const struct rule_item *item;

    do {
        item = rule_book_at(book, indexes[prop_below(count)]);
    } while ((item->gate == (int)RULE_GATE_VALUE) != is_value);
    return item;
}

static void
add_place(struct buf *text)
{
    const struct rule_item *item = any_rule();

    is_long = prop_below(4) == 0;
    add_any_case(text, item->keywords.items[prop_below(item->keywords.count)]);
    if (prop_below(2) == 0) {
        add_some(text, "aZ0_-. ", 24);
    } else {
        add_joint(text);
    }
    if (item->gate == (int)RULE_GATE_VALUE && prop_below(8) != 0) {
        add_any_case(text, WORDS[prop_below(AG_COUNT(WORDS))]);
        add_joint(text);
    }
    if (prop_below(8) != 0) {
        add_value(text, item);
    }
    is_long = false;
}

static void
make_text(struct buf *text)
{
    for (size_t n = 1 + prop_below(PLACES_MAX); n > 0; n--) {
        add_some(text, "ab_ \n\"<", 3);
        add_place(text);
        if (prop_below(8) == 0) {
            add_some(text, "the words are of no use. \n", 2000);
        }
    }
}

/* ---- both ---- */

static void
filter(const struct rule_set *set, struct span text, struct buf *out)
{
    static const size_t MOST[] = {1, 7, 64, 700, TEXT_MAX_BYTES};
    size_t most = MOST[prop_below(AG_COUNT(MOST))];
    size_t lens[PARTS_MAX];

    for (size_t i = 0; i < PARTS_MAX; i++) {
        lens[i] = 1 + prop_below(most);
    }
    buf_init(out, (size_t)8 * TEXT_MAX_BYTES, BUF_PLAIN);
    rules_filter(set, text, lens, PARTS_MAX, out);
}

static size_t
markers_in(struct span text)
{
    size_t found = 0;

    for (size_t i = 0; i < text.len; i++) {
        found += span_starts(span_sub(text, i, text.len),
                             span_str("[redacted:rule:"))
                     ? 1
                     : 0;
    }
    return found;
}

static void
test_gates_take_nothing_away(void **state)
{
    uint64_t runs = prop_begin(RUNS_DEFAULT);
    size_t secrets = 0;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        AG_AUTO(buf) struct buf text = {0};
        AG_AUTO(buf) struct buf got = {0};
        AG_AUTO(buf) struct buf want = {0};

        buf_init(&text, (size_t)8 * TEXT_MAX_BYTES, BUF_PLAIN);
        make_text(&text);
        filter(gated, buf_view(&text), &got);
        filter(ungated, buf_view(&text), &want);
        if (!span_equal(buf_view(&got), buf_view(&want))) {
            fail_msg("text: %.*s\ngot: %.*s\nwant: %.*s", (int)text.len,
                     (const char *)text.ptr, (int)got.len,
                     (const char *)got.ptr, (int)want.len,
                     (const char *)want.ptr);
        }
        secrets += markers_in(buf_view(&want));
    }
    print_message("%zu rules, %llu texts, %zu secrets\n", count,
                  (unsigned long long)runs, secrets);
    assert_true(secrets > runs / 2 || runs < RUNS_DEFAULT);
}

/* ---- the sets ---- */

static struct rule_set *
compile(void)
{
    AG_AUTO(buf) struct buf pack = {0};
    struct rule_set *set = NULL;
    struct span bytes;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    check_ok(rule_compile(book, RULE_LEVEL_DEFAULT, &pack));
    bytes = buf_view(&pack);
    check_ok(rule_set_new(&bytes, 1, RULE_SET_READY, &set));
    return set;
}

/* The book is changed: first so that level default is those with a gate alone,
 * then so that they have none. */
static int
load(void **state)
{
    char path[] = AG_SOURCE_DIR "/schema/rules";
    char *const paths[] = {path};

    (void)state;
    check_ok(rule_book_load(paths, 1, &book));
    for (size_t i = 0; i < rule_book_count(book); i++) {
        struct rule_item *item =
            (struct rule_item *)(uintptr_t)rule_book_at(book, i);

        item->level = item->gate == (int)RULE_GATE_NONE ? RULE_LEVEL_ALL
                                                        : RULE_LEVEL_DEFAULT;
        if (item->gate != (int)RULE_GATE_NONE) {
            indexes[count++] = i;
        }
    }
    gated = compile();
    for (size_t i = 0; i < count; i++) {
        ((struct rule_item *)(uintptr_t)rule_book_at(book, indexes[i]))->gate =
            (int)RULE_GATE_NONE;
    }
    ungated = compile();
    for (size_t i = 0; i < count; i++) {
        ((struct rule_item *)(uintptr_t)rule_book_at(book, indexes[i]))->gate =
            (int)rule_set_at(gated, i)->gate;
    }
    assert_int_equal(rule_set_count(gated), count);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    rule_set_free(gated);
    rule_set_free(ungated);
    rule_book_free(book);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates_take_nothing_away),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
