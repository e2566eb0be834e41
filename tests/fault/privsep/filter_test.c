// WRAP: mlock getrlimit mmap calloc reallocarray writev read poll
/* The filter's inside when memory, locks, reading and writing fail: the old
 * set stays in force, changes keep waiting, a stream ends with a reason. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <poll.h>
#include <unistd.h>

#include "base/fdx.h"
#include "common/fault.h"
#include "privsep/filter_copy.h"
#include "privsep/filter_set.h"
#include "redact/lockmem.h"

#define VALUE "q7RtWz90LmXcAb12"
#define OTHER "another-Value-5519"

/* Records with parts of two texts, and a line that is none. */
#define DELTA(id, text) "{\"item_id\":\"" id "\",\"delta\":\"" text "\"}\n"
#define TEXT                                                                   \
    DELTA("i", "x q7RtWz90")                                                   \
    DELTA("j", "z") DELTA("i", "LmXcAb12 y") "x " VALUE " y\n"
#define OUT_BYTES 512

static bool no_locks;
static bool no_limits;

int __real_getrlimit(__rlimit_resource_t which, struct rlimit *ret);
int __wrap_getrlimit(__rlimit_resource_t which, struct rlimit *ret);

int
__wrap_getrlimit(__rlimit_resource_t which, struct rlimit *ret)
{
    return no_limits ? -1 : __real_getrlimit(which, ret);
}

int __real_mlock(const void *ptr, size_t len);
int __wrap_mlock(const void *ptr, size_t len);

int
__wrap_mlock(const void *ptr, size_t len)
{
    return no_locks || fault_now() ? -1 : __real_mlock(ptr, len);
}

FAULT_WRAPPER(void *, mmap,
              (void *at, size_t len, int prot, int flags, int fd, off_t offset),
              (at, len, prot, flags, fd, offset), MAP_FAILED)
FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(void *, reallocarray, (void *ptr, size_t count, size_t size),
              (ptr, count, size), NULL)
FAULT_WRAPPER(ssize_t, writev, (int fd, const struct iovec *iov, int count),
              (fd, iov, count), -1)
FAULT_WRAPPER(ssize_t, read, (int fd, void *out, size_t len), (fd, out, len),
              -1)
FAULT_WRAPPER(int, poll, (struct pollfd * fds, nfds_t count, int wait_ms),
              (fds, count, wait_ms), -1)

static enum ag_err
load(struct fset *s, uint64_t id, const char *name, const char *value)
{
    const struct fmsg_record record = {
        .kind = FMSG_LOAD,
        .id = id,
        .value_len = strlen(value),
        .name = span_str(name),
        .part = span_str(value),
    };

    return fset_change(s, &record);
}

/* The names in force, joined. */
static void
check_in_force(struct fset *s, const char *want)
{
    const struct matcher *set = fset_enter(s);
    char got[64] = "";
    size_t len = 0;
    size_t i;

    assert_non_null(set);
    for (i = 0; i < matcher_count(set); i++) {
        struct matcher_value v = matcher_value_at(set, i);

        memcpy(got + len, v.name.ptr, v.name.len);
        len += v.name.len;
    }
    fset_leave(s);
    assert_string_equal(got, want);
}

static enum ag_err
change_and_commit(struct fset *s)
{
    const struct fmsg_record drop = {.kind = FMSG_DROP, .id = 1};
    uint64_t epoch = 0;
    enum ag_err err = fset_change(s, &drop);

    if (err == AG_OK) {
        err = load(s, 2, "b", OTHER);
    }
    return err != AG_OK ? err : fset_commit(s, &epoch);
}

static void
test_a_failed_commit_changes_nothing(void **state)
{
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        struct fset *s = NULL;
        uint64_t epoch = 0;
        enum ag_err err;
        bool fired;

        check_ok(fset_new(&s));
        check_ok(load(s, 1, "a", VALUE));
        check_ok(fset_commit(s, &epoch));
        assert_int_equal(epoch, 1);
        fault_arm(n);
        err = change_and_commit(s);
        fired = fault_done();
        if (fired) {
            assert_true(err == AG_ENOMEM || err == AG_EMEMLOCK);
            check_in_force(s, "a");
            check_ok(change_and_commit(s)); /* the broker sends them anew */
        } else {
            check_ok(err);
        }
        check_in_force(s, "b");
        assert_int_equal(fset_stats(s).epoch, 2);
        fset_free(s);
        assert_int_equal(lockmem_used_bytes(), 0);
        if (!fired) {
            break;
        }
    }
    assert_true(n > 7);
}

static void
test_a_value_that_never_came_whole(void **state)
{
    const struct fmsg_record half = {
        .kind = FMSG_LOAD,
        .id = 9,
        .value_len = 32,
        .name = span_str("h"),
        .part = span_str("q7RtWz90LmXc"),
    };
    struct fmsg_record more = {.kind = FMSG_MORE,
                               .part = span_str("0123456789abcdefghijk")};
    struct fset *s = NULL;
    uint64_t epoch = 0;

    (void)state;
    check_ok(fset_new(&s));
    check_err(fset_change(s, &more), AG_EINVAL);
    check_ok(fset_change(s, &half));
    check_err(fset_commit(s, &epoch), AG_EINVAL);
    check_err(fset_change(s, &more), AG_EINVAL); /* one byte too many */
    more.part.len = 20;
    check_ok(fset_change(s, &half)); /* from its beginning */
    check_ok(fset_change(s, &more));
    check_ok(fset_commit(s, &epoch));
    check_in_force(s, "h");
    check_ok(fset_change(s, &half));
    check_ok(load(s, 1, "a", VALUE)); /* the half one is forgotten */
    check_ok(fset_commit(s, &epoch));
    check_in_force(s, "ha");
    fset_wipe(s);
    assert_null(fset_enter(s));
    assert_int_equal(fset_stats(s).epoch, 0);
    fset_free(s);
    assert_int_equal(lockmem_used_bytes(), 0);
}

