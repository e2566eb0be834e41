/* The calls that every helper may make, and how far they reach. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

#include <seccomp.h>

#include "common/check.h"
#include "privsep/confine.h"

/* A confined process sends a signal 0; its wait status. */
static int
send_confined(pid_t wanted_pid)
{
    const struct confine_call one = {SCMP_SYS(getuid), 0, 0, 0};
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        pid_t to = wanted_pid == 0 ? getpid() : wanted_pid;

        if (confine_calls(&one, 1) != AG_OK) {
            _exit(2);
        }
        _exit(syscall(SYS_tgkill, to, to, 0) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
test_a_helper_signals_its_own_threads_only(void **state)
{
    int status;

    (void)state;
#ifdef AG_SANITIZED /* not confined there */
    skip();
#endif
    status = send_confined(0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    status = send_confined(getpid());
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_helper_signals_its_own_threads_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
