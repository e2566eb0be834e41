/* The keeper without namespaces: what it leaves for the supervisor, and what it
 * takes away when there is none any more. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/fdx.h"
#include "common/check.h"
#include "run/keeper.h"
#include "run/sweep.h"

static char dir[64];
static pid_t keeper;
static int line = -1;

static int
setup(void **state)
{
    sigset_t children;

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-keeper-XXXXXX");
    /* As run_signals() does: the keeper must not miss its child's end. */
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &children, NULL);
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    fd_close(line);
    line = -1;
    sweep_dir(dir);
    return 0;
}

static bool
there(const char *below)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s%s", dir, below);
    return access(path, F_OK) == 0;
}

/* A task that writes beside its file, in depth, and ends. */
static void
start(void)
{
    static char sh[] = "sh";
    static char flag[] = "-c";
    static char script[256];
    static char *argv[] = {sh, flag, script, NULL};
    static char *env[] = {NULL};
    static sigset_t mask;
    static const struct keeper_file file = {"tool-0", "login", 0600, false};
    static struct keeper_spec spec;
    struct keeper_message m = {0};
    int fds[2] = {-1, -1};

    (void)snprintf(script, sizeof(script),
                   "cd %s/tool-0; echo new >tmp; cp tmp left; mv tmp login; "
                   "mkdir -p a/b/c; ln -s /etc a/link; echo x >a/b/c/left; "
                   "chmod 0 a/b",
                   dir);
    (void)sigemptyset(&mask);
    spec = (struct keeper_spec){.kind = JAIL_NONE,
                                .dir = dir,
                                .files = &file,
                                .file_count = 1,
                                .pty_model = -1,
                                .child = {.argv = argv,
                                          .env = env,
                                          .stdio = {0, 1, 2},
                                          .tty_fd = -1,
                                          .mask = &mask}};
    check_ok(keeper_start(&spec, &keeper, &line));
    while (m.what != KEEPER_READY) {
        check_ok(keeper_hear(line, &m, fds));
        fd_close(fds[0]);
        fd_close(fds[1]);
    }
    check_ok(keeper_tell(line, KEEPER_GO, 0));
    while (m.what != KEEPER_ENDED) {
        check_ok(keeper_hear(line, &m, fds));
    }
    assert_int_equal(m.value, 0);
}

static void
test_what_was_written_last_is_left_to_the_supervisor(void **state)
{
    struct keeper_message m = {0};
    int fds[2];

    (void)state;
    start();
    check_err(keeper_hear(line, &m, fds), AG_EIO); /* its end is told */
    assert_int_equal(waitpid(keeper, NULL, WNOHANG), 0);
    assert_true(there("/tool-0/login"));
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    assert_true(there("/tool-0/login"));
    sweep_dir(dir);
    assert_false(there(""));
}

static void
test_without_a_supervisor_everything_goes(void **state)
{
    (void)state;
    start();
    fd_close(line);
    line = -1;
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    assert_false(there(""));
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* Far deeper than descriptors and paths reach. */
static void
test_a_deep_tree_is_swept(void **state)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    for (int i = 0; i < 3000; i++) {
        int below;

        assert_int_equal(mkdirat(fd, ".sweep-1", 0700), 0);
        below = openat(fd, ".sweep-1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        (void)close(fd);
        fd = below;
    }
    (void)close(fd);
    sweep_dir(dir);
    assert_false(there(""));
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_what_was_written_last_is_left_to_the_supervisor),
        CASE(test_without_a_supervisor_everything_goes),
        CASE(test_a_deep_tree_is_swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
