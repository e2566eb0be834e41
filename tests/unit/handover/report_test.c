/* The message about a stream's end. */
#include <jansson.h>

#include "base/buf.h"
#include "common/check.h"
#include "handover/message.h"
#include "handover/stream.h"
#include "privsep/filter.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_that_do_not_fit_are_said_to_be_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
