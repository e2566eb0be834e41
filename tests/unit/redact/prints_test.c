/* Fingerprints: what is taken, what is found by them, what a damaged file is. */
#include <stdio.h>

#include <sodium.h>

#include "base/buf.h"
#include "common/check.h"
#include "redact/gram.h"
#include "redact/pieces.h"
#include "redact/prints.h"
#include "redact/prints_filter.h"

#define TOKEN "q7RtWz90LmXcAb12ZZpQ8vK3sD5fG6hJ"
#define QUOTE "B5nY8uE1aMxK9\"/\\vQ2&mT7+pL4<wZ8 sR3'dF6\tgH1"
#define KEY                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5Zk3pWq9vLxN2rT8\n"       \
    "cYhD4mUeKs7JbGf1QaRwXo6iPzShRANCAASvEt0MlKjHgFdSaPqWoEiRuTyYuIoP\n"       \
    "-----END PRIVATE KEY-----\n"

static const struct {
    const char *name;
    const char *value;
} VALUES[] = {{"github/bot", TOKEN}, {"odd/one", QUOTE}, {"ssh/key", KEY}};

enum {
    TEXT_MAX_BYTES = 1024 * 1024,
};

struct fixture {
    struct prints *set;
    struct buf file;
    struct buf out;
    size_t hits;
};

static struct matcher_value
value_of(const char *name, const char *value)
{
    return (struct matcher_value){.name = span_str(name),
                                  .value = span_str(value)};
}

static void
make(struct fixture *f)
{
    AG_AUTO(prints_maker) struct prints_maker *m = NULL;
    enum prints_fate fate = PRINTS_SHORT;

    *f = (struct fixture){.hits = 0};
    buf_init(&f->file, PRINTS_FILE_MAX_BYTES, BUF_PLAIN);
    buf_init(&f->out, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(prints_maker_new(&m));
    for (size_t i = 0; i < AG_COUNT(VALUES); i++) {
        const struct matcher_value value =
            value_of(VALUES[i].name, VALUES[i].value);

        check_ok(prints_maker_add(m, &value, &fate));
        assert_int_equal(fate, PRINTS_TAKEN);
    }
    check_ok(prints_maker_write(m, 1234, &f->file));
    check_ok(prints_load(buf_view(&f->file), &f->set));
}

static void
done(struct fixture *f)
{
    prints_free(f->set);
    buf_done(&f->file);
    buf_done(&f->out);
}

static enum ag_err
take(void *ctx, struct span part)
{
    struct fixture *f = ctx;

    return buf_add(&f->out, part);
}

static void
count(void *ctx, const struct redactor_hit *hit)
{
    struct fixture *f = ctx;

    assert_true(hit->id < AG_COUNT(VALUES));
    assert_true(span_is(hit->name, VALUES[hit->id].name));
    f->hits++;
}

/* Feeds `text` in parts of `step` bytes; 0: of random lengths. */
static void
run(struct fixture *f, struct span text, size_t step)
{
    const struct redactor_options options = {.hit_ctx = f, .on_hit = count};
    const struct sink next = {.ctx = f, .feed = take};
    AG_AUTO(prints_filter) struct prints_filter *filter = NULL;

    buf_clear(&f->out);
    f->hits = 0;
    check_ok(prints_filter_new(f->set, &options, &next, &filter));
    while (text.len > 0) {
        size_t len = step != 0 ? step : randombytes_uniform(97) + 1;
        struct span part = span_sub(text, 0, len);

        check_ok(prints_filter_feed(filter, part));
        text = span_sub(text, part.len, text.len);
    }
    check_ok(prints_filter_finish(filter));
}

static void
check_out(const struct fixture *f, struct span want)
{
    if (!span_equal(buf_view(&f->out), want)) {
        print_error("got:  %.*s\nwant: %.*s\n", (int)f->out.len,
                    (const char *)f->out.ptr, (int)want.len,
                    (const char *)want.ptr);
    }
    assert_true(span_equal(buf_view(&f->out), want));
}

/* ---- grams ---- */

/* Whatever stands around a stretch: of its grams one is met that a walk through
 * the stretch alone meets, too. */
static void
test_a_part_and_the_whole_meet(void **state)
{
    uint8_t text[400];
    bool chosen[sizeof(text)] = {false};
    struct gram_walk walk = {.at = 0};
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)('a' + randombytes_uniform(3)); /* much repeats */
    }
    while (gram_next(&walk, span_of(text, sizeof(text)), &at)) {
        chosen[at] = true;
    }
    for (size_t from = 0; from + GRAM_FORM_MIN_BYTES <= sizeof(text); from++) {
        for (size_t len = GRAM_FORM_MIN_BYTES;
             len <= 60 && from + len <= sizeof(text); len++) {
            size_t met = 0;

            walk = (struct gram_walk){.at = 0};
            while (gram_next(&walk, span_of(text + from, len), &at)) {
                assert_true(at + GRAM_BYTES <= len);
                assert_true(chosen[from + at]);
                met++;
            }
            assert_true(met > 0);
        }
    }
}

