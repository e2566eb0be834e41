// WRAP: handout_attach handout_value handout_take handout_stream handout_stream_ended handout_stream_hits handout_stream_seen handout_finish handout_lost handout_task_of filter_stream filter_cancel
/* Supervisors that stay when their task has ended, and which of them are killed. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "caller/peer.h"
#include "common/arena.h"
#include "handover/handover.h"
#include "unit/handover/client.h"

/* A child with a pidfd of its connection, as the accept loop would find it. */
static enum ag_err
child_facts(void *ctx, pid_t pid, struct proc_facts *ret)
{
    (void)ctx;
    *ret = (struct proc_facts){.self = {.pid = pid, .start_ticks = 1},
                               .uid = geteuid()};
    return AG_OK;
}

/* What a stubborn supervisor does: it connects, then waits for ever. One that
 * says the end has perhaps output that is read slowly. */
static _Noreturn void
be_supervisor(const struct sockaddr_un *address, socklen_t len, int ready,
              bool says_end)
{
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    static const char LIFE[] = "{\"op\":\"life\",\"ticket\":\"life\"}";
    static const char END[] = "{\"op\":\"end\",\"exit\":0}";

    if (connect(sock, (const struct sockaddr *)address, len) != 0 ||
        send(sock, LIFE, sizeof(LIFE) - 1, 0) < 0 ||
        (says_end && send(sock, END, sizeof(END) - 1, 0) < 0) ||
        write(ready, "r", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

static pid_t
start_supervisor(struct fixture *f, bool says_end)
{
    const struct proc_source source = {.facts = child_facts};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); /* the kernel chooses a name */
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct peer *peer = NULL;
    char ready;
    int ends[2];
    pid_t pid;
    int sock;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    len = sizeof(address);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len),
                     0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        be_supervisor(&address, len, ends[1], says_end);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(sock >= 0);
    check_ok(peer_from_unix(sock, &source, &peer));
    check_ok(handover_accept(f->handover, sock, peer));
    (void)close(listener);
    (void)close(ends[0]);
    (void)close(ends[1]);
    lock();
    while (!played.attached) {
        (void)pthread_cond_wait(&played.changed, &played.lock);
    }
    unlock();
    return pid;
}

static void
test_a_supervisor_that_is_told_and_stays_is_killed(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_supervisor(f, false);
    int status = 0;

    played.line.ended(played.line.arg, "expired");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    wait_for(&played.lost, 1);
}

static void
test_a_supervisor_that_has_said_the_end_may_take_its_time(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_supervisor(f, true);

    wait_for(&played.finished, 1);
    played.line.ended(played.line.arg, "revoked"); /* too late */
    (void)usleep((HANDOVER_KILL_MS + 300) * 1000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(played.lost, 0);
}

static void
test_a_supervisor_is_told_when_the_broker_ends(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_supervisor(f, false);
    int status = 0;

    handover_free(f->handover);
    f->handover = NULL;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(played.lost, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_a_supervisor_that_is_told_and_stays_is_killed),
        WITH_CLIENT(test_a_supervisor_that_has_said_the_end_may_take_its_time),
        WITH_CLIENT(test_a_supervisor_is_told_when_the_broker_ends),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