static struct frules *no_rules;

/* One stream over pipes; *out gets what was written. One that runs does not end
 * for want of locked memory. */
static enum ag_err
copy(struct fset *set, enum format format, char *out, size_t cap)
{
    const struct fmsg_stream stream = {.id = 1, .format = format};
    AG_AUTO(fcopy) struct fcopy *c = NULL;
    atomic_int stop = AG_OK;
    int in[2];
    int to[2];
    enum ag_err err;
    ssize_t n;

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(to), 0);
    assert_int_equal(write(in[1], TEXT, strlen(TEXT)), strlen(TEXT));
    fd_close(in[1]);
    err = fcopy_new(&stream, in[0], set, no_rules, &stop, &c);
    if (err == AG_OK) {
        err = fcopy_run(c, to[1])->result;
        assert_int_not_equal(err, AG_EMEMLOCK);
    }
    fd_close(in[0]);
    fd_close(to[1]);
    n = __real_read(to[0], out, cap - 1);
    assert_true(n >= 0);
    out[n] = '\0';
    fd_close(to[0]);
    return err;
}

static void
check_stream(enum format format, const char *want)
{
    struct fset *s = NULL;
    uint64_t epoch = 0;
    size_t locked;
    unsigned n;

    check_ok(frules_new(NULL, &no_rules));
    check_ok(fset_new(&s));
    check_ok(load(s, 1, "a", VALUE));
    check_ok(fset_commit(s, &epoch));
    locked = lockmem_used_bytes();
    for (n = 1;; n++) {
        char out[OUT_BYTES];
        enum ag_err err;

        fault_arm(n);
        err = copy(s, format, out, sizeof(out));
        assert_null(strstr(out, VALUE));
        assert_int_equal(lockmem_used_bytes(), locked);
        if (!fault_done()) {
            check_ok(err);
            assert_string_equal(out, want);
            break;
        }
        assert_true(err == AG_ENOMEM || err == AG_EMEMLOCK || err == AG_EIO);
    }
    assert_true(n > 7);
    fset_free(s);
    frules_free(no_rules);
    assert_int_equal(lockmem_used_bytes(), 0);
}

static void
test_a_stream_says_why_it_ended(void **state)
{
    (void)state;
    check_stream(STREAM_TEXT, DELTA("i", "x q7RtWz90") DELTA("j", "z") DELTA(
                                  "i", "LmXcAb12 y") "x [redacted:a] y\n");
    check_stream(STREAM_JSONL, DELTA("i", "x [redacted:a]") DELTA("j", "z")
                                   DELTA("i", " y") "x [redacted:a] y\n");
}

/* What a longer value needs, it has without locks. */
static void
test_a_stream_that_runs_goes_on_without_locks(void **state)
{
    const struct fmsg_stream stream = {.id = 1, .format = STREAM_JSONL};
    AG_AUTO(fcopy) struct fcopy *c = NULL;
    struct fset *s = NULL;
    atomic_int stop = AG_OK;
    uint64_t epoch = 0;
    char longer[1024];
    int in[2];
    int to[2];

    (void)state;
    for (size_t i = 0; i < sizeof(longer) - 1; i++) {
        longer[i] = (char)('a' + (int)(i * i / 7 % 26));
    }
    longer[sizeof(longer) - 1] = '\0';
    check_ok(frules_new(NULL, &no_rules));
    check_ok(fset_new(&s));
    check_ok(load(s, 1, "a", VALUE));
    check_ok(fset_commit(s, &epoch));
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(to), 0);
    check_ok(fcopy_new(&stream, in[0], s, no_rules, &stop, &c));
    check_ok(load(s, 2, "b", longer));
    check_ok(fset_commit(s, &epoch));
    assert_int_equal(write(in[1], longer, sizeof(longer) - 1),
                     sizeof(longer) - 1);
    fd_close(in[1]);
    no_locks = true;
    check_ok(fcopy_run(c, to[1])->result);
    no_locks = false;
    assert_true(lockmem_unlocked_bytes() > 0);
    memset(longer, 0, sizeof(longer));
    assert_int_equal(__real_read(to[0], longer, sizeof(longer)), 12);
    assert_string_equal(longer, "[redacted:b]");
    fd_close(in[0]);
    fd_close(to[0]);
    fd_close(to[1]);
    fcopy_free(AG_TAKE(c));
    assert_int_equal(lockmem_unlocked_bytes(), 0);
    fset_free(s);
    frules_free(no_rules);
    assert_int_equal(lockmem_used_bytes(), 0);
}

/* The broker filters too, and may not ask for the limit. */
static void
test_a_limit_that_is_not_known(void **state)
{
    struct lockmem text = {.ptr = NULL};

    (void)state;
    no_limits = true;
    check_ok(lockmem_init_text(1, &text));
    no_limits = false;
    assert_int_equal(lockmem_used_bytes(), text.len);
    lockmem_done(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_commit_changes_nothing),
        cmocka_unit_test(test_a_value_that_never_came_whole),
        cmocka_unit_test(test_a_stream_says_why_it_ended),
        cmocka_unit_test(test_a_stream_that_runs_goes_on_without_locks),
        cmocka_unit_test(test_a_limit_that_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
