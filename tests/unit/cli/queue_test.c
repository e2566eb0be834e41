/* Files that wait: how long, how ever less often, and how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/check.h"
#include "transcript/queue.h"

static void
test_queue(void **state)
{
    AG_AUTO(queue) struct queue q;

    (void)state;
    queue_init(&q, 100);
    assert_int_equal(queue_next_ms(&q), -1);
    check_ok(queue_note(&q, "/a", 1000));
    assert_int_equal(queue_next_ms(&q), 1100);
    assert_null(queue_due(&q, 1099));
    check_ok(queue_note(&q, "/a", 1090)); /* not quiet yet */
    assert_null(queue_due(&q, 1100));
    assert_string_equal(queue_due(&q, 1190), "/a");
    for (int64_t now = 1100; now < 1990; now += 50) {
        check_ok(queue_note(&q, "/a", now));
    }
    assert_int_equal(queue_next_ms(&q), 2000); /* not for ever */
    check_ok(queue_again(&q, "/a", 2000));
    assert_int_equal(queue_next_ms(&q), 2100);
    check_ok(queue_again(&q, "/a", 2100));
    assert_int_equal(queue_next_ms(&q), 2300);
    for (int i = 0; i < 20; i++) {
        check_ok(queue_again(&q, "/a", 3000));
    }
    assert_int_equal(queue_next_ms(&q), 3000 + QUEUE_AGAIN_MAX_MS);
    check_ok(queue_note(&q, "/a", 4000)); /* its writer closed it */
    assert_int_equal(queue_next_ms(&q), 4100);
    queue_drop(&q, queue_due(&q, 4100));
    assert_int_equal(queue_next_ms(&q), -1);
    queue_drop(&q, "/a");
    for (int i = 0; i < QUEUE_MAX_COUNT; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/%d", i);
        check_ok(queue_note(&q, path, 1));
    }
    check_err(queue_note(&q, "/more", 1), AG_ELIMIT);
    check_ok(queue_note(&q, "/7", 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