/* ---- finding ---- */

struct planted {
    struct fixture *f;
    const char *name;
    size_t form_count;
};

static bool
plant(void *ctx, struct span raw, bool is_line)
{
    struct planted *p = ctx;
    char text[2048];
    char want[512];

    for (int i = 0; i < VARIANT_COUNT; i++) {
        struct variant_gen gen;
        uint8_t form[900];
        size_t len = 0;
        int n = 0;

        if (!pieces_has_form((enum variant)i, raw, is_line, escape_traits(raw),
                             &len) ||
            len < GRAM_FORM_MIN_BYTES) {
            continue;
        }
        variant_begin(&gen, (enum variant)i, raw);
        len = variant_next(&gen, form, sizeof(form));
        if (memchr(form, '\n', len) != NULL) {
            continue; /* by its lines */
        }
        n = snprintf(text, sizeof(text), "before [%.*s] behind\nand %.*s.",
                     (int)len, (const char *)form, (int)len,
                     (const char *)form);
        (void)snprintf(want, sizeof(want),
                       "before [[redacted:%s]] behind\nand [redacted:%s].",
                       p->name, p->name);
        for (size_t step = 1; step < 80; step += 13) {
            run(p->f, span_of(text, (size_t)n), step);
            check_out(p->f, span_str(want));
            assert_int_equal(p->f->hits, 2);
        }
        p->form_count++;
    }
    return true;
}

static void
test_every_form_is_found_at_any_cut(void **state)
{
    struct fixture f;

    (void)state;
    make(&f);
    for (size_t i = 0; i < AG_COUNT(VALUES); i++) {
        struct planted p = {.f = &f, .name = VALUES[i].name};

        (void)pieces_walk(span_str(VALUES[i].value), MATCHER_PLAIN, plant, &p);
        assert_true(p.form_count >= 10);
    }
    done(&f);
}

/* Values side by side, one begun twice, one cut off, and a line longer than all
 * that is held: whatever the parts. */
static void
test_output_does_not_depend_on_the_parts(void **state)
{
    struct fixture f;
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf whole = {0};

    (void)state;
    make(&f);
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&whole, TEXT_MAX_BYTES, BUF_PLAIN);
    for (int i = 0; i < 30000; i++) {
        const char *pieces[] = {TOKEN,  TOKEN TOKEN, "q7RtWz90LmXcAb12ZZpQ8vK",
                                QUOTE,  "\n",        "words and words ",
                                "0123", KEY};

        check_ok(buf_add_str(&text, i > 200 ? "x=0123456789, "
                                            : pieces[randombytes_uniform(8)]));
        if (i == 200 || i == 28000) {
            check_ok(buf_add_str(&text, TOKEN));
        }
    }
    run(&f, buf_view(&text), text.len);
    check_ok(buf_add(&whole, buf_view(&f.out)));
    assert_null(memmem(whole.ptr, whole.len, TOKEN, strlen(TOKEN)));
    assert_null(memmem(whole.ptr, whole.len, "cYhD4mUeKs7JbGf1", 16));
    for (int i = 0; i < 20; i++) {
        run(&f, buf_view(&text), i == 0 ? 1 : 0);
        check_out(&f, buf_view(&whole));
    }
    done(&f);
}

static void
test_ordinary_text_passes(void **state)
{
    static const char TEXT[] =
        "nothing to see\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIB\n"
        "q7RtWz90LmXcAb12ZZpQ8vK3sD5fG6h and no end";
    struct fixture f;

    (void)state;
    make(&f);
    for (size_t step = 1; step < 60; step += 7) {
        run(&f, span_str(TEXT), step);
        check_out(&f, span_str(TEXT));
        assert_int_equal(f.hits, 0);
    }
    done(&f);
}

/* ---- what is taken ---- */

static enum prints_fate
fate_of(const char *text)
{
    AG_AUTO(prints_maker) struct prints_maker *m = NULL;
    const struct matcher_value value = value_of("n", text);
    enum prints_fate fate = PRINTS_TAKEN;

    check_ok(prints_maker_new(&m));
    check_ok(prints_maker_add(m, &value, &fate));
    return fate;
}

