/* Placeholders with each allocation, plain or locked, failing in turn: an
 * error, what was in the buffer before stays, nothing is left behind. */
// WRAP: malloc calloc realloc arena_take
#include "base/arena.h"
#include "base/buf.h"
#include "common/fault.h"
#include "common/placeholders.h"
#include "profile/placeholder.h"

FAULT_WRAPPER(void *, malloc, (size_t n), (n), NULL)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t size), (n, size), NULL)
FAULT_WRAPPER(void *, realloc, (void *p, size_t n), (p, n), NULL)
FAULT_WRAPPER(enum ag_err, arena_take, (size_t len, uint8_t **ret), (len, ret),
              AG_EMEMLOCK)

static size_t used;

static int
setup(void **state)
{
    assert_int_equal(placeholders_set_up(state), 0);
    used = secret_arena_used_bytes();
    return 0;
}

typedef enum ag_err (*work_fn)(const char *text, struct buf *out);

/* Fails `work` at each point; the points there were. */
static unsigned
fail_each(work_fn work, const char *text)
{
    unsigned n = 1;

    for (;; n++) {
        AG_AUTO(buf) struct buf out = {0};
        enum ag_err err;

        buf_init(&out, (size_t)64 * 1024, BUF_WIPE);
        check_ok(buf_add_str(&out, "before"));
        fault_arm(n);
        err = work(text, &out);
        if (!fault_done()) {
            check_ok(err);
            return n - 1;
        }
        if (err != AG_ENOMEM && err != AG_EMEMLOCK) {
            fail_msg("point %u of %s: %s", n, text, err_code(err));
        }
        check_span(buf_view(&out), "before");
        assert_int_equal(secret_arena_used_bytes(), used);
    }
}

static enum ag_err
make(const char *text, struct buf *out)
{
    return placeholder_make(key, 5, NULL, span_str(text), out);
}

static enum ag_err
document(const char *text, struct buf *out)
{
    struct placeholder_want want = {.key = key, .profiles = profiles};

    return placeholder_document(&want, span_str(text), out);
}

static enum ag_err
read_back(const char *text, struct buf *out)
{
    uint64_t id = 0;
    enum ag_err err = placeholder_read(key, span_str(text), &id);

    (void)out;
    assert_true(err != AG_OK || id == 5);
    return err;
}

static enum ag_err
ignore(void *arg, const struct placeholder_hit *hit)
{
    (void)arg;
    (void)hit;
    return AG_OK;
}

static enum ag_err
scan(const char *text, struct buf *out)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *s = NULL;
    enum ag_err err = placeholder_scan_new(key, ignore, NULL, &s);

    (void)out;
    return err == AG_OK ? placeholder_scan_feed(s, span_str(text)) : err;
}

#define A40 "aB3dE6gH9kQw2eRt5yU8zX4cV7bN1mLp0oI9uY7t"
#define JWT                                                                    \
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTUwMDAwMDAsImp0aSI6ImFiYyJ9." A40 "abA"
#define PKCS8                                                                  \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"       \
    "-----END PRIVATE KEY-----\n"
/* Made for this test alone. */
#define OPENSSH                                                                \
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"                                    \
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n" \
    "QyNTUxOQAAACC9+D737bdGw1yG0rOde747xDd5RZK7l5yU8Hsi/1yV0wAAAIgyCgSYMgoE\n" \
    "mAAAAAtzc2gtZWQyNTUxOQAAACC9+D737bdGw1yG0rOde747xDd5RZK7l5yU8Hsi/1yV0w\n" \
    "AAAEBwou7/QnUEu4xkllY/9iJSDQU/xRVhIevo2sG1Ht5aqb34Pvftt0bDXIbSs517vjvE\n" \
    "N3lFkruXnJTweyL/XJXTAAAABHRlc3QB\n"                                       \
    "-----END OPENSSH PRIVATE KEY-----\n"

static void
test_making(void **state)
{
    (void)state;
    assert_true(fail_each(make, JWT) > 5);
    assert_true(fail_each(make, "bWU6YUIzZEU2Z0g5a1F3MmVSdDV5VTg=") > 2);
    assert_true(fail_each(make, PKCS8) > 3);
    assert_true(fail_each(make, OPENSSH) > 5);
}

static void
test_reading_a_key(void **state)
{
    AG_AUTO(buf) struct buf made = {0};

    (void)state;
    buf_init(&made, 4096, BUF_PLAIN);
    check_ok(make(OPENSSH, &made));
    assert_true(fail_each(read_back, buf_cstr(&made)) > 5);
}

static void
test_documents(void **state)
{
    (void)state;
    assert_true(fail_each(document,
                          "{\"a\":\"" A40 "\",\"b\":\"" JWT
                          "\",\"c\":\"postgres://me:" A40 "@h/\"}") > 10);
}

static void
test_scanning(void **state)
{
    (void)state;
    assert_int_equal(fail_each(scan, A40), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_reading_a_key),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_scanning),
    };

    return cmocka_run_group_tests(tests, setup, placeholders_tear_down);
}
