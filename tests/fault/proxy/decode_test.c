// WRAP: wipe_malloc wipe_free
/* The n-th allocation of a decoder fails: an error, nothing kept. And what is
 * freed was all taken from what wipes: the libraries have no other memory. */
#include "base/wipealloc.h"
#include "common/coded.h"
#include "common/fault.h"

#define TEXT                                                                   \
    "sk-0123456789abcdefghijklmn, and again: sk-0123456789abcdefghijklmn\n"

FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)

static size_t freed_count;

void __real_wipe_free(void *ptr);
void __wrap_wipe_free(void *ptr);

void
__wrap_wipe_free(void *ptr)
{
    freed_count += ptr != NULL ? 1 : 0;
    __real_wipe_free(ptr);
}

static void
check_all_fail(const char *names, struct span coded)
{
    unsigned n = 1;

    for (;; n++) {
        AG_AUTO(buf) struct buf out = {0};
        enum ag_err err = AG_OK;

        buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
        fault_arm(n);
        err = coded_undo(names, coded, 7, &out);
        assert_int_equal(atomic_load(&coded_memory.used_bytes), 0);
        if (!fault_done()) {
            check_ok(err);
            check_span(buf_view(&out), TEXT);
            break;
        }
        check_err(err, AG_ENOMEM);
    }
    /* The decoder, and the libraries' own. */
    assert_true(n > 3);
}

static void
test_the_nth_allocation_fails(void **state)
{
    (void)state;
    for (int form = 0; form < CODED_FORM_COUNT; form++) {
        AG_AUTO(buf) struct buf coded = {0};

        buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
        coded_add((enum coded_form)form, span_str(TEXT), &coded);
        check_all_fail(coded_name((enum coded_form)form), buf_view(&coded));
    }
}

static void
test_of_two_codings_too(void **state)
{
    AG_AUTO(buf) struct buf once = {0};
    AG_AUTO(buf) struct buf twice = {0};

    (void)state;
    buf_init(&once, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&twice, CODED_MAX_BYTES, BUF_PLAIN);
    coded_add(CODED_GZIP, span_str(TEXT), &once);
    coded_add(CODED_ZSTD, buf_view(&once), &twice);
    freed_count = 0;
    check_all_fail("gzip, zstd", buf_view(&twice));
    assert_true(freed_count > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nth_allocation_fails),
        cmocka_unit_test(test_of_two_codings_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
