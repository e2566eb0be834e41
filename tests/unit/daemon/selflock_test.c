/* What the broker can't do any more once it has confined itself, each tried in
 * a child; on threads that were there before, too. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <net/if.h>
#include <netinet/in.h>

#include "base/paths.h"
#include "common/check.h"
#include "daemon/selflock.h"

enum {
    EXIT_AS_WANTED = 0,
    EXIT_NOT_CONFINED = 90,
    EXIT_DID_IT = 91,
};

static char dir[] = "/tmp/ag-selflock-XXXXXX";

static void
fill_paths(struct paths *p)
{
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->home, sizeof(p->home), "%s/home", dir);
    (void)snprintf(p->run, sizeof(p->run), "%s/home/run", dir);
    (void)snprintf(p->config, sizeof(p->config), "%s/config", dir);
    (void)snprintf(p->data, sizeof(p->data), "%s/data", dir);
}

/* Runs `act` in a confined child; returns its wait status. */
static int
in_child(int (*act)(void))
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        struct paths paths;
        int level = 0;

        fill_paths(&paths);
        if (selflock_begin() != AG_OK ||
            selflock_files(&paths, NULL, &level) != AG_OK ||
            selflock_calls() != AG_OK) {
            (void)fprintf(stderr, "%s\n", err_text(AG_EIO));
            _exit(EXIT_NOT_CONFINED);
        }
        _exit(act());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int
act_use_home(void)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/home/vault.db", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 ||
        ftruncate(fd, 0) != 0 || unlink(path) != 0) {
        return EXIT_DID_IT;
    }
    return EXIT_AS_WANTED;
}

static void *
nothing(void *arg)
{
    return arg;
}

static int
act_start_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, nothing, NULL) != 0 ||
        pthread_join(thread, NULL) != 0) {
        return EXIT_DID_IT;
    }
    return EXIT_AS_WANTED;
}

static void
expect_exit(int (*act)(void))
{
    assert_int_equal(in_child(act), 0);
}

#ifndef AG_SANITIZED
static bool
opens(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static int
refused(bool done)
{
    return done ? EXIT_DID_IT : EXIT_AS_WANTED;
}

static int
act_read_elsewhere(void)
{
    return refused(opens("/bin/sh") || opens("/proc/1/status") ||
                   opens("/proc/self/maps") || opens("/var/lib/dpkg/status") ||
                   open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0);
}

static int
act_write_elsewhere(void)
{
    return refused(open("/tmp/ag-selflock-out", O_WRONLY | O_CREAT | O_CLOEXEC,
                        0600) >= 0);
}

/* Names and services need TCP and UDP, nothing else. */
static int
act_make_sockets(void)
{
    return refused(socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
                   socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ||
                   socket(AF_PACKET, SOCK_DGRAM, 0) >= 0 ||
                   socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 ||
                   socket(AF_INET6, SOCK_SEQPACKET, 0) >= 0 ||
                   socket(AF_VSOCK, SOCK_STREAM, 0) >= 0);
}

static int
act_listen(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return refused(fd < 0 ||
                   bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 ||
                   listen(fd, 1) == 0);
}

static int
act_control_devices(void)
{
    struct ifconf list = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int waiting = -1;

    return refused(fd < 0 || ioctl(fd, FIONREAD, &waiting) != 0 ||
                   ioctl(fd, SIOCGIFCONF, &list) == 0);
}

static int
act_map_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return refused(page != MAP_FAILED);
}

static int
act_execute(void)
{
    char *argv[] = {(char[]){"true"}, NULL};

    (void)execv("/bin/true", argv);
    return EXIT_DID_IT; /* it should have killed us */
}

static int
act_fork(void)
{
    return refused(fork() >= 0);
}

static int
act_trace(void)
{
    (void)syscall(SYS_ptrace, 0, 0, 0, 0);
    return EXIT_DID_IT;
}

static int
act_be_dumpable(void)
{
    return refused(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
                   prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
}

static void
expect_killed(int (*act)(void))
{
    int status = in_child(act);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void
test_what_is_forbidden(void **state)
{
    (void)state;
    expect_exit(act_read_elsewhere);
    expect_exit(act_write_elsewhere);
    expect_exit(act_make_sockets);
    expect_exit(act_listen);
    expect_exit(act_control_devices);
    expect_exit(act_map_code);
    expect_exit(act_fork);
    expect_exit(act_be_dumpable);
    expect_killed(act_execute);
    expect_killed(act_trace);
}

static void
test_what_is_needed(void **state)
{
    (void)state;
    expect_exit(act_use_home);
    expect_exit(act_start_thread);
}

static atomic_int early_opened = -1;
static sem_t early_go;

static void *
early_main(void *arg)
{
    (void)sem_wait(&early_go);
    atomic_store(&early_opened, opens("/bin/sh") ? 1 : 0);
    return arg;
}

/* Landlock restricts the thread that asks; ours must be on all of them. */
static void
test_threads_from_before_are_confined(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct paths paths;
        pthread_t thread;
        int level = 0;

        fill_paths(&paths);
        (void)sem_init(&early_go, 0, 0);
        if (pthread_create(&thread, NULL, early_main, NULL) != 0 ||
            selflock_begin() != AG_OK ||
            selflock_files(&paths, NULL, &level) != AG_OK || level < 1) {
            _exit(EXIT_NOT_CONFINED);
        }
        (void)sem_post(&early_go);
        (void)pthread_join(thread, NULL);
        _exit(atomic_load(&early_opened));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}
#else
static void
test_sanitizers_leave_it_out(void **state)
{
    (void)state;
    expect_exit(act_use_home);
    expect_exit(act_start_thread);
}
#endif

static int
setup(void **state)
{
    char path[128];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/home", dir);
    return mkdir(path, 0700);
}

static int
teardown(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/home", dir);
    (void)rmdir(path);
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef AG_SANITIZED
        cmocka_unit_test(test_what_is_forbidden),
        cmocka_unit_test(test_what_is_needed),
        cmocka_unit_test(test_threads_from_before_are_confined),
#else
        cmocka_unit_test(test_sanitizers_leave_it_out),
#endif
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
