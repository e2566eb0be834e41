/*
 * Random sets, random texts with forms, halves of forms and near misses in
 * them; the redactor in random chunks against the oracle. PROP_SEED: STYLE.
 */
#include "common/prop.h"
#include "prop/redact/oracle.h"
#include "redact/redactor.h"
#include "redact/strength.h"

enum {
    VALUES_MAX = 6,
    RUNS_DEFAULT = 400,
    CHUNKINGS_DEFAULT = 25, /* per run: 10,000 in all */
};

static size_t hole_total;

static size_t
rnd(size_t bound)
{
    return prop_below(bound);
}

static const char *const ALPHABETS[] = {
    "acegikmoq",
    "ac",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef",
    "aZ9/+=-_ .,\"'\\<>&$`%!()*~\t",
    "xyz\xc3\xa4\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80/\"",
};

static struct bytes
random_value(void)
{
    const char *alphabet = ALPHABETS[rnd(6)];
    size_t letters = strlen(alphabet);
    size_t len = rnd(3) == 0 ? 4 + rnd(6) : 8 + rnd(50);
    struct bytes v = {NULL, 0, 0};
    size_t i;

    if (alphabet == ALPHABETS[5]) {
        static const char *const CHARS[] = {
            "x", "y", "7", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
            "/", "\""};
        for (i = 0; i < len; i++) {
            bytes_str(&v, CHARS[rnd(8)]);
        }
        return v;
    }
    for (i = 0; i < len; i++) {
        bytes_add(&v, &alphabet[rnd(letters)], 1);
    }
    if (rnd(4) == 0) { /* a value that repeats itself */
        size_t half = v.len / 2;

        for (i = half; i < v.len; i++) {
            v.ptr[i] = v.ptr[i - half];
        }
    }
    if (rnd(5) == 0) { /* of several lines */
        for (i = 0; i < 4; i++) {
            size_t k;

            bytes_str(&v, i % 2 == 0 ? "\n" : "\r\n");
            for (k = 0; k < 10U + 10U * i; k++) {
                bytes_add(&v, &alphabet[rnd(letters)], 1);
            }
        }
    }
    return v;
}

static struct bytes
random_text(const struct oracle *o)
{
    struct bytes t = {NULL, 0, 0};
    size_t parts = 1 + rnd(14);

    while (parts-- > 0) {
        const char *alphabet = ALPHABETS[rnd(5)];
        size_t filler = rnd(30);
        const struct oracle_form *f;
        size_t from;

        while (filler-- > 0) {
            bytes_add(&t, &alphabet[rnd(strlen(alphabet))], 1);
        }
        if (o->count == 0) {
            continue;
        }
        f = &o->forms[rnd(o->count)];
        switch (rnd(6)) {
        case 0: /* the beginning only */
            bytes_add(&t, f->text.ptr, rnd(f->text.len));
            break;
        case 1: /* the end only */
            from = rnd(f->text.len);
            bytes_add(&t, f->text.ptr + from, f->text.len - from);
            break;
        case 2: /* one byte wrong */
            bytes_add(&t, f->text.ptr, f->text.len);
            t.ptr[t.len - 1 - rnd(f->text.len)] ^= 1;
            break;
        case 3: /* begun, then whole */
            bytes_add(&t, f->text.ptr, rnd(f->text.len));
            bytes_add(&t, f->text.ptr, f->text.len);
            break;
        default:
            if (rnd(3) == 0) {
                bytes_str(&t, rnd(2) == 0 ? "\x1b[1;32m" : "\\n");
            }
            bytes_add(&t, f->text.ptr, f->text.len);
            break;
        }
    }
    return t;
}

static enum ag_err
take(void *ctx, struct span part)
{
    bytes_add(ctx, part.ptr, part.len);
    return AG_OK;
}

static size_t hits;

static void
on_hit(void *ctx, const struct redactor_hit *hit)
{
    (void)ctx;
    (void)hit;
    hits++;
}

