/* Each allocation of a decode fails in turn: the result is AG_ENOMEM or
 * AG_EMEMLOCK, and nothing is left. */
// WRAP: malloc calloc
#include <stdlib.h>

#include "common/fault.h"
#include "unit/wire/sample.h"
#include "wire/json.h"

enum {
    ARENA_BYTES = 256 * 1024,
};

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_malloc(size_t len)
{
    return fault_now() ? NULL : __real_malloc(len);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fault_now() ? NULL : __real_calloc(count, size);
}

static const char TEXT[] =
    "{\"value\":\"s3cret\",\"name\":\"a/b\",\"words\":[\"x\",\"y\"],"
    "\"items\":[{\"secret\":\"c\"},{\"secret\":\"d\",\"uses\":9}],"
    "\"part\":{\"path\":\"/p\",\"key\":\"k\"}}";

static unsigned
fail_each(bool all_later)
{
    unsigned n;

    for (n = 1;; n++) {
        struct sample out;
        enum ag_err err;
        bool fired;

        fault_arm(n);
        fault.all_later = all_later;
        err = msg_decode(&SAMPLE, span_str(TEXT), WJSON_MAX_BYTES, &out);
        fired = fault_done();
        if (!fired) {
            check_ok(err);
            msg_done(&SAMPLE, &out);
            break;
        }
        assert_int_equal(err, AG_ENOMEM);
        assert_null(out.value);
        assert_int_equal(secret_arena_used_bytes(), 0);
    }
    return n;
}

static void
test_each_allocation_fails_in_turn(void **state)
{
    unsigned once = fail_each(false);
    unsigned ever = fail_each(true);

    (void)state;
    assert_true(once > 15);
    assert_int_equal(once, ever);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails_in_turn),
    };

    wjson_setup();
    if (secret_arena_open(ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
