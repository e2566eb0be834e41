// WRAP: mlock mmap calloc
/* Every allocation and every lock fails in turn: an error, nothing lost, and
 * nothing let out that should not be. */
#include <sys/mman.h>

#include "base/buf.h"
#include "common/fault.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

#define VALUE "q7RtWz90LmXcAb12"

FAULT_WRAPPER(int, mlock, (const void *ptr, size_t len), (ptr, len), -1)
FAULT_WRAPPER(void *, mmap,
              (void *at, size_t len, int prot, int flags, int fd, off_t offset),
              (at, len, prot, flags, fd, offset), MAP_FAILED)
FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)

static const struct matcher_value VALUES[] = {
    {.id = 1, .name = {(const uint8_t *)"a", 1}, .value = {NULL, 0}},
    {.id = 2, .name = {(const uint8_t *)"b", 1}, .value = {NULL, 0}},
};

static enum ag_err
build(struct matcher **ret)
{
    static char longer[3000];
    struct matcher_value values[AG_COUNT(VALUES)];
    size_t i;

    memcpy(values, VALUES, sizeof(values));
    for (i = 0; i < sizeof(longer); i++) {
        longer[i] = (char)('A' + i * i % 53 % 26);
    }
    values[0].value = span_str(VALUE);
    values[1].value = span_of(longer, sizeof(longer));
    return matcher_build(values, AG_COUNT(values), ret);
}

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
test_a_set_is_built_or_not(void **state)
{
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        struct matcher *set = NULL;
        enum ag_err err;

        fault_arm(n);
        err = build(&set);
        if (!fault_done()) {
            check_ok(err);
            matcher_unref(set);
            break;
        }
        assert_true(err == AG_ENOMEM || err == AG_EMEMLOCK);
        assert_null(set);
        assert_int_equal(lockmem_used_bytes(), 0);
    }
    assert_true(n > 5);
    assert_int_equal(lockmem_used_bytes(), 0);
}

/* One task's stream from its beginning; the first error ends it. */
static enum ag_err
run(const struct matcher *set, enum redactor_audience audience, struct buf *out)
{
    const struct redactor_options options = {.audience = audience};
    const struct sink sink = {.ctx = out, .feed = take};
    AG_AUTO(redactor) struct redactor *r = NULL;
    enum ag_err err = redactor_new(&options, &sink, &r);

    if (err == AG_OK) {
        err = redactor_use(r, set);
    }
    if (err == AG_OK) {
        err = redactor_feed(r, span_str("text q7RtWz90"));
    }
    if (err == AG_OK) {
        err = redactor_feed(r, span_str("LmXcAb12 more\nq7Rt"));
    }
    if (err == AG_OK) {
        err = redactor_idle(r);
    }
    return err != AG_OK ? err : redactor_finish(r);
}

static void
check_stream(enum redactor_audience audience)
{
    AG_AUTO(buf) struct buf out = {0};
    struct matcher *set = NULL;
    unsigned n;

    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(build(&set));
    for (n = 1;; n++) {
        enum ag_err err;
        bool fired;

        buf_clear(&out);
        fault_arm(n);
        err = run(set, audience, &out);
        fired = fault_done();
        assert_int_equal(lockmem_unlocked_bytes(), 0);
        if (err == AG_OK) { /* a stream that runs needs no lock */
            check_span(buf_view(&out), "text [redacted:a] more\nq7Rt");
        }
        if (!fired) {
            check_ok(err);
            break;
        }
        assert_true(err == AG_OK || err == AG_ENOMEM || err == AG_EMEMLOCK);
        assert_int_equal(lockmem_used_bytes(), matcher_locked_bytes(set));
        assert_true(out.len == 0 ||
                    memmem(out.ptr, out.len, "q7RtW", 5) == NULL);
    }
    assert_true(n > 3);
    matcher_unref(set);
    assert_int_equal(lockmem_used_bytes(), 0);
}

static void
test_a_stream_ends_with_an_error(void **state)
{
    (void)state;
    check_stream(REDACTOR_OPERATOR);
    check_stream(REDACTOR_TASK);
}

/* A set that does not fit leaves the old one in use. */
static void
test_a_set_that_can_not_be_used(void **state)
{
    const struct redactor_options options = {.marker = NULL};
    const struct matcher_value small = {.name = span_str("s"),
                                        .value = span_str(VALUE)};
    AG_AUTO(buf) struct buf out = {0};
    struct sink sink = {.ctx = &out, .feed = take};
    struct matcher *first = NULL;
    struct matcher *second = NULL;
    struct redactor *r = NULL;

    (void)state;
    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(matcher_build(&small, 1, &first));
    check_ok(build(&second));
    check_ok(redactor_new(&options, &sink, &r));
    check_ok(redactor_use(r, first));
    check_ok(redactor_feed(r, span_str("q7RtWz90")));
    fault_arm(1);
    check_err(redactor_use(r, second), AG_ENOMEM);
    assert_true(fault_done());
    check_ok(redactor_feed(r, span_str("LmXcAb12")));
    check_ok(redactor_finish(r));
    check_span(buf_view(&out), "[redacted:s]");
    redactor_free(r);
    matcher_unref(first);
    matcher_unref(second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_is_built_or_not),
        cmocka_unit_test(test_a_stream_ends_with_an_error),
        cmocka_unit_test(test_a_set_that_can_not_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
