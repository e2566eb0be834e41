/*
 * Where forms stand is the same whether a text's blocks were looked at for
 * fragments before, which tells of them, or each class of forms has its own
 * look. PROP_SEED: STYLE.
 */
// CPU: plain
#include "common/check.h"
#include "common/prop.h"
#include "redact/fragments.h"
#include "redact/marks.h"
#include "redact/scan.h"

enum {
    RUNS_DEFAULT = 600,
    VALUES_MAX = 8,
    MANY_VALUES = 16 * 1024,
    MANY_BYTES = 10, /* no fragments */
    MANY_FORMS = 32 * 1024,
    MANY_SHOWN = 64,
    VALUE_MAX_BYTES = 60,
    TEXT_MAX_BYTES = 12000, /* some tiles */
};

static const char *const ALPHABETS[] = {
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "ab1",
    "0123456789abcdef",
    "aZ9/+=-_ .,\"'\\<>&$`%!()*~\t\n",
};

struct values {
    uint8_t bytes[VALUES_MAX][VALUE_MAX_BYTES];
    struct matcher_value list[VALUES_MAX];
    size_t count;
};

/* What is compared. */
struct finder {
    struct scan scan;
    struct marked marked[2];
    struct holes holes;
};

static size_t known_total;
static size_t form_total;

static void
fill(uint8_t *out, size_t len)
{
    const char *alphabet = ALPHABETS[prop_below(AG_COUNT(ALPHABETS))];

    while (len-- > 0) {
        *out++ = (uint8_t)alphabet[prop_below(strlen(alphabet))];
    }
}

/* Of any kind, or none shorter than some length: the strides differ. */
static void
make_values(struct values *v, uint64_t first_id)
{
    static const size_t LEAST[] = {4, 8, 9, 10, 11, 12, 20};
    size_t least = LEAST[prop_below(AG_COUNT(LEAST))];
    size_t i;

    v->count = 1 + prop_below(VALUES_MAX);
    for (i = 0; i < v->count; i++) {
        size_t len = least + prop_below(VALUE_MAX_BYTES - least);

        len = prop_below(3) == 0 ? least : len;
        fill(v->bytes[i], len);
        v->list[i] = (struct matcher_value){
            .id = first_id + i,
            .name = span_str("a"),
            .value = span_of(v->bytes[i], len),
        };
    }
}

/* Forms and parts of forms, and what has nothing to do with them. */
static size_t
make_text(uint8_t *text, const struct values *both)
{
    size_t wanted = prop_below(prop_below(4) == 0 ? TEXT_MAX_BYTES : 200);
    size_t len = 0;

    while (len < wanted) {
        const struct values *v = &both[prop_below(2)];
        struct span raw = v->list[prop_below(v->count)].value;
        enum variant form = (enum variant)prop_below(VARIANT_COUNT);
        size_t room = wanted - len;
        size_t most = prop_below(4) == 0 ? prop_below(20) : room;
        struct variant_gen gen;

        if (prop_below(2) == 0 ||
            !variant_applies(form, raw, escape_traits(raw))) {
            most = prop_below(100);
            most = most < room ? most : room;
            fill(text + len, most);
            len += most;
            continue;
        }
        variant_begin(&gen, form, raw);
        len += variant_next(&gen, text + len, most < room ? most : room);
    }
    if (prop_below(2) == 0) { /* ends with a whole one, often the shortest */
        const struct values *v = &both[prop_below(2)];
        struct span raw = v->list[prop_below(v->count)].value;

        memcpy(text + len, raw.ptr, raw.len);
        len += raw.len;
    }
    return len;
}

/* What `with`, which knows the marked blocks, and `without` find. */
static void
check_same(struct finder *with, struct finder *without)
{
    struct scan_hit hit;
    struct scan_hit want;

    while (scan_next(&without->scan, &want)) {
        assert_true(scan_next(&with->scan, &hit));
        assert_int_equal(hit.start, want.start);
        assert_int_equal(hit.len, want.len);
        assert_true(hit.part == want.part);
        assert_int_equal(hit.ref, want.ref);
        assert_int_equal(hit.is_open, want.is_open);
        form_total += want.len >= 8 ? 1 : 0;
    }
    assert_false(scan_next(&with->scan, &hit));
}