static void
explain(struct bytes text, struct bytes want, struct bytes got)
{
    fprintf(stderr, "text (%zu): ", text.len);
    fwrite(text.ptr, 1, text.len, stderr);
    fprintf(stderr, "\nwant (%zu): ", want.len);
    fwrite(want.ptr, 1, want.len, stderr);
    fprintf(stderr, "\ngot  (%zu): ", got.len);
    fwrite(got.ptr, 1, got.len, stderr);
    fprintf(stderr, "\n");
}

enum how {
    HOW_RANDOM,
    HOW_BYTES,
    HOW_ONE_CUT,
};

/* Length of the next part, of `left` bytes. */
static size_t
next_part(enum how how, size_t at, size_t cut, size_t left)
{
    size_t len = left;

    switch (how) {
    case HOW_RANDOM:
        len = rnd(2) == 0 ? 1 + rnd(8) : 1 + rnd(left);
        break;
    case HOW_BYTES:
        len = 1;
        break;
    case HOW_ONE_CUT:
        len = at == 0 && cut > 0 ? cut : left;
        break;
    }
    return len < left ? len : left;
}

static struct bytes
run(const struct matcher *set, struct bytes text, bool task, enum how how,
    size_t cut)
{
    struct bytes got = {NULL, 0, 0};
    struct sink sink = {.ctx = &got, .feed = take};
    struct redactor_options options = {
        .audience = task ? REDACTOR_TASK : REDACTOR_OPERATOR, .on_hit = on_hit};
    static struct redactor *used; /* for a stream before this one */
    AG_AUTO(redactor) struct redactor *r = AG_TAKE(used);
    size_t at = 0;

    hits = 0;
    bytes_add(&got, "", 0);
    check_ok(r == NULL ? redactor_new(&options, &sink, &r)
                       : redactor_restart(r, &options, &sink));
    check_ok(redactor_use(r, set));
    while (at < text.len) {
        size_t len = next_part(how, at, cut, text.len - at);

        check_ok(redactor_feed(r, span_of(text.ptr + at, len)));
        at += len;
        assert_true(redactor_held_bytes(r) <=
                    matcher_longest_bytes(set) + (task ? text.len : 0));
    }
    check_ok(redactor_finish(r));
    if (rnd(2) == 0) {
        used = AG_TAKE(r);
    }
    return got;
}

/* What a set must make of a text. */
struct expected {
    struct bytes text;
    size_t holes;
    bool task;
};

static void
check(const struct matcher *set, struct bytes text,
      const struct expected *expected, enum how how, size_t cut)
{
    struct bytes got = run(set, text, expected->task, how, cut);
    struct bytes want = expected->text;

    if (got.len != want.len || memcmp(got.ptr, want.ptr, want.len) != 0) {
        explain(text, want, got);
        fail();
    }
    assert_int_equal(hits, expected->holes);
    bytes_done(&got);
}

/* In one piece, or some of it on top of the rest: no difference. */
static struct matcher *
build(const struct matcher_value *values, size_t count)
{
    struct matcher *base = NULL;
    struct matcher *set = NULL;
    size_t below = rnd(count + 1);

    if (rnd(2) == 0) {
        check_ok(matcher_build(values, count, &set));
        return set;
    }
    check_ok(matcher_build(values, below, &base));
    check_ok(matcher_extend(base, values + below, count - below, &set));
    matcher_unref(base);
    return set;
}

