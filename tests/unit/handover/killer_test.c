/* Who was told and stays is killed; who went, or was spared, is not. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

#include "common/check.h"
#include "handover/killer.h"

enum {
    LONG_MS = 60000,
};

struct victim {
    pid_t pid;
    int pidfd;
};

static struct victim
start_victim(void)
{
    struct victim v = {.pid = fork()};

    if (v.pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_true(v.pid > 0);
    v.pidfd = (int)syscall(SYS_pidfd_open, v.pid, 0);
    assert_true(v.pidfd >= 0);
    return v;
}

/* The signal it died of, after it did. */
static int
signal_of(struct victim *v)
{
    int status = 0;

    assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
    (void)close(v->pidfd);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
test_the_time_is_given_and_then_it_is_over(void **state)
{
    AG_AUTO(killer) struct killer *k = NULL;
    struct victim slow = start_victim();
    struct victim fast = start_victim();
    struct victim spared = start_victim();

    (void)state;
    check_ok(killer_new(&k));
    killer_later(k, 1, slow.pidfd, 60);
    killer_later(k, 2, fast.pidfd, 10);
    killer_later(k, 3, spared.pidfd, 30);
    killer_cancel(k, 3);
    killer_cancel(k, 99);
    assert_int_equal(signal_of(&fast), SIGKILL);
    assert_int_equal(signal_of(&slow), SIGKILL);
    assert_int_equal(waitpid(spared.pid, NULL, WNOHANG), 0);
    killer_now(spared.pidfd);
    assert_int_equal(signal_of(&spared), SIGKILL);
    killer_now(-1);
    killer_later(k, 4, -1, 0); /* nobody */
}

static void
test_at_its_end_nobody_waits_longer(void **state)
{
    struct killer *k = NULL;
    struct victim v = start_victim();
    struct victim spared = start_victim();

    (void)state;
    check_ok(killer_new(&k));
    killer_later(k, 1, v.pidfd, LONG_MS);
    killer_later(k, 2, spared.pidfd, LONG_MS);
    killer_cancel(k, 2);
    killer_free(k);
    killer_free(NULL);
    assert_int_equal(signal_of(&v), SIGKILL);
    (void)kill(spared.pid, SIGTERM);
    assert_int_equal(signal_of(&spared), SIGTERM);
}

static void
test_a_second_sentence_for_one_is_no_other(void **state)
{
    AG_AUTO(killer) struct killer *k = NULL;
    struct victim v = start_victim();

    (void)state;
    check_ok(killer_new(&k));
    killer_later(k, 1, v.pidfd, LONG_MS);
    killer_later(k, 1, v.pidfd, 0);
    killer_cancel(k, 1);
    assert_int_equal(waitpid(v.pid, NULL, WNOHANG), 0);
    killer_later(k, 1, v.pidfd, 0);
    assert_int_equal(signal_of(&v), SIGKILL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_time_is_given_and_then_it_is_over),
        cmocka_unit_test(test_at_its_end_nobody_waits_longer),
        cmocka_unit_test(test_a_second_sentence_for_one_is_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
