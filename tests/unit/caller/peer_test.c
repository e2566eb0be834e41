// LINKS: privsep
// WRAP: getsockopt
/* Who is at the other end, with real processes and the real witness: daemons,
 * namespaces, sessions, sockets passed on, pids given again. */
#include "caller/class.h"
#include "unit/caller/callers.h"

enum {
    PEERPIDFD = 77,
};

/* As on a kernel before 6.5. */
static bool no_peerpidfd;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (no_peerpidfd && level == SOL_SOCKET && name == PEERPIDFD) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return __real_getsockopt(fd, level, name, value, len);
}

/* ---- Unix sockets ---- */

static void
test_the_connector_is_established(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;
    AG_AUTO(peer) struct peer *next = NULL;

    actor_start(0);
    p = connect_actor(f, 0);
    assert_int_equal(peer_transport(p), PEER_UNIX);
    assert_int_equal(peer_pid(p), actors.pid[0]);
    assert_int_equal(peer_uid(p), geteuid());
    assert_non_null(peer_facts(p));
    assert_int_equal(peer_facts(p)->self.pid, actors.pid[0]);
    assert_true(peer_pidfd(p) >= 0);
    check_ok(peer_check(p));
    next = connect_actor(f, 0);
    assert_true(peer_id(next) > peer_id(p));
    check_ok(peer_trace(p, f->source, f->tree, TASK)); /* nothing to do */
}

static void
test_a_neighbour_an_operator_and_a_proof(void **state)
{
    struct callers *f = *state;
    struct proc_facts who;

    actor_start(0);
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_forks(0, ACT_FORK, 2));
    check_actor(f, 1, CALLER_NEIGHBOUR);
    approve(f, 1);
    check_actor(f, 1, CALLER_OPERATOR);
    check_actor(f, 2, CALLER_OPERATOR);
    check_actor(f, 0, CALLER_OPERATOR);
    who = facts_of(f, 1);
    check_ok(sessions_prove(f->sessions, &who, NOW, LATER));
    check_actor(f, 1, CALLER_PROOF);
    check_actor(f, 2, CALLER_PROOF);    /* the same parent, of the session */
    check_actor(f, 0, CALLER_OPERATOR); /* another parent */
    sessions_forget(f->sessions);
    check_actor(f, 1, CALLER_NEIGHBOUR);
}

static void
test_setsid_leaves_the_operator(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *before = NULL;

    actor_start(0);
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    approve(f, 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    before = connect_actor(f, 1);
    check_class(f, before, CALLER_OPERATOR);
    assert_true(actor_do(1, ACT_SETSID, 0) > 0);
    check_actor(f, 1, CALLER_NEIGHBOUR);
    assert_true(actor_forks(1, ACT_FORK, 2));
    check_actor(f, 2, CALLER_NEIGHBOUR);
}

static void
test_a_session_without_its_leader_is_no_operators(void **state)
{
    struct callers *f = *state;

    actor_start(0);
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    approve(f, 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    check_actor(f, 1, CALLER_OPERATOR);
    actor_end_child(0);
    check_actor(f, 1, CALLER_NEIGHBOUR);
    (void)actor_do(1, ACT_EXIT, 0);
}

static void
test_in_a_tasks_tree_nobody_is_an_operator(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;

    start_operator_with_task(f);
    assert_true(actor_forks(0, ACT_FORK, 1));
    check_actor(f, 0, CALLER_OPERATOR); /* the supervisor itself */
    check_actor(f, 1, CALLER_TASK);     /* in its session all the same */
    p = connect_actor(f, 1);
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_TASK);
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK).task_id, TASK);
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK_UNBOUND).task_id, TASK);
}

static void
test_daemons_stay_in_the_tree(void **state)
{
    struct callers *f = *state;

    start_operator_with_task(f);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_do(1, ACT_SETSID, 0) > 0);
    assert_true(actor_forks(1, ACT_FORK, 2));
    actor_end_below(0, 1);
    check_actor(f, 2, CALLER_TASK);
}

