// WRAP: pipe2 splice
/* No pipe, and a splice(2) that fails: the connection is broken, or, where it
 * was only interrupted, nothing is lost; no descriptor stays behind. */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/fault.h"
#include "common/fdcount.h"
#include "proxy/forward_impl.h"

FAULT_WRAPPER(int, pipe2, (int pipe[2], int flags), (pipe, flags), -1)
FAULT_WRAPPER(ssize_t, splice,
              (int from, off64_t *from_at, int to, off64_t *to_at, size_t len,
               unsigned flags),
              (from, from_at, to, to_at, len, flags), -1)

static struct forward forward;

/* One text through a flow whose n-th call fails with `error`. False: none did.
 */
static bool
pass_one(unsigned nth, int error, bool want)
{
    struct flow flow;
    int client[2];
    int server[2];
    char text[16] = "";
    bool moved = false;
    bool fired = false;
    bool whole = false;

    flow_init(&flow);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client), 0);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, server), 0);
    assert_int_equal(send(client[0], "text", 4, 0), 4);
    fault_arm(nth);
    fault.error = error;
    whole = flow_run(&forward, &flow, client[1], server[1], &moved);
    fired = fault_done();
    assert_int_equal(whole, !fired || want);
    if (whole) {
        assert_true(flow_run(&forward, &flow, client[1], server[1], &moved));
        assert_int_equal(recv(server[0], text, sizeof(text), 0), 4);
        assert_memory_equal(text, "text", 4);
    }
    flow_done(&forward, &flow);
    for (int i = 0; i < 2; i++) {
        (void)close(client[i]);
        (void)close(server[i]);
    }
    return fired;
}

static void
let_go_of_spares(void)
{
    while (forward.spare_count > 0) {
        forward.spare_count--;
        (void)close(forward.spare[forward.spare_count][0]);
        (void)close(forward.spare[forward.spare_count][1]);
    }
}

static void
test_each_call_fails(void **state)
{
    const size_t fds = fd_count_open();
    unsigned n = 0;

    (void)state;
    /* pipe2, splice in, splice out, and the one that finds nothing more */
    for (n = 1; pass_one(n, EIO, false); n++) {
        let_go_of_spares();
        assert_int_equal(fd_count_open(), fds);
    }
    assert_int_equal(n, 5);
    let_go_of_spares();
    for (n = 2; pass_one(n, n % 2 == 0 ? EINTR : EAGAIN, true); n++) {
        let_go_of_spares();
        assert_int_equal(fd_count_open(), fds);
    }
    let_go_of_spares();
    assert_int_equal(fd_count_open(), fds);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
