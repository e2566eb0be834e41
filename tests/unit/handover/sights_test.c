/* Which of the filter's hits are told, and when: each value and form at once, and
 * the rest at the end; rules and tokens never. */
#include "common/check.h"
#include "handover/sights.h"

enum {
    VALUE = 7 << FILTER_GROUP_BITS,
};

static struct sights sights;
static struct incident_sight out[SIGHTS_MAX_COUNT];

static struct filter_report
report_of(const struct filter_count *counts, size_t count)
{
    return (struct filter_report){.counts = counts, .count_count = count};
}

static void
test_each_is_told_at_once_and_the_rest_at_the_end(void **state)
{
    struct filter_count counts[] = {
        {.id = VALUE, .name = "a", .form = "base64", .count = 1},
        {.id = VALUE, .name = "a", .form = "raw", .count = 2},
    };
    struct filter_report report = report_of(counts, 1);

    (void)state;
    sights = (struct sights){.count = 0};
    assert_int_equal(sights_fresh(&sights, false, out), 0);
    sights_note(&sights, &report);
    assert_int_equal(sights_fresh(&sights, false, out), 1);
    assert_int_equal(out[0].value_id, VALUE);
    assert_string_equal(out[0].form, "base64");
    assert_int_equal(out[0].count, 1);
    assert_true(out[0].is_sure);
    counts[0].count = 500;
    report = report_of(counts, 2);
    sights_note(&sights, &report);
    assert_int_equal(sights_fresh(&sights, false, out), 1);
    assert_string_equal(out[0].form, "raw");
    assert_int_equal(out[0].count, 2);
    assert_int_equal(sights_fresh(&sights, false, out), 0);
    assert_int_equal(sights_fresh(&sights, true, out), 1);
    assert_string_equal(out[0].form, "base64");
    assert_int_equal(out[0].count, 499);
    assert_int_equal(sights_fresh(&sights, true, out), 0);
}

static void
test_rules_and_tokens_are_no_secrets_of_the_vault(void **state)
{
    const struct filter_count counts[] = {
        {.id = 3ULL << 62, .name = "rule:x", .form = "raw", .count = 1},
        {.id = 1ULL << 63 | 5, .name = "t", .form = "raw", .count = 1},
        {.id = VALUE, .name = "a", .form = "raw", .count = 1},
    };
    const struct filter_report report = report_of(counts, AG_COUNT(counts));

    (void)state;
    sights = (struct sights){.count = 0};
    sights_note(&sights, &report);
    assert_int_equal(sights_fresh(&sights, true, out), 1);
    assert_int_equal(out[0].value_id, VALUE);
}

/* More than a report has rows: what comes behind is added up, once per value. */
static void
test_the_rest_is_told_too(void **state)
{
    enum {
        REST_COUNT = 3 * SIGHTS_MAX_COUNT,
    };

    static struct filter_count rows[REST_COUNT];
    static bool told[REST_COUNT];
    size_t count = SIGHTS_MAX_COUNT;
    int64_t sum = 0;

    (void)state;
    sights = (struct sights){.count = 0};
    for (size_t i = 0; i < REST_COUNT; i++) { /* in no order */
        rows[i] = (struct filter_count){
            .id = VALUE + (i * 7) % REST_COUNT, .form = "raw", .count = 2};
    }
    for (size_t i = 0; i < 6; i++) {
        const struct filter_report report =
            report_of(rows + i % 3 * SIGHTS_MAX_COUNT, SIGHTS_MAX_COUNT);

        sights_add(&sights, &report);
    }
    while (count == SIGHTS_MAX_COUNT) {
        count = sights_fresh(&sights, false, out);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(out[i].count, 4);
            assert_false(told[out[i].value_id - VALUE]);
            told[out[i].value_id - VALUE] = true;
            sum++;
        }
    }
    assert_int_equal(sum, REST_COUNT);
    /* In a form that is no sure one it is another. */
    rows[0].form = "fragment";
    sights_add(&sights,
               &(struct filter_report){.counts = rows, .count_count = 2});
    assert_int_equal(sights_fresh(&sights, false, out), 1);
    assert_false(out[0].is_sure);
    assert_int_equal(sights_fresh(&sights, true, out), 1);
    assert_int_equal(out[0].count, 2);
    assert_int_equal(sights_fresh(&sights, true, out), 0);
    sights_done(&sights);
}

static void
test_a_report_that_knows_less_takes_nothing_back(void **state)
{
    const struct filter_count counts[] = {
        {.id = VALUE, .name = "a", .form = "raw", .count = 3},
    };
    const struct filter_report report = report_of(counts, 1);
    const struct filter_report none = report_of(NULL, 0);

    (void)state;
    sights = (struct sights){.count = 0};
    sights_note(&sights, &report);
    sights_note(&sights, &none);
    assert_int_equal(sights_fresh(&sights, true, out), 1);
    assert_int_equal(out[0].count, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_told_at_once_and_the_rest_at_the_end),
        cmocka_unit_test(test_rules_and_tokens_are_no_secrets_of_the_vault),
        cmocka_unit_test(test_the_rest_is_told_too),
        cmocka_unit_test(test_a_report_that_knows_less_takes_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