static void
check_cut(const struct matcher *set, struct span text, bool is_at_end)
{
    static struct finder with;
    static struct finder without;
    struct fragments_request fragments = {
        .set = set,
        .text = text,
        .most = SIZE_MAX,
        .marked = with.marked,
        .is_at_end = is_at_end,
    };
    struct scan_request request = {
        .set = set,
        .text = text,
        .limit = prop_below(4) == 0 ? prop_below(text.len + 1) : text.len,
        .flags = is_at_end ? SCAN_AT_END : SCAN_PLAIN,
    };

    with.holes.count = 0;
    (void)fragments_find(&fragments, &with.holes);
    known_total += with.marked[0].is_all ? 1 : 0;
    scan_begin(&with.scan, &request);
    scan_begin(&without.scan, &request);
    with.scan.marked = with.marked;
    check_same(&with, &without);
}

static void
test_both_ways_find_the_same(void **state)
{
    static uint8_t text[TEXT_MAX_BYTES + VALUE_MAX_BYTES];
    size_t runs = prop_begin(RUNS_DEFAULT);
    size_t run;

    (void)state;
    for (run = 0; run < runs; run++) {
        struct values v[2];
        struct matcher *base;
        struct matcher *set;
        struct span span;
        int cut;

        make_values(&v[0], 1);
        make_values(&v[1], 1 + VALUES_MAX);
        assert_int_equal(matcher_build(v[0].list, v[0].count, &base), AG_OK);
        assert_int_equal(matcher_extend(base, v[1].list, v[1].count, &set),
                         AG_OK);
        span = span_of(text, make_text(text, v));
        for (cut = 0; cut < 20; cut++) {
            check_cut(prop_below(2) == 0 ? set : base, span,
                      prop_below(2) == 0);
            span.len = span.len > 20 ? span.len - prop_below(12)
                                     : prop_below(span.len + 1);
        }
        matcher_unref(set);
        matcher_unref(base);
    }
    assert_true(known_total > runs); /* most texts don't have too many */
    assert_true(form_total > runs);
}

static char many[MANY_VALUES][MANY_BYTES + 1];
static struct matcher_value many_list[MANY_VALUES];

/* Does one look tell of the forms of so many values? */
static bool
tells_of(size_t count)
{
    struct matcher *set = NULL;
    size_t least = SIZE_MAX;
    bool result;

    assert_int_equal(matcher_build(many_list, count, &set), AG_OK);
    result = set->fragments.has_forms;
    assert_int_equal(result, bitmaps_count(set, &least) <= MANY_FORMS);
    matcher_unref(set);
    return result;
}

/* The last of the values stand in a text. */
static void
check_many(size_t count)
{
    static uint8_t text[(MANY_BYTES + 1) * MANY_SHOWN];
    struct matcher *set = NULL;
    size_t before = form_total;

    for (size_t i = 0; i < MANY_SHOWN; i++) {
        uint8_t *at = text + i * (MANY_BYTES + 1);

        memcpy(at, many[count - 1 - i], MANY_BYTES);
        at[MANY_BYTES] = ' ';
    }
    assert_int_equal(matcher_build(many_list, count, &set), AG_OK);
    check_cut(set, span_of(text, sizeof(text)), true);
    check_cut(set, span_of(text + 1, sizeof(text) - 1), false);
    check_cut(set, span_of(text + 1, (size_t)2 * MANY_BYTES), true);
    assert_true(form_total > before);
    matcher_unref(set);
}

/* The most values of which it does, and one more. */
static void
test_one_look_tells_of_so_many_forms(void **state)
{
    size_t low = 1;
    size_t high = MANY_VALUES;

    (void)state;
    for (size_t i = 0; i < MANY_VALUES; i++) {
        (void)snprintf(many[i], sizeof(many[i]), "k%05zuQ7zx", i);
        many_list[i] = (struct matcher_value){
            .id = i, .name = span_str("a"), .value = span_str(many[i])};
    }
    assert_true(tells_of(low));
    assert_false(tells_of(high));
    while (high - low > 1) {
        size_t count = low + (high - low) / 2;

        *(tells_of(count) ? &low : &high) = count;
    }
    check_many(low);
    check_many(high);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_find_the_same),
        cmocka_unit_test(test_one_look_tells_of_so_many_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
