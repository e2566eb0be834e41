// WRAP: poll pwritev2
/* Values into descriptors, and files out of them: only into and out of what
 * they should be. */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "common/arena.h"
#include "handover/deliver.h"
#include "handover/take.h"

enum {
    LONG_BYTES = 200 * 1024, /* more than a pipe holds */
};

static bool poll_times_out;
static bool nowait_is_refused;
static char *kept_path;

int __real_poll(struct pollfd *fds, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int wait_ms);

int
__wrap_poll(struct pollfd *fds, nfds_t count, int wait_ms)
{
    return __real_poll(fds, count, poll_times_out ? 0 : wait_ms);
}

ssize_t __real_pwritev2(int fd, const struct iovec *parts, int count, off_t at,
                        int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t at,
                        int flags);

/* As btrfs and XFS do for a file that has no blocks yet. */
ssize_t
__wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t at,
                int flags)
{
    if (nowait_is_refused) {
        errno = EAGAIN;
        return -1;
    }
    return __real_pwritev2(fd, parts, count, at, flags);
}

/* A file opened with `flags`; without a name unless it is kept. */
static int
make_file(const char *content, int flags, mode_t mode, bool keep)
{
    char path[] = "/tmp/ag-deliver-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    int again;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    again = open(path, flags | O_CLOEXEC);
    assert_true(again >= 0);
    (void)close(fd);
    if (keep) {
        kept_path = strdup(path);
    } else {
        (void)unlink(path);
    }
    return again;
}

static struct secret *
make_secret(const char *text)
{
    struct secret *s = NULL;

    check_ok(secret_from(span_str(text), &s));
    return s;
}

/* ---- deliver ---- */

static void
test_a_value_goes_into_a_pipe(void **state)
{
    AG_AUTO(secret) struct secret *value = make_secret("s3cret");
    char got[16];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    check_ok(deliver_check(ends[1], geteuid()));
    check_ok(deliver_write(ends[1], value));
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], got, sizeof(got)), 6);
    assert_memory_equal(got, "s3cret", 6);
    assert_int_equal(read(ends[0], got, sizeof(got)), 0);
    (void)close(ends[0]);
}

static void
test_a_value_goes_into_an_empty_file_or_memfd(void **state)
{
    AG_AUTO(secret) struct secret *value = make_secret("s3cret");
    AG_AUTO(fd) int file = make_file("", O_RDWR, 0600, false);
    AG_AUTO(fd) int memory = memfd_create("value", MFD_CLOEXEC);
    char got[16];

    (void)state;
    check_ok(deliver_check(file, geteuid()));
    check_ok(deliver_write(file, value));
    assert_int_equal(pread(file, got, sizeof(got), 0), 6);
    check_ok(deliver_check(memory, geteuid()));
    check_ok(deliver_write(memory, value));
    assert_int_equal(pread(memory, got, sizeof(got), 0), 6);
    assert_memory_equal(got, "s3cret", 6);
}

static void
test_a_file_system_may_need_to_wait(void **state)
{
    AG_AUTO(secret) struct secret *value = make_secret("s3cret");
    AG_AUTO(fd) int file = make_file("", O_RDWR, 0600, false);
    char got[16];

    (void)state;
    nowait_is_refused = true;
    check_ok(deliver_write(file, value));
    nowait_is_refused = false;
    assert_int_equal(pread(file, got, sizeof(got), 0), 6);
    assert_memory_equal(got, "s3cret", 6);
}

