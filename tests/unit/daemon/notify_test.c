/* The service manager's side, played by a datagram socket. */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <unistd.h>

#include "base/fdx.h"
#include "common/check.h"
#include "daemon/notify.h"

// NOLINTBEGIN(concurrency-mt-unsafe): one thread
static void
test_without_a_manager(void **state)
{
    struct notify n;

    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    check_ok(notify_open(&n));
    assert_int_equal(n.fd, -1);
    assert_int_equal(n.watchdog_ms, 0);
    notify_send(&n, "READY=1");
    notify_close(&n);
}

static void
check_heard(int fd, const char *want)
{
    char text[128] = "";
    ssize_t n = recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT, NULL, NULL);

    assert_true(n > 0);
    assert_memory_equal(text, want, strlen(want));
}

static void
test_words_arrive(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AG_AUTO(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char name[64];
    char pid[16];
    struct notify n;

    (void)state;
    (void)snprintf(name, sizeof(name), "@ag-notify-test-%d", (int)getpid());
    memcpy(addr.sun_path, name, strlen(name));
    addr.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(name))),
                     0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    (void)setenv("WATCHDOG_PID", pid, 1);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    (void)setenv("LISTEN_FDS", "3", 1);
    check_ok(notify_open(&n));
    assert_int_equal(n.watchdog_ms, 30000);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("LISTEN_FDS"));
    notify_send(&n, "READY=1");
    check_heard(fd, "READY=1");
    notify_reloading(&n);
    check_heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
    notify_close(&n);
}

static void
test_another_process_watchdog_is_not_ours(void **state)
{
    struct notify n;

    (void)state;
    (void)setenv("WATCHDOG_PID", "1", 1);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    check_ok(notify_open(&n));
    assert_int_equal(n.watchdog_ms, 0);
    (void)setenv("WATCHDOG_USEC", "soon", 1);
    check_err(notify_open(&n), AG_EINVAL);
    (void)unsetenv("WATCHDOG_USEC");
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    check_err(notify_open(&n), AG_EINVAL);
}

// NOLINTEND(concurrency-mt-unsafe)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_manager),
        cmocka_unit_test(test_words_arrive),
        cmocka_unit_test(test_another_process_watchdog_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