static void
one_run(size_t chunkings)
{
    static const char *const NAMES[VALUES_MAX] = {"a/one", "b",   "c-three",
                                                  "d",     "e/e", "f"};
    struct matcher_value values[VALUES_MAX];
    struct bytes raw[VALUES_MAX];
    struct oracle o = {NULL, 0};
    struct matcher *set = NULL;
    size_t count = 1 + rnd(VALUES_MAX);
    struct expected want = {.task = rnd(4) == 0};
    struct bytes text;
    size_t i;

    for (i = 0; i < count; i++) {
        raw[i] = random_value();
        if (i > 0 && rnd(4) == 0) { /* one that begins like another */
            bytes_add(&raw[i], raw[i - 1].ptr, raw[i - 1].len);
            raw[i].len = 0;
            bytes_add(&raw[i], raw[i - 1].ptr, raw[i - 1].len);
            bytes_str(&raw[i], "-more");
        }
        oracle_add(&o, raw[i].ptr, raw[i].len, NAMES[i]);
        values[i] =
            (struct matcher_value){.id = i,
                                   .name = span_str(NAMES[i]),
                                   .value = span_of(raw[i].ptr, raw[i].len)};
    }
    set = build(values, count);
    text = random_text(&o);
    want.text = oracle_redact(&o, text.ptr, text.len, want.task, &want.holes);
    hole_total += want.holes;
    check(set, text, &want, HOW_BYTES, 0);
    for (i = 1; i < text.len; i++) {
        check(set, text, &want, HOW_ONE_CUT, i);
    }
    for (i = 0; i < chunkings; i++) {
        check(set, text, &want, HOW_RANDOM, 0);
    }
    matcher_unref(set);
    oracle_done(&o);
    bytes_done(&text);
    bytes_done(&want.text);
    for (i = 0; i < count; i++) {
        bytes_done(&raw[i]);
    }
}

static void
test_equals_the_oracle_at_any_chunking(void **state)
{
    size_t runs = prop_begin(RUNS_DEFAULT);
    size_t i;

    (void)state;
    for (i = 0; i < runs; i++) {
        one_run(CHUNKINGS_DEFAULT);
    }
    print_message("%zu sets, %zu holes, %d random chunkings, every split and "
                  "byte by byte\n",
                  runs, hole_total, CHUNKINGS_DEFAULT * (int)runs);
}

/* ---- long values, long texts: a task's search against an operator's ---- */

enum {
    LONG_VALUES_MAX = 5,
    LONG_RUNS_DIVISOR = 4,
    LONG_FILLER_MAX_BYTES = 6000,
};

/* Perhaps weak: blanks at its ends don't count. */
static struct bytes
any_value(void)
{
    static const size_t LENGTHS[] = {8,  11,  12,   19,   20,  35,
                                     36, 200, 1500, 4000, 9000};
    const char *alphabet = ALPHABETS[2 + rnd(3)];
    size_t len = LENGTHS[rnd(11)] + rnd(30);
    struct bytes v = {NULL, 0, 0};

    while (v.len < len) {
        bytes_add(&v, &alphabet[rnd(strlen(alphabet))], 1);
        if (rnd(300) == 0) {
            bytes_str(&v, rnd(2) == 0 ? "\n" : ".");
        }
    }
    return v;
}

/* One that is looked for on behalf of a task, too. */
static struct bytes
long_value(void)
{
    struct bytes v = any_value();

    while (strength_of(span_of(v.ptr, v.len)) != STRENGTH_FULL) {
        bytes_done(&v);
        v = any_value();
    }
    return v;
}

static void
add_form(struct bytes *text, struct bytes value)
{
    struct span raw = span_of(value.ptr, value.len);
    enum variant form = (enum variant)rnd(VARIANT_COUNT);
    struct variant_gen gen;
    uint8_t part[64];
    size_t len;

    if (!variant_applies(form, raw, escape_traits(raw))) {
        form = VARIANT_RAW;
    }
    variant_begin(&gen, form, raw);
    while ((len = variant_next(&gen, part, sizeof(part))) > 0) {
        bytes_add(text, part, rnd(400) == 0 ? len - 1 : len);
    }
}

static struct bytes
long_text(const struct bytes *raw, size_t count)
{
    struct bytes text = {NULL, 0, 0};
    size_t parts = 1 + rnd(8);

    while (parts-- > 0) {
        size_t filler = rnd(LONG_FILLER_MAX_BYTES);

        while (filler-- > 0) {
            bytes_add(&text, &ALPHABETS[2][rnd(62)], 1);
        }
        if (rnd(2) == 0) {
            bytes_str(&text, rnd(2) == 0 ? "\n" : "\n\n");
        }
        add_form(&text, raw[rnd(count)]);
    }
    return text;
}