static void
test_a_value_goes_nowhere_else(void **state)
{
    AG_AUTO(fd) int full = make_file("x", O_RDWR, 0600, false);
    AG_AUTO(fd) int readable = make_file("", O_RDONLY, 0600, false);
    AG_AUTO(fd) int path_only = make_file("", O_PATH, 0600, false);
    AG_AUTO(fd) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    AG_AUTO(fd) int memory = memfd_create("value", MFD_CLOEXEC);
    AG_AUTO(fd) int others = make_file("", O_RDWR, 0644, true);
    int pair[2];

    (void)state;
    check_err(deliver_check(full, geteuid()), AG_EFILE);
    check_err(deliver_check(readable, geteuid()), AG_EFILE);
    check_err(deliver_check(path_only, geteuid()), AG_EFILE);
    check_err(deliver_check(null, geteuid()), AG_EFILE);
    check_err(deliver_check(memory, geteuid() + 1), AG_EFILE);
    check_err(deliver_check(others, geteuid()), AG_EFILE);
    (void)unlink(kept_path);
    free(kept_path);
    check_err(deliver_check(-1, geteuid()), AG_EFILE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    check_err(deliver_check(pair[0], geteuid()), AG_EFILE);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void
test_a_reader_that_is_gone_or_asleep_is_not_waited_for(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;
    int ends[2];

    (void)state;
    check_ok(secret_new(LONG_BYTES, &value));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    poll_times_out = true;
    check_err(deliver_write(ends[1], value), AG_ETIMEOUT);
    poll_times_out = false;
    (void)close(ends[0]);
    check_err(deliver_write(ends[1], value), AG_EIO);
    (void)close(ends[1]);
}

/* ---- take ---- */

static void
test_a_file_is_taken_whole(void **state)
{
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(fd) int file = make_file("{\"a\":1}", O_RDONLY, 0600, false);
    char got[4];

    (void)state;
    assert_int_equal(read(file, got, 3), 3);
    check_ok(take_read(file, geteuid(), &content));
    check_span(secret_view(content), "{\"a\":1}");
    assert_int_equal(lseek(file, 0, SEEK_CUR), 3);
    check_ok(take_compare(file, content));
}

static void
test_an_empty_file_is_an_empty_value(void **state)
{
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(fd) int file = make_file("", O_RDONLY, 0600, false);

    (void)state;
    check_ok(take_read(file, geteuid(), &content));
    assert_int_equal(secret_len(content), 0);
    check_ok(take_compare(file, content));
}

static void
test_a_file_that_changed_is_noticed(void **state)
{
    static const char *const AFTER[] = {"abcdeX", "abcde", "abcdefg", ""};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(AFTER); i++) {
        AG_AUTO(secret) struct secret *content = NULL;
        AG_AUTO(fd) int file = make_file("abcdef", O_RDWR, 0600, false);

        check_ok(take_read(file, geteuid(), &content));
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(pwrite(file, AFTER[i], strlen(AFTER[i]), 0),
                         strlen(AFTER[i]));
        check_err(take_compare(file, content), AG_ECHANGED);
    }
}

static void
test_only_regular_files_of_ours_are_taken(void **state)
{
    struct secret *content = NULL;
    AG_AUTO(fd) int writable = make_file("x", O_WRONLY, 0600, false);
    AG_AUTO(fd) int path_only = make_file("x", O_PATH, 0600, false);
    AG_AUTO(fd) int directory = open("/tmp", O_RDONLY | O_CLOEXEC);
    AG_AUTO(fd) int file = make_file("x", O_RDONLY, 0600, false);
    AG_AUTO(fd) int large = memfd_create("large", MFD_CLOEXEC);
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(ftruncate(large, TAKE_MAX_BYTES + 1), 0);
    check_err(take_read(writable, geteuid(), &content), AG_EFILE);
    check_err(take_read(path_only, geteuid(), &content), AG_EFILE);
    check_err(take_read(directory, geteuid(), &content), AG_EFILE);
    check_err(take_read(ends[0], geteuid(), &content), AG_EFILE);
    check_err(take_read(file, geteuid() + 1, &content), AG_EFILE);
    check_err(take_read(large, geteuid(), &content), AG_ELIMIT);
    assert_int_equal(ftruncate(large, TAKE_MAX_BYTES), 0);
    check_ok(take_read(large, geteuid(), &content));
    assert_int_equal(secret_len(content), TAKE_MAX_BYTES);
    secret_free(content);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int
begin(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN);
    return arena_set_up(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_goes_into_a_pipe),
        cmocka_unit_test(test_a_value_goes_into_an_empty_file_or_memfd),
        cmocka_unit_test(test_a_file_system_may_need_to_wait),
        cmocka_unit_test(test_a_value_goes_nowhere_else),
        cmocka_unit_test(
            test_a_reader_that_is_gone_or_asleep_is_not_waited_for),
        cmocka_unit_test(test_a_file_is_taken_whole),
        cmocka_unit_test(test_an_empty_file_is_an_empty_value),
        cmocka_unit_test(test_a_file_that_changed_is_noticed),
        cmocka_unit_test(test_only_regular_files_of_ours_are_taken),
    };

    return cmocka_run_group_tests(tests, begin, arena_tear_down);
}
