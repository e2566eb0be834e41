/* The message about a stream's end. */
#include <jansson.h>

#include "base/buf.h"
#include "common/check.h"
#include "handover/message.h"
#include "handover/stream.h"
#include "privsep/filter.h"
#include "redact/rule_filter.h"

static void
test_counts_that_do_not_fit_are_said_to_be_cut(void **state)
{
    static struct filter_count counts[FILTER_COUNTS_MAX_COUNT];
    static char names[FILTER_COUNTS_MAX_COUNT][256];
    const struct filter_report report = {
        .hits = 1000, .counts = counts, .count_count = AG_COUNT(counts)};
    AG_AUTO(buf) struct buf out = {0};
    json_t *event;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(counts); i++) {
        memset(names[i], 'n', 255);
        (void)snprintf(names[i], 4, "%03zu", i);
        names[i][3] = 'n';
        counts[i] =
            (struct filter_count){.name = names[i], .form = "raw", .count = 1};
    }
    buf_init(&out, MESSAGE_MAX_BYTES, BUF_PLAIN);
    check_ok(stream_put_report(&out, 1, &report));
    assert_in_range(out.len, 6000, MESSAGE_MAX_BYTES);
    event = json_loads(buf_cstr(&out), 0, NULL);
    assert_true(json_is_true(json_object_get(event, "truncated")));
    assert_int_equal(json_integer_value(json_object_get(event, "hits")), 1000);
    json_decref(event);
}

static void
test_a_task_is_told_no_names(void **state)
{
    static const struct filter_count COUNTS[] = {
        {.id = 1, .name = "a/b", .form = "raw", .count = 2, .first_offset = 10},
        {.id = 2, .name = "c", .form = "raw", .count = 1, .first_offset = 4},
        {.id = 1, .name = "a/b", .form = "hex", .count = 3, .first_offset = 99},
        {.id = RULE_FILTER_ID_BITS | 7,
         .name = "rule:x",
         .form = "raw",
         .count = 4,
         .first_offset = 1},
    };
    struct filter_report report = {
        .hits = 10, .counts = COUNTS, .count_count = AG_COUNT(COUNTS)};
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    buf_init(&out, MESSAGE_MAX_BYTES, BUF_PLAIN);
    check_ok(stream_put_report_of_task(&out, 1, &report));
    assert_string_equal(
        buf_cstr(&out),
        "{\"event\":\"stream_end\",\"stream\":1,\"hits\":10,\"bytes_in\":0,"
        "\"bytes_out\":0,\"counts\":{\"-\":6,\"rule:x\":4},\"found\":["
        "{\"name\":\"-\",\"form\":\"raw\",\"count\":3,\"offset\":4},"
        "{\"name\":\"-\",\"form\":\"hex\",\"count\":3,\"offset\":99},"
        "{\"name\":\"rule:x\",\"form\":\"raw\",\"count\":4,\"offset\":1}]}");
    buf_clear(&out);
    check_ok(stream_put_report(&out, 1, &report));
    assert_non_null(strstr(buf_cstr(&out), "\"counts\":{\"a/b\":5,\"c\":1,"));
    assert_null(strstr(buf_cstr(&out), "truncated"));
    buf_clear(&out);
    report.hits++; /* one that has no row */
    check_ok(stream_put_report(&out, 1, &report));
    assert_non_null(strstr(buf_cstr(&out), "\"truncated\":true"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_that_do_not_fit_are_said_to_be_cut),
        cmocka_unit_test(test_a_task_is_told_no_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
