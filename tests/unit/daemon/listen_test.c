/* Listening sockets: made private, stale ones replaced, a second broker kept
 * away, inherited ones recognized by their address. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/fdx.h"
#include "base/paths.h"
#include "common/check.h"
#include "daemon/listen.h"

static struct {
    char dir[64];
    struct paths paths;
} place;

static int
setup(void **state)
{
    struct paths *p = &place.paths;

    (void)state;
    memset(&place, 0, sizeof(place));
    (void)snprintf(place.dir, sizeof(place.dir), "/tmp/ag-listen-XXXXXX");
    assert_non_null(mkdtemp(place.dir));
    (void)snprintf(p->home, sizeof(p->home), "%s/home", place.dir);
    (void)snprintf(p->run, sizeof(p->run), "%s/home/run", place.dir);
    (void)snprintf(p->admin_sock, sizeof(p->admin_sock),
                   "%s/home/run/admin.sock", place.dir);
    (void)snprintf(p->task_sock, sizeof(p->task_sock), "%s/home/run/task.sock",
                   place.dir);
    (void)snprintf(p->fd_sock, sizeof(p->fd_sock), "%s/home/run/fd.sock",
                   place.dir);
    (void)snprintf(p->proxy_sock, sizeof(p->proxy_sock),
                   "%s/home/run/proxy.sock", place.dir);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const NAMES[] = {
        "home/run/admin.sock",  "home/run/task.sock",  "home/run/fd.sock",
        "home/run/broker.lock", "home/broker.lock",    "home/run/port",
        "home/run/proxy.sock",  "home/run/proxy.port",
    };
    AG_AUTO(fd) int fd = open(place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        (void)unlinkat(fd, NAMES[i], 0);
    }
    (void)unlinkat(fd, "home/run", AT_REMOVEDIR);
    (void)unlinkat(fd, "home", AT_REMOVEDIR);
    return rmdir(place.dir);
}

static mode_t
mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static int
can_connect(const char *path, int type)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AG_AUTO(fd) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static void
test_sockets_are_private(void **state)
{
    struct listeners l;
    struct accept_socket list[ACCEPT_SOCKETS_MAX_COUNT];

    (void)state;
    check_ok(listeners_open(&place.paths, true, 0, &l));
    assert_int_equal(mode_of(place.paths.home), 0700);
    assert_int_equal(mode_of(place.paths.run), 0700);
    assert_int_equal(mode_of(place.paths.admin_sock), 0600);
    assert_int_equal(mode_of(place.paths.task_sock), 0600);
    assert_int_equal(mode_of(place.paths.fd_sock), 0600);
    assert_int_equal(mode_of(place.paths.proxy_sock), 0600);
    assert_int_equal(can_connect(place.paths.proxy_sock, SOCK_STREAM), 0);
    assert_int_equal(can_connect(place.paths.admin_sock, SOCK_STREAM), 0);
    assert_int_equal(can_connect(place.paths.fd_sock, SOCK_SEQPACKET), 0);
    assert_true(l.port != 0);
    assert_true(l.proxy_port != 0 && l.proxy_port != l.port);
    assert_int_equal(listeners_list(&l, list), 6);
    assert_int_equal(list[2].kind, ACCEPT_HANDOVER);
    assert_int_equal(list[3].kind, ACCEPT_FORWARD);
    assert_int_equal(list[3].socket, HTTP_TASK);
    assert_int_equal(list[4].socket, HTTP_TCP);
    assert_int_equal(list[4].port, l.port);
    assert_int_equal(list[5].kind, ACCEPT_FORWARD);
    assert_int_equal(list[5].socket, HTTP_TCP);
    listeners_close(&l);
    assert_int_not_equal(access(place.paths.admin_sock, F_OK), 0);
}

static void
test_the_forward_proxy_sends_at_once(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    AG_AUTO(fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    AG_AUTO(fd) int taken = -1;
    struct listeners l;
    int on = 0;
    socklen_t len = sizeof(on);

    (void)state;
    check_ok(listeners_open(&place.paths, true, 0, &l));
    addr.sin_port = htons(l.proxy_port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)),
                     0);
    taken = accept4(l.fds[LISTEN_PROXY_TCP], NULL, NULL, SOCK_CLOEXEC);
    assert_true(taken >= 0);
    assert_int_equal(getsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_int_not_equal(on, 0);
    listeners_close(&l);
}

static void
test_without_tcp(void **state)
{
    struct listeners l;
    struct accept_socket list[ACCEPT_SOCKETS_MAX_COUNT];

    (void)state;
    check_ok(listeners_open(&place.paths, false, 0, &l));
    assert_int_equal(listeners_list(&l, list), 4);
    listeners_close(&l);
}

static void
test_second_broker_is_kept_away(void **state)
{
    struct listeners first;
    struct listeners second;

    (void)state;
    check_ok(listeners_open(&place.paths, false, 0, &first));
    check_err(listeners_open(&place.paths, false, 0, &second), AG_EBUSY);
    /* The loser took nothing away. */
    assert_int_equal(can_connect(place.paths.admin_sock, SOCK_STREAM), 0);
    listeners_close(&first);
    check_ok(listeners_open(&place.paths, false, 0, &second));
    listeners_close(&second);
}