static void
test_a_pid_namespace_stays_in_the_tree(void **state)
{
    struct callers *f = *state;

    start_operator_with_task(f);
    if (!actor_forks(0, ACT_NAMESPACE, 1)) {
        skip();
    }
    assert_true(actor_forks(1, ACT_FORK, 2));
    check_actor(f, 1, CALLER_TASK);
    check_actor(f, 2, CALLER_TASK);
    assert_true(actor_do(2, ACT_SETSID, 0) > 0);
    check_actor(f, 2, CALLER_TASK);
}

static void
test_a_namespace_outside_a_task_is_no_operator(void **state)
{
    struct callers *f = *state;

    actor_start(0);
    approve(f, 0);
    if (!actor_forks(0, ACT_NAMESPACE, 1)) {
        skip();
    }
    assert_true(actor_do(1, ACT_SETSID, 0) > 0);
    check_actor(f, 1, CALLER_NEIGHBOUR);
}

static void
test_tokens_of_roles_and_unbound_ones(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;
    struct caller_answer answer;

    actor_start(0);
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    p = connect_actor(f, 0);
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_SERVICE);
    /* A bound one from outside its tree makes nobody a task. */
    answer = decide(f, p, CALLER_TOKEN_TASK);
    assert_int_equal(answer.class, CALLER_NEIGHBOUR);
    answer = decide(f, p, CALLER_TOKEN_TASK_UNBOUND);
    assert_int_equal(answer.class, CALLER_TASK);
    assert_int_equal(answer.task_id, OTHER_TASK);
    /* A role's token does not lend an operator's session its acts, nor does
     * the session widen the token's. */
    approve(f, 0);
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_SERVICE);
}

static void
test_a_socket_passed_on_by_the_dead_is_not_believed(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *early = NULL;
    AG_AUTO(peer) struct peer *late = NULL;
    int first;
    int second;

    actor_start(0);
    approve(f, 0);
    first = actor_do(0, ACT_CONNECT_UNIX, f->unix_name);
    early = accept_peer(f);
    check_class(f, early, CALLER_OPERATOR);
    second = actor_do(0, ACT_CONNECT_UNIX, f->unix_name);
    assert_true(actor_forks(0, ACT_FORK, 1)); /* holds both sockets now */
    actor_end_child(0);
    late = accept_peer(f); /* waited in the queue while its maker died */
    (void)actor_do(1, ACT_SEND, first);
    (void)actor_do(1, ACT_SEND, second);
    check_err(peer_check(early), AG_EPROCESS);
    assert_int_equal(decide(f, early, CALLER_TOKEN_NONE).class, CALLER_OTHER);
    assert_int_equal(decide(f, early, CALLER_TOKEN_NONE).why, AG_EPROCESS);
    assert_null(peer_facts(late));
    assert_int_equal(decide(f, late, CALLER_TOKEN_ROLE).class, CALLER_OTHER);
    (void)actor_do(1, ACT_EXIT, 0);
}

static void
test_another_uid_is_other(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;
    struct caller_question question = {.tree = f->tree,
                                       .sessions = f->sessions,
                                       .own_uid = geteuid() + 1,
                                       .token = CALLER_TOKEN_ROLE,
                                       .now_ms = NOW};

    actor_start(0);
    approve(f, 0);
    p = connect_actor(f, 0);
    question.peer = p;
    assert_int_equal(caller_decide(&question).class, CALLER_OTHER);
    assert_int_equal(caller_decide(&question).why, AG_EDENIED);
}

static void
test_without_the_witness_everybody_is_other(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;

    actor_start(0);
    approve(f, 0);
    assert_int_equal(kill(witness_pid(f->witness), SIGKILL), 0);
    p = connect_actor(f, 0);
    assert_null(peer_facts(p));
    assert_int_equal(decide(f, p, CALLER_TOKEN_NONE).class, CALLER_OTHER);
    assert_int_equal(decide(f, p, CALLER_TOKEN_NONE).why, AG_EUNTRACED);
}

/* ---- kernels without SO_PEERPIDFD ---- */

static uint64_t fake_start_ticks;

static enum ag_err
fake_facts(void *ctx, pid_t pid, struct proc_facts *ret)
{
    (void)ctx;
    *ret = (struct proc_facts){
        .self = {.pid = pid, .start_ticks = fake_start_ticks},
        .uid = geteuid(),
    };
    return AG_OK;
}

