/* Where a short form may begin: no place is missed, nor one too many met. */
// CPU: plain
#include <sys/mman.h>

#include <unistd.h>

#include "common/check.h"
#include "redact/scan.h"
#include "redact/tokens.h"

enum {
    TEXT_BYTES = 300,
    FORM_BYTES = 4,
    LONG_TEXT_BYTES = SCAN_TILE_BYTES + 1000,
    SETS_MAX_COUNT = TOKENS_MAX_COUNT + 1,
};

struct forms {
    uint8_t list[TOKENS_MAX_COUNT][FORM_BYTES];
    uint8_t tables[TOKENS_TABLES_BYTES];
    struct set_tokens tokens;
    size_t count;
};

/* In order; `second` is in all of them. */
static void
put_forms(struct forms *f, size_t count, uint8_t second)
{
    memset(f, 0, sizeof(*f));
    f->count = count;
    f->tokens.tables = f->tables;
    for (size_t i = 0; i < count; i++) {
        uint8_t form[FORM_BYTES] = {(uint8_t)('A' + i), second, '7', 'x'};

        memcpy(f->list[i], form, sizeof(form));
        tokens_put(&f->tokens, form, i, count);
    }
}

/* At a page's end, behind which no memory is. */
static uint8_t *
text_at_end(size_t len)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t all = (len + page - 1) / page * page;
    uint8_t *pages = mmap(NULL, all + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + all, page, PROT_NONE), 0);
    return pages + all - len;
}

static void
check_each_place(const struct forms *f, uint8_t *text)
{
    const size_t end = TEXT_BYTES - TOKENS_READ_BYTES + 1;

    for (size_t place = 0; place + FORM_BYTES <= TEXT_BYTES; place++) {
        size_t from = place % 7;
        size_t want = place < from || place >= end ? end : place;

        memset(text, '.', TEXT_BYTES);
        memcpy(text + place, f->list[place % f->count], FORM_BYTES);
        assert_int_equal(tokens_next(&f->tokens, text, from, end), want);
        assert_int_equal(tokens_next(&f->tokens, text, place, place), place);
        if (want < end) {
            assert_int_equal(tokens_next(&f->tokens, text, place + 1, end),
                             end);
        }
    }
}

static void
test_each_place(void **state)
{
    static const uint8_t SECONDS[] = {'q', 0xe4, 0x00, 0xff};
    uint8_t *text = text_at_end(TEXT_BYTES);

    (void)state;
    if (!tokens_can_look()) {
        print_message("SKIPPED: this machine has no AVX2\n");
        return;
    }
    for (size_t count = 1; count <= TOKENS_MAX_COUNT; count++) {
        static struct forms f;

        put_forms(&f, count, SECONDS[count % AG_COUNT(SECONDS)]);
        check_each_place(&f, text);
    }
}

/* All three bytes count, and of many forms the fourth, too. */
static void
test_no_other_is_met(void **state)
{
    static const char OTHERS[] = "Aq.A.7x.q7xAq\xb7\xc1q7xqA7";
    static struct forms f;
    uint8_t *text = text_at_end(TEXT_BYTES);
    const size_t end = TEXT_BYTES - TOKENS_READ_BYTES + 1;

    (void)state;
    if (!tokens_can_look()) {
        print_message("SKIPPED: this machine has no AVX2\n");
        return;
    }
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = (uint8_t)OTHERS[i % (sizeof(OTHERS) - 1)];
    }
    for (size_t count = 1; count <= TOKENS_MAX_COUNT; count++) {
        put_forms(&f, count, 'q');
        assert_int_equal(tokens_next(&f.tokens, text, 0, end), end);
    }
    memcpy(text + 30, "Aq7.", FORM_BYTES);
    assert_int_equal(tokens_next(&f.tokens, text, 0, end), end);
}

/* One value stands in the text, at `place`. */
static void
check_scan(struct matcher *set, struct span text, size_t place)
{
    static struct scan scan;
    struct scan_hit hit;

    scan_begin(&scan, &(struct scan_request){.set = set,
                                             .text = text,
                                             .limit = text.len,
                                             .flags = SCAN_AT_END});
    assert_true(scan_next(&scan, &hit));
    assert_int_equal(hit.start, place);
    assert_int_equal(hit.len, FORM_BYTES);
    assert_false(scan_next(&scan, &hit));
}

/* Each value is one form of up to 7 bytes and two of up to 11, which go with
 * the others if all are few. */
static void
test_a_scan_meets_each_place(void **state)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

    static const struct {
        size_t values;
        size_t tokens;
    } COUNTS[] = {{1, 3},
                  {TOKENS_MAX_COUNT / 3, 30},
                  {TOKENS_MAX_COUNT / 3 + 1, 11},
                  {TOKENS_MAX_COUNT, TOKENS_MAX_COUNT},
                  {SETS_MAX_COUNT, SETS_MAX_COUNT}};

    static char values[SETS_MAX_COUNT][FORM_BYTES + 1];
    static struct matcher_value list[SETS_MAX_COUNT];
    uint8_t *text = text_at_end(LONG_TEXT_BYTES);

    (void)state;
    for (size_t i = 0; i < SETS_MAX_COUNT; i++) {
        (void)snprintf(values[i], sizeof(values[i]), "k%c7Q", LETTERS[i]);
        list[i] = (struct matcher_value){
            .id = i, .name = span_str("a"), .value = span_str(values[i])};
    }
    memset(text, '.', LONG_TEXT_BYTES);
    for (size_t i = 0; i < AG_COUNT(COUNTS); i++) {
        const size_t count = COUNTS[i].values;
        struct matcher *set = NULL;

        check_ok(matcher_build(list, count, &set));
        assert_int_equal(set->classes[CLASS_TOKENS].entry_count,
                         COUNTS[i].tokens);
        assert_int_equal(set->tokens.tables != NULL,
                         COUNTS[i].tokens <= TOKENS_MAX_COUNT);
        for (size_t place = 0; place + FORM_BYTES <= LONG_TEXT_BYTES; place++) {
            memcpy(text + place, values[place % count], FORM_BYTES);
            check_scan(set, span_of(text, LONG_TEXT_BYTES), place);
            memset(text + place, '.', FORM_BYTES);
        }
        matcher_unref(set);
    }
}

/* The lines of a longer value, with other ends, may be a form that short. */
static void
test_a_view_looks_for_those_of_strong_values(void **state)
{
    static const struct matcher_value VALUE = {
        .name = {(const uint8_t *)"a", 1},
        .value = {(const uint8_t *)"k4\r\nQ7\r\nz", 9},
    };
    static struct scan scan;
    struct scan_hit hit;
    struct matcher *set = NULL;

    (void)state;
    check_ok(matcher_build(&VALUE, 1, &set));
    scan_begin(&scan, &(struct scan_request){.set = set,
                                             .text = span_str(".k4\nQ7\nz."),
                                             .limit = 9,
                                             .flags = (enum scan_flags)(
                                                 SCAN_STRONG | SCAN_AT_END)});
    assert_true(scan_next(&scan, &hit));
    assert_int_equal(hit.start, 1);
    assert_int_equal(hit.len, 7);
    matcher_unref(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_place),
        cmocka_unit_test(test_no_other_is_met),
        cmocka_unit_test(test_a_scan_meets_each_place),
        cmocka_unit_test(test_a_view_looks_for_those_of_strong_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
