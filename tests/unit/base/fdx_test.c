/* Descriptors: whole reads and writes, values into locked memory, passing. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/scratch.h"

static int
set_up(void **state)
{
    check_ok(secret_arena_open((size_t)1024 * 1024));
    return scratch_open(state);
}

static int
tear_down(void **state)
{
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return scratch_close(state);
}

static void
test_close_keeps_errno(void **state)
{
    int fd = -1;

    (void)state;
    errno = 5;
    fd_close(fd);
    fd_close(9999);
    assert_int_equal(errno, 5);
    fd = dup(0);
    {
        AG_AUTO(fd) int held = FD_TAKE(fd);

        assert_int_equal(fd, -1);
        assert_true(held >= 0);
    }
}

static void
test_write_all(void **state)
{
    AG_AUTO(fd) int in = -1;
    AG_AUTO(fd) int out = -1;
    int ends[2];
    char text[6] = {0};

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    in = ends[0];
    out = ends[1];
    check_ok(fd_write_all(out, span_str("hello")));
    assert_int_equal(read(in, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    check_err(fd_write_all(-1, span_str("x")), AG_EIO);
    check_ok(fd_write_all(-1, span_of(NULL, 0)));
}

struct feed {
    int fd;
    size_t len;
};

static void *
feed_slowly(void *arg)
{
    struct feed *feed = arg;

    for (size_t i = 0; i < feed->len;) {
        size_t n = feed->len - i < 700 ? feed->len - i : 700;
        char block[700];

        for (size_t k = 0; k < n; k++) {
            block[k] = (char)((i + k) % 251);
        }
        if (fd_write_all(feed->fd, span_of(block, n)) != AG_OK) {
            break;
        }
        i += n;
    }
    fd_close(feed->fd);
    return NULL;
}

/* Reads `len` bytes that come through a pipe, with this cap. */
static enum ag_err
through_pipe(size_t len, size_t max_bytes, struct secret **ret)
{
    struct feed feed;
    pthread_t thread;
    enum ag_err err;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1024 * 1024) > 0);
    feed = (struct feed){.fd = ends[1], .len = len};
    assert_int_equal(pthread_create(&thread, NULL, feed_slowly, &feed), 0);
    err = fd_read_secret(ends[0], max_bytes, ret);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fd_close(ends[0]);
    return err;
}

static void
test_a_value_from_a_pipe(void **state)
{
    static const size_t LENS[] = {0, 1, 699, 4095, 4096, 4097, 50000, 100000};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LENS); i++) {
        struct secret *s = NULL;

        check_ok(through_pipe(LENS[i], 100000, &s));
        assert_int_equal(secret_len(s), LENS[i]);
        for (size_t k = 0; k < LENS[i]; k++) {
            assert_int_equal(secret_bytes(s)[k], k % 251);
        }
        secret_free(s);
        s = NULL;
        if (LENS[i] > 0) {
            check_err(through_pipe(LENS[i], LENS[i] - 1, &s), AG_ELIMIT);
            assert_null(s);
        }
    }
}

static void
test_a_value_from_a_file(void **state)
{
    AG_AUTO(fd) int fd = -1;
    struct secret *s = NULL;
    char content[5000];

    (void)state;
    memset(content, 'v', sizeof(content));
    scratch_write("f", content, sizeof(content), 0600);
    fd = openat(scratch.fd, "f", O_RDONLY | O_CLOEXEC);
    check_err(fd_read_secret(fd, 4999, &s), AG_ELIMIT);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    check_ok(fd_read_secret(fd, 5000, &s));
    assert_int_equal(secret_len(s), 5000);
    secret_free(s);
    assert_int_equal(lseek(fd, 4990, SEEK_SET), 4990);
    check_ok(fd_read_secret(fd, 5000, &s)); /* from where it stands */
    check_span(secret_view(s), "vvvvvvvvvv");
    secret_free(s);
    check_err(fd_read_secret(-1, 10, &s), AG_EIO);
    check_err(fd_read_secret(scratch.fd, 10, &s), AG_EIO); /* a directory */
}

