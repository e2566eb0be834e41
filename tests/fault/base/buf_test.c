// WRAP: malloc realloc
/* No memory: a buffer stays as it was. */
#include "base/buf.h"
#include "base/wipealloc.h"
#include "common/fault.h"

FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, realloc, (void *old, size_t len), (old, len), NULL)

static void
grow_without_memory(enum buf_flags flags)
{
    AG_AUTO(buf) struct buf b;
    char block[1000];
    uint8_t *to = NULL;

    memset(block, 'x', sizeof(block));
    buf_init(&b, (size_t)1 << 40, flags);
    fault_arm(1);
    assert_null(buf_cstr(&b));
    assert_true(fault_done());
    check_ok(buf_add_str(&b, "kept"));
    fault_arm(1);
    fault.all_later = true;
    check_err(buf_add(&b, span_of(block, sizeof(block))), AG_ENOMEM);
    check_err(buf_room(&b, 5000, &to), AG_ENOMEM);
    check_err(buf_fmt(&b, "%1000d", 1), AG_ENOMEM);
    assert_true(fault_done());
    assert_null(to);
    assert_string_equal(buf_cstr(&b), "kept");
    check_ok(buf_add(&b, span_of(block, sizeof(block))));
    assert_int_equal(b.len, 1004);
}

static void
test_a_buffer_without_memory(void **state)
{
    (void)state;
    grow_without_memory(BUF_PLAIN);
    grow_without_memory(BUF_WIPE);
}

static void
test_wiping_malloc_without_memory(void **state)
{
    (void)state;
    fault_arm(1);
    assert_null(wipe_malloc(10));
    assert_true(fault_done());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_buffer_without_memory),
        cmocka_unit_test(test_wiping_malloc_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
