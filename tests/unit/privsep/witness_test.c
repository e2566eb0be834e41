/* The witness as a process of its own: what it says about processes, and that
 * nobody gets at it. */
#include <sys/ptrace.h>

#include <dirent.h>
#include <fcntl.h>

#include "unit/privsep/watched.h"

/* ---- facts ---- */

static bool
has_ancestor(const struct proc_facts *facts, struct proc_ref ancestor)
{
    for (size_t i = 0; i < facts->chain_count; i++) {
        if (proc_ref_equal(facts->chain[i], ancestor)) {
            return true;
        }
    }
    return false;
}

static void
test_facts_of_this_process(void **state)
{
    struct proc_facts me = facts_of(*state, getpid());

    assert_int_equal(me.self.pid, getpid());
    assert_int_equal(me.uid, geteuid());
    assert_int_equal(me.sid, getsid(0));
    assert_true(me.chain_count > 0);
    assert_int_equal(me.chain[0].pid, getppid());
    assert_int_equal(me.parent_sid, getsid(getppid()));
    for (size_t i = 1; i < me.chain_count; i++) {
        assert_true(me.chain[i].start_ticks <= me.chain[i - 1].start_ticks);
    }
}

static void
test_a_process_that_is_gone_has_no_facts(void **state)
{
    struct watched *f = *state;
    struct proc_facts facts;
    pid_t pid;

    actor_start(0);
    pid = actors.pid[0];
    actor_end_child(0);
    check_err(f->source->facts(f->source->ctx, pid, &facts), AG_ENOTFOUND);
}

static void
test_setsid_makes_another_session(void **state)
{
    struct proc_facts before;
    struct proc_facts after;

    actor_start(0);
    before = facts_of(*state, actors.pid[0]);
    assert_int_equal(before.sid, getsid(0));
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    after = facts_of(*state, actors.pid[0]);
    assert_true(proc_ref_equal(before.self, after.self));
    assert_int_equal(after.sid, after.self.pid);
    assert_int_equal(after.leader_start_ticks, after.self.start_ticks);
    assert_int_equal(after.tty, 0);
}

static void
test_a_session_whose_leader_died_says_so(void **state)
{
    struct proc_facts left;
    pid_t leader;

    actor_start(0);
    leader = actors.pid[0];
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_int_not_equal(facts_of(*state, actors.pid[1]).leader_start_ticks, 0);
    actor_end_child(0);
    left = facts_of(*state, actors.pid[1]);
    assert_int_equal(left.sid, leader);
    assert_int_equal(left.leader_start_ticks, 0);
    (void)actor_do(1, ACT_EXIT, 0);
}

static void
test_a_daemon_that_forks_twice_stays_below_its_subreaper(void **state)
{
    struct watched *f = *state;
    struct proc_ref members[8];
    struct proc_facts root;
    struct proc_facts daemon;
    size_t count = 0;

    actor_start(0);
    assert_int_equal(actor_do(0, ACT_SUBREAPER, 0), 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_do(1, ACT_SETSID, 0) > 0);
    assert_true(actor_forks(1, ACT_FORK, 2));
    actor_end_below(0, 1);
    root = facts_of(f, actors.pid[0]);
    daemon = facts_of(f, actors.pid[2]);
    assert_int_equal(daemon.chain[0].pid, root.self.pid);
    assert_true(has_ancestor(&daemon, root.self));
    check_ok(tree_of(f, root.self, members, 8, &count));
    assert_int_equal(count, 1);
    assert_true(proc_ref_equal(members[0], daemon.self));
}

static void
test_the_tree_goes_through_pid_namespaces(void **state)
{
    struct watched *f = *state;
    struct proc_ref members[8];
    struct proc_facts root;
    struct proc_facts inner;
    size_t count = 0;

    actor_start(0);
    if (!actor_forks(0, ACT_NAMESPACE, 1)) {
        skip(); /* user namespaces are forbidden here */
    }
    assert_true(actor_forks(1, ACT_FORK, 2));
    assert_true(actor_forks(2, ACT_FORK, 3));
    (void)actor_do(2, ACT_EXIT, 0);
    assert_int_equal(actor_do(1, ACT_REAP, 0), 2); /* its pid in there */
    root = facts_of(f, actors.pid[0]);
    inner = facts_of(f, actors.pid[3]);
    assert_int_equal(inner.chain[0].pid, actors.pid[1]);
    assert_true(has_ancestor(&inner, root.self));
    assert_int_equal(inner.uid, geteuid());
    check_ok(tree_of(f, root.self, members, 8, &count));
    assert_int_equal(count, 2);
    check_err(tree_of(f, root.self, members, 1, &count), AG_ELIMIT);
}

