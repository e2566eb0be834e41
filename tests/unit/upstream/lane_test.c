/* Which sockets a lane counts as open, whatever libcurl tells of them. */

#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>

#include "base/fdx.h"
#include "common/check.h"
#include "upstream/lane.h"

enum {
    HIGH_FD = 300, /* beyond what the first list has room for */
};

static struct upstream owner;
static struct lane lane = {.owner = &owner};

static int
open_one(void)
{
    int fd = lane_open_socket(&lane, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static void
check_open(int64_t count)
{
    assert_int_equal(lane.open_count, count);
    assert_int_equal(atomic_load(&owner.open_count), count);
}

static void
test_each_is_counted_until_it_is_closed(void **state)
{
    int one = open_one();
    int two = open_one();

    (void)state;
    check_open(2);
    assert_int_equal(lane_close_socket(&lane, one), 0);
    check_open(1);
    assert_int_equal(fcntl(one, F_GETFD), -1);
    assert_int_equal(lane_close_socket(&lane, two), 0);
    check_open(0);
    assert_int_equal(lane_open_socket(&lane, -1, SOCK_STREAM, 0), -1);
    check_open(0);
}

/* libcurl closed it by itself, and the number is another's now. */
static void
test_one_that_nobody_heard_of_again(void **state)
{
    int fd = open_one();

    (void)state;
    fd_close(fd);
    assert_int_equal(open_one(), fd);
    check_open(1);
    assert_int_equal(lane_close_socket(&lane, fd), 0);
    check_open(0);
}

static void
test_a_high_number(void **state)
{
    int low = open_one();
    int high = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    int held[HIGH_FD];
    int count = 0;
    int fd = -1;

    (void)state;
    assert_true(high >= HIGH_FD);
    fd_close(high);
    while (count < HIGH_FD - 1 && (fd = fcntl(low, F_DUPFD_CLOEXEC, 0)) >= 0 &&
           fd < HIGH_FD) {
        held[count++] = fd;
    }
    fd_close(fd);
    fd = open_one();
    assert_true(fd >= HIGH_FD);
    check_open(2);
    assert_int_equal(lane_close_socket(&lane, fd), 0);
    while (count > 0) {
        fd_close(held[--count]);
    }
    check_open(1);
    assert_int_equal(lane_close_socket(&lane, low), 0);
    check_open(0);
}

static int
end(void **state)
{
    (void)state;
    free(lane.sockets);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_counted_until_it_is_closed),
        cmocka_unit_test(test_one_that_nobody_heard_of_again),
        cmocka_unit_test(test_a_high_number),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