static void
test_stale_socket_is_replaced(void **state)
{
    struct listeners l;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AG_AUTO(fd) int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    check_ok(listeners_open(&place.paths, false, 0, &l));
    listeners_close(&l);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s",
                   place.paths.admin_sock);
    assert_int_equal(bind(stale, (struct sockaddr *)&addr, sizeof(addr)), 0);
    fd_close(FD_TAKE(stale));
    check_ok(listeners_open(&place.paths, false, 0, &l));
    assert_int_equal(can_connect(place.paths.admin_sock, SOCK_STREAM), 0);
    listeners_close(&l);
}

static void
test_open_directory_is_refused(void **state)
{
    struct listeners l;

    (void)state;
    assert_int_equal(mkdir(place.paths.home, 0755), 0);
    assert_int_equal(chmod(place.paths.home, 0755), 0);
    check_err(listeners_open(&place.paths, false, 0, &l), AG_EMODE);
}

/* As a service manager does: descriptors from 3 on. In a child, since those
 * numbers are taken here. */
static void
inherit(const char *path, int type, enum ag_err want)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type, 0);
        char pid[16];
        struct listeners l;
        enum ag_err err;

        (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
        if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
            listen(fd, 4) != 0 || dup2(fd, 3) != 3) {
            _exit(90);
        }
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        // NOLINTBEGIN(concurrency-mt-unsafe): a process of its own
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        // NOLINTEND(concurrency-mt-unsafe)
        err = listeners_open(&place.paths, false, 0, &l);
        if (err != want) {
            (void)fprintf(stderr, "%s: %s\n", err_code(err), err_text(err));
            _exit(91);
        }
        if (err == AG_OK) {
            bool same = l.fds[LISTEN_ADMIN] == 3 && l.inherited[LISTEN_ADMIN];

            listeners_close(&l);
            /* Not ours to remove. */
            _exit(same && access(path, F_OK) == 0 ? 0 : 92);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void
test_inherited_sockets(void **state)
{
    char other[128];

    (void)state;
    assert_int_equal(mkdir(place.paths.home, 0700), 0);
    assert_int_equal(mkdir(place.paths.run, 0700), 0);
    inherit(place.paths.admin_sock, SOCK_STREAM, AG_OK);
    assert_int_equal(unlink(place.paths.admin_sock), 0);
    /* The right address, the wrong type. */
    inherit(place.paths.admin_sock, SOCK_SEQPACKET, AG_EINVAL);
    assert_int_equal(unlink(place.paths.admin_sock), 0);
    (void)snprintf(other, sizeof(other), "%s/other", place.dir);
    inherit(other, SOCK_STREAM, AG_EINVAL);
    assert_int_equal(unlink(other), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sockets_are_private),
        TEST(test_the_forward_proxy_sends_at_once),
        TEST(test_without_tcp),
        TEST(test_second_broker_is_kept_away),
        TEST(test_stale_socket_is_replaced),
        TEST(test_open_directory_is_refused),
        TEST(test_inherited_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