static void
test_a_process_younger_than_its_connection_is_not_believed(void **state)
{
    struct callers *f = *state;
    const struct proc_source fake = {.facts = fake_facts};
    AG_AUTO(peer) struct peer *young = NULL;
    AG_AUTO(peer) struct peer *old = NULL;
    AG_AUTO(peer) struct peer *real = NULL;
    int sock;

    no_peerpidfd = true;
    actor_start(0);
    assert_true(actor_do(0, ACT_CONNECT_UNIX, f->unix_name) >= 0);
    sock = accept4(f->unix_listener, NULL, NULL, SOCK_CLOEXEC);
    fake_start_ticks = UINT64_MAX / 2; /* far in the future */
    check_ok(peer_from_unix(sock, &fake, &young));
    assert_null(peer_facts(young));
    fake_start_ticks = 1;
    check_ok(peer_from_unix(sock, &fake, &old));
    assert_non_null(peer_facts(old));
    check_ok(peer_from_unix(sock, f->source, &real));
    assert_non_null(peer_facts(real));
    (void)close(sock);
    no_peerpidfd = false;
    actor_end_child(0);
    check_err(peer_check(real), AG_EPROCESS);
}

/* ---- root only: the same pid again ---- */

static pid_t
fork_with_pid(pid_t pid)
{
    struct clone_args args = {.exit_signal = SIGCHLD,
                              .set_tid = (uint64_t)(uintptr_t)&pid,
                              .set_tid_size = 1};
    long child = syscall(SYS_clone3, &args, sizeof(args));

    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    return (pid_t)child;
}

static void
test_a_pid_given_again_is_not_believed(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *early = NULL;
    AG_AUTO(peer) struct peer *late = NULL;
    struct proc_facts before;
    struct proc_facts after;
    pid_t pid;

    if (geteuid() != 0) {
        skip();
    }
    actor_start(0);
    approve(f, 0);
    early = connect_actor(f, 0);
    check_class(f, early, CALLER_OPERATOR);
    assert_true(actor_do(0, ACT_CONNECT_UNIX, f->unix_name) >= 0);
    before = facts_of(f, 0);
    pid = actors.pid[0];
    actor_end_child(0);
    (void)usleep(20 * 1000); /* a tick, so that its start differs */
    assert_int_equal(fork_with_pid(pid), pid);
    actors.pid[0] = pid;
    after = facts_of(f, 0);
    assert_int_equal(after.sid, before.sid);
    assert_false(proc_ref_equal(after.self, before.self));
    /* The new process is in the approved session, but it did not connect. */
    check_err(peer_check(early), AG_EPROCESS);
    assert_int_equal(decide(f, early, CALLER_TOKEN_NONE).class, CALLER_OTHER);
    late = accept_peer(f);
    assert_null(peer_facts(late));
    assert_int_equal(decide(f, late, CALLER_TOKEN_NONE).class, CALLER_OTHER);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    actors.pid[0] = 0;
}

int
main(int argc, char **argv)
{
#define WITH_ALL(test)                                                         \
    cmocka_unit_test_setup_teardown(test, callers_begin, callers_end)
    const struct CMUnitTest as_is[] = {
        WITH_ALL(test_a_pid_given_again_is_not_believed),
    };
    const struct CMUnitTest tests[] = {
        WITH_ALL(test_the_connector_is_established),
        WITH_ALL(test_a_neighbour_an_operator_and_a_proof),
        WITH_ALL(test_setsid_leaves_the_operator),
        WITH_ALL(test_a_session_without_its_leader_is_no_operators),
        WITH_ALL(test_in_a_tasks_tree_nobody_is_an_operator),
        WITH_ALL(test_daemons_stay_in_the_tree),
        WITH_ALL(test_a_pid_namespace_stays_in_the_tree),
        WITH_ALL(test_a_namespace_outside_a_task_is_no_operator),
        WITH_ALL(test_tokens_of_roles_and_unbound_ones),
        WITH_ALL(test_a_socket_passed_on_by_the_dead_is_not_believed),
        WITH_ALL(test_another_uid_is_other),
        WITH_ALL(test_without_the_witness_everybody_is_other),
        WITH_ALL(test_a_process_younger_than_its_connection_is_not_believed),
    };
    int failed;

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    actor_lead_session();
    failed = cmocka_run_group_tests(as_is, NULL, NULL);
    actor_drop_root();
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