static void
test_what_can_be_guessed_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(fate_of("q7RtWz90LmXcAb12ZZpQ8vK"), PRINTS_SHORT);
    assert_int_equal(fate_of(""), PRINTS_SHORT);
    assert_int_equal(fate_of("correct horse battery staple and more"),
                     PRINTS_GUESSABLE);
    assert_int_equal(fate_of("correct horse battery staple and so on"),
                     PRINTS_GUESSABLE);
    assert_int_equal(fate_of("tobeornottobethatisthequestion"),
                     PRINTS_GUESSABLE);
    assert_int_equal(fate_of("12345678901234567890123456789012"),
                     PRINTS_GUESSABLE);
    assert_int_equal(fate_of("000000000000000000000000000000000000"),
                     PRINTS_GUESSABLE);
    assert_int_equal(fate_of("postgres://service:hunter2x@database.internal"),
                     PRINTS_GUESSABLE);
    assert_int_equal(
        fate_of("https://deploy:q7RtWz90Lm@packages.example.com/index"),
        PRINTS_GUESSABLE);
    assert_int_equal(fate_of("3f786850e387550fdab836ed7e6dc881de23001b"),
                     PRINTS_TAKEN);
}

/* Twenty characters of hex in hex are ten of the value, 40 bits: whoever has the
 * set could try them all. */
static void
test_no_extent_says_too_little(void **state)
{
    static const char HEX[] = "3f786850e387550fdab836ed7e6dc881de23001b";
    AG_AUTO(prints_maker) struct prints_maker *m = NULL;
    AG_AUTO(prints) struct prints *set = NULL;
    AG_AUTO(buf) struct buf file = {0};
    const struct matcher_value value = value_of("n", HEX);
    enum prints_fate fate = PRINTS_SHORT;
    size_t found[PRINTS_EXTENT_COUNT] = {0};
    char form[2 * sizeof(HEX)];

    (void)state;
    buf_init(&file, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(prints_maker_new(&m));
    check_ok(prints_maker_add(m, &value, &fate));
    check_ok(prints_maker_write(m, 1, &file));
    check_ok(prints_load(buf_view(&file), &set));
    for (size_t i = 0; i + 1 < sizeof(HEX); i++) {
        (void)snprintf(&form[2 * i], 3, "%02x", (unsigned int)HEX[i]);
    }
    for (size_t i = 0; i < PRINTS_EXTENT_COUNT; i++) {
        for (size_t at = 0; at + PRINTS_EXTENTS[i] <= strlen(form); at++) {
            size_t first = 0;

            found[i] += prints_find(set, (const uint8_t *)form + at, i, &first);
        }
    }
    assert_int_equal(found[0], 0);
    assert_int_equal(found[1], 0);
    assert_true(found[2] > 0);
}

/* ---- the file ---- */

static void
test_the_file_says_what_it_holds_and_no_value(void **state)
{
    struct fixture f;

    (void)state;
    make(&f);
    assert_int_equal(prints_value_count(f.set), AG_COUNT(VALUES));
    assert_int_equal(prints_made_ms(f.set), 1234);
    assert_true(prints_form_count(f.set) > 30);
    for (size_t at = 0; at + 6 <= strlen(TOKEN); at++) {
        assert_null(memmem(f.file.ptr, f.file.len, &TOKEN[at], 6));
    }
    done(&f);
}

static void
test_a_damaged_file_is_refused(void **state)
{
    struct fixture f;
    struct prints *set = NULL;

    (void)state;
    make(&f);
    for (size_t i = 0; i < f.file.len; i++) {
        enum ag_err err;

        f.file.ptr[i] ^= 1;
        err = prints_load(buf_view(&f.file), &set);
        assert_true(err == AG_ECORRUPT || (i == 7 && err == AG_ENEWER));
        f.file.ptr[i] ^= 1;
        assert_int_equal(prints_load(span_of(f.file.ptr, i), &set),
                         AG_ECORRUPT);
    }
    done(&f);
}

static void
test_a_name_that_drives_a_terminal_is_refused(void **state)
{
    AG_AUTO(prints_maker) struct prints_maker *m = NULL;
    AG_AUTO(buf) struct buf file = {0};
    const struct matcher_value value = value_of("a\033[2Jb", TOKEN);
    enum prints_fate fate = PRINTS_SHORT;
    struct prints *set = NULL;

    (void)state;
    buf_init(&file, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(prints_maker_new(&m));
    check_ok(prints_maker_add(m, &value, &fate));
    check_ok(prints_maker_write(m, 1, &file));
    check_err(prints_load(buf_view(&file), &set), AG_ECORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_part_and_the_whole_meet),
        cmocka_unit_test(test_every_form_is_found_at_any_cut),
        cmocka_unit_test(test_output_does_not_depend_on_the_parts),
        cmocka_unit_test(test_ordinary_text_passes),
        cmocka_unit_test(test_what_can_be_guessed_is_left_out),
        cmocka_unit_test(test_no_extent_says_too_little),
        cmocka_unit_test(test_the_file_says_what_it_holds_and_no_value),
        cmocka_unit_test(test_a_damaged_file_is_refused),
        cmocka_unit_test(test_a_name_that_drives_a_terminal_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
