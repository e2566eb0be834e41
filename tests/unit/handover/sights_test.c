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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_told_at_once_and_the_rest_at_the_end),
        cmocka_unit_test(test_rules_and_tokens_are_no_secrets_of_the_vault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