static void
test_a_root_that_is_gone_or_another_has_no_tree(void **state)
{
    struct watched *f = *state;
    struct proc_ref members[4];
    struct proc_ref root;
    size_t count = 0;

    actor_start(0);
    root = facts_of(f, actors.pid[0]).self;
    check_ok(tree_of(f, root, members, 4, &count));
    assert_int_equal(count, 0);
    root.start_ticks++;
    check_err(tree_of(f, root, members, 4, &count), AG_ENOTFOUND);
}

/* ---- the process itself ---- */

static void
test_nobody_gets_at_the_witness(void **state)
{
#ifdef AG_SANITIZED
    (void)state;
    skip(); /* leak checking needs ptrace */
#else
    struct watched *f = *state;
    static const char *const FILES[] = {"mem", "environ", "maps", "fd"};
    char path[64];

    /* Questions first: it is confined by the time it answers. */
    (void)facts_of(f, getpid());
    errno = 0;
    assert_int_equal(ptrace(PTRACE_SEIZE, witness_pid(f->witness), NULL, NULL),
                     -1);
    assert_int_equal(errno, EPERM);
    for (size_t i = 0; i < AG_COUNT(FILES); i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/%s",
                       (int)witness_pid(f->witness), FILES[i]);
        errno = 0;
        assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
        assert_int_equal(errno, EACCES);
    }
#endif
}

static void
test_the_witness_is_held_by_its_call_list(void **state)
{
#ifdef AG_SANITIZED
    (void)state;
    skip();
#else
    struct watched *f = *state;
    char path[64];
    char text[4096] = {0};
    FILE *file;

    (void)facts_of(f, getpid());
    (void)snprintf(path, sizeof(path), "/proc/%d/status",
                   (int)witness_pid(f->witness));
    file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    (void)fclose(file);
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(text, "Seccomp:\t2\n"));
    assert_non_null(strstr(text, "Threads:\t1\n"));
#endif
}

static void
test_its_death_is_noticed(void **state)
{
    struct watched *f = *state;
    struct proc_facts facts;

    (void)facts_of(f, getpid());
    assert_int_equal(kill(witness_pid(f->witness), SIGKILL), 0);
    (void)sem_wait(&f->died);
    assert_false(witness_is_alive(f->witness));
    check_err(f->source->facts(f->source->ctx, getpid(), &facts), AG_EUNTRACED);
}

static void
test_it_ends_with_its_channel(void **state)
{
    struct watched *f = *state;
    pid_t pid = witness_pid(f->witness);
    int died = 1;

    (void)facts_of(f, getpid());
    witness_stop(f->witness);
    f->witness = NULL;
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(sem_getvalue(&f->died, &died), 0);
    assert_int_equal(died, 0);
}

/* Root only: what it was born with. */
static void
test_it_inherits_nothing(void **state)
{
    struct watched *f = *state;
    char path[64];
    char text[256];
    struct proc_ref nobody = {.pid = 1, .start_ticks = UINT64_MAX};
    size_t count = 0;
    FILE *file;
    DIR *dir;

    if (geteuid() != 0) {
        skip();
    }
    /* A question that leaves nothing open there. */
    check_err(tree_of(f, nobody, &nobody, 1, &count), AG_ENOTFOUND);
    count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd",
                   (int)witness_pid(f->witness));
    dir = opendir(path);
    assert_non_null(dir);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    /* . .. 0 1 2, its channel, /proc and sock_diag */
    assert_int_equal(count, 8);
    (void)snprintf(path, sizeof(path), "/proc/%d/environ",
                   (int)witness_pid(f->witness));
    file = fopen(path, "re");
    assert_non_null(file);
#ifndef AG_SANITIZED
    assert_int_equal(fread(text, 1, sizeof(text), file), 0);
#endif
    (void)text;
    (void)fclose(file);
}

int
main(int argc, char **argv)
{
#define WITH_WITNESS(test)                                                     \
    cmocka_unit_test_setup_teardown(test, watched_begin, watched_end)
    const struct CMUnitTest as_is[] = {
        WITH_WITNESS(test_it_inherits_nothing),
        WITH_WITNESS(test_facts_of_this_process),
    };
    const struct CMUnitTest tests[] = {
        WITH_WITNESS(test_facts_of_this_process),
        WITH_WITNESS(test_a_process_that_is_gone_has_no_facts),
        WITH_WITNESS(test_setsid_makes_another_session),
        WITH_WITNESS(test_a_session_whose_leader_died_says_so),
        WITH_WITNESS(test_a_daemon_that_forks_twice_stays_below_its_subreaper),
        WITH_WITNESS(test_the_tree_goes_through_pid_namespaces),
        WITH_WITNESS(test_a_root_that_is_gone_or_another_has_no_tree),
        WITH_WITNESS(test_nobody_gets_at_the_witness),
        WITH_WITNESS(test_the_witness_is_held_by_its_call_list),
        WITH_WITNESS(test_its_death_is_noticed),
        WITH_WITNESS(test_it_ends_with_its_channel),
    };
    int failed;

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    failed = cmocka_run_group_tests(as_is, NULL, NULL);
    actor_drop_root();
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