static void
one_long_run(void)
{
    struct matcher_value values[LONG_VALUES_MAX];
    struct bytes raw[LONG_VALUES_MAX];
    size_t count = 1 + rnd(LONG_VALUES_MAX);
    struct expected want = {.task = true};
    struct matcher *set = NULL;
    struct bytes text;

    for (size_t i = 0; i < count; i++) {
        raw[i] = long_value();
        values[i] =
            (struct matcher_value){.id = i,
                                   .name = span_str("n"),
                                   .value = span_of(raw[i].ptr, raw[i].len)};
    }
    set = build(values, count);
    text = long_text(raw, count);
    want.text = run(set, text, false, HOW_ONE_CUT, text.len);
    want.holes = hits;
    hole_total += hits;
    check(set, text, &want, HOW_ONE_CUT, text.len);
    check(set, text, &want, HOW_ONE_CUT, rnd(text.len));
    check(set, text, &want, HOW_RANDOM, 0);
    matcher_unref(set);
    bytes_done(&text);
    bytes_done(&want.text);
    for (size_t i = 0; i < count; i++) {
        bytes_done(&raw[i]);
    }
}

static void
test_a_task_gets_what_an_operator_gets(void **state)
{
    size_t runs = prop_begin(RUNS_DEFAULT) / LONG_RUNS_DIVISOR + 1;

    (void)state;
    hole_total = 0;
    for (size_t i = 0; i < runs; i++) {
        one_long_run();
    }
    print_message("%zu sets, %zu holes\n", runs, hole_total);
}

/* ---- sets as people have them ---- */

enum {
    MANY_VALUES_MAX = 150,
    MANY_RUNS_DIVISOR = 50,
    MANY_TEXTS = 20,
};

static void
test_many_values_equal_the_oracle(void **state)
{
    static struct matcher_value values[MANY_VALUES_MAX];
    static struct bytes raw[MANY_VALUES_MAX];
    static char names[MANY_VALUES_MAX][8];
    size_t runs = prop_begin(RUNS_DEFAULT) / MANY_RUNS_DIVISOR + 1;

    (void)state;
    hole_total = 0;
    for (size_t k = 0; k < runs; k++) {
        size_t count = VALUES_MAX + rnd(MANY_VALUES_MAX - VALUES_MAX);
        struct oracle o = {NULL, 0};
        struct matcher *set = NULL;

        for (size_t i = 0; i < count; i++) {
            raw[i] = random_value();
            (void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
            oracle_add(&o, raw[i].ptr, raw[i].len, names[i]);
            values[i] = (struct matcher_value){
                .id = i,
                .name = span_str(names[i]),
                .value = span_of(raw[i].ptr, raw[i].len)};
        }
        set = build(values, count);
        for (size_t i = 0; i < MANY_TEXTS; i++) {
            struct expected want = {.task = i % 4 == 0};
            struct bytes text = random_text(&o);

            want.text =
                oracle_redact(&o, text.ptr, text.len, want.task, &want.holes);
            hole_total += want.holes;
            check(set, text, &want, HOW_BYTES, 0);
            check(set, text, &want, HOW_ONE_CUT, rnd(text.len));
            check(set, text, &want, HOW_RANDOM, 0);
            bytes_done(&text);
            bytes_done(&want.text);
        }
        matcher_unref(set);
        oracle_done(&o);
        for (size_t i = 0; i < count; i++) {
            bytes_done(&raw[i]);
        }
    }
    print_message("%zu sets, %zu holes\n", runs, hole_total);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_gets_what_an_operator_gets),
        cmocka_unit_test(test_equals_the_oracle_at_any_chunking),
        cmocka_unit_test(test_many_values_equal_the_oracle),
    };

    matcher_enable_looks(false); /* looks_test.c has them */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