static void
test_nonblocking(void **state)
{
    AG_AUTO(fd) int in = -1;
    int ends[2];
    char c;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    in = ends[0];
    check_ok(fd_set_nonblock(in, true));
    check_ok(fd_set_nonblock(in, true));
    assert_int_equal(read(in, &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    check_ok(fd_set_nonblock(in, false));
    assert_int_equal(fcntl(in, F_GETFL) & O_NONBLOCK, 0);
    check_err(fd_set_nonblock(-1, true), AG_EIO);
    fd_close(ends[1]);
}

static void
test_passing_descriptors(void **state)
{
    int pair[2];
    int sent[FD_PASS_MAX_COUNT];
    int got[FD_PASS_MAX_COUNT];
    size_t count = 0;
    size_t len = 0;
    char text[16];

    (void)state;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (size_t i = 0; i < FD_PASS_MAX_COUNT; i++) {
        sent[i] = 0;
    }
    for (size_t n = 0; n <= FD_PASS_MAX_COUNT; n++) {
        check_ok(fd_send(pair[0], span_str("hi"), sent, n));
        check_ok(fd_recv(pair[1], text, sizeof(text), &len, got, &count));
        assert_int_equal(len, 2);
        assert_int_equal(count, n);
        for (size_t i = 0; i < count; i++) {
            assert_true((fcntl(got[i], F_GETFD) & FD_CLOEXEC) != 0);
            fd_close(got[i]);
        }
    }
    check_err(fd_send(pair[0], span_str("x"), sent, FD_PASS_MAX_COUNT + 1),
              AG_EINVAL);
    fd_close(pair[0]);
    check_ok(fd_recv(pair[1], text, sizeof(text), &len, got, &count));
    assert_int_equal(len, 0); /* the end */
    assert_int_equal(count, 0);
    check_err(fd_send(pair[1], span_str("x"), NULL, 0), AG_EIO);
    fd_close(pair[1]);
    check_err(fd_recv(-1, text, sizeof(text), &len, got, &count), AG_EIO);
}

static size_t
open_count(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return n;
}

/* fd_send() won't send more; a hostile peer does. */
static void
send_many(int sock, size_t fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 32)];
    } control;
    struct iovec part = {.iov_base = &(char){'x'}, .iov_len = 1};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count)};
    struct cmsghdr *cmsg;

    memset(&control, 0, sizeof(control)); /* descriptor 0, many times */
    cmsg = CMSG_FIRSTHDR(&head);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    assert_int_equal(sendmsg(sock, &head, 0), 1);
}

static void
test_too_much_is_refused_and_nothing_leaks(void **state)
{
    int pair[2];
    int got[FD_PASS_MAX_COUNT];
    int zero = 0;
    size_t count = 77;
    size_t len = 77;
    size_t before;
    char text[4];

    (void)state;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    before = open_count();
    send_many(pair[0], FD_PASS_MAX_COUNT + 1);
    check_err(fd_recv(pair[1], text, sizeof(text), &len, got, &count),
              AG_EINVAL);
    send_many(pair[0], 32);
    check_err(fd_recv(pair[1], text, sizeof(text), &len, got, &count),
              AG_EINVAL);
    check_ok(fd_send(pair[0], span_str("longer"), &zero, 1));
    check_err(fd_recv(pair[1], text, sizeof(text), &len, got, &count),
              AG_EINVAL);
    assert_int_equal(open_count(), before);
    assert_int_equal(len, 77);
    fd_close(pair[0]);
    fd_close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_keeps_errno),
        cmocka_unit_test(test_write_all),
        cmocka_unit_test(test_a_value_from_a_pipe),
        cmocka_unit_test(test_a_value_from_a_file),
        cmocka_unit_test(test_nonblocking),
        cmocka_unit_test(test_passing_descriptors),
        cmocka_unit_test(test_too_much_is_refused_and_nothing_leaks),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
