/* The witness as a process of its own: what it says about processes and
 * connections, and that nobody gets at it. */
#include <sys/ptrace.h>

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>

#include "common/actor.h"
#include "privsep/spawn.h"
#include "privsep/witness.h"

struct fixture {
    struct witness *witness;
    const struct proc_source *source;
    sem_t died;
};

static void
on_death(void *arg)
{
    struct fixture *f = arg;

    (void)sem_post(&f->died);
}

static int
begin(void **state)
{
    static struct fixture f;

    (void)sem_init(&f.died, 0, 0);
    check_ok(witness_start(on_death, &f, &f.witness));
    f.source = witness_source(f.witness);
    actors_begin();
    *state = &f;
    return 0;
}

static int
finish(void **state)
{
    struct fixture *f = *state;

    actors_end();
    witness_stop(f->witness);
    return 0;
}

static struct proc_facts
facts_of(struct fixture *f, pid_t pid)
{
    struct proc_facts facts = {.sid = 0};

    check_ok(f->source->facts(f->source->ctx, pid, &facts));
    return facts;
}

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

/* ---- facts ---- */

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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
    struct proc_ref members[8];
    struct proc_facts root;
    struct proc_facts daemon;
    size_t count = 0;

    actor_start(0);
    assert_int_equal(actor_do(0, ACT_SUBREAPER, 0), 0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_do(1, ACT_SETSID, 0) > 0);
    assert_true(actor_forks(1, ACT_FORK, 2));
    (void)actor_do(1, ACT_EXIT, 0);
    assert_int_equal(actor_do(0, ACT_REAP, 0), actors.pid[1]);
    root = facts_of(f, actors.pid[0]);
    daemon = facts_of(f, actors.pid[2]);
    assert_int_equal(daemon.chain[0].pid, root.self.pid);
    assert_true(has_ancestor(&daemon, root.self));
    check_ok(f->source->tree(f->source->ctx, root.self, members, 8, &count));
    assert_int_equal(count, 1);
    assert_true(proc_ref_equal(members[0], daemon.self));
}

static void
test_the_tree_goes_through_pid_namespaces(void **state)
{
    struct fixture *f = *state;
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
    check_ok(f->source->tree(f->source->ctx, root.self, members, 8, &count));
    assert_int_equal(count, 2);
    check_err(f->source->tree(f->source->ctx, root.self, members, 1, &count),
              AG_ELIMIT);
}

static void
test_a_root_that_is_gone_or_another_has_no_tree(void **state)
{
    struct fixture *f = *state;
    struct proc_ref members[4];
    struct proc_ref root;
    size_t count = 0;

    actor_start(0);
    root = facts_of(f, actors.pid[0]).self;
    check_ok(f->source->tree(f->source->ctx, root, members, 4, &count));
    assert_int_equal(count, 0);
    root.start_ticks++;
    check_err(f->source->tree(f->source->ctx, root, members, 4, &count),
              AG_ENOTFOUND);
}

/* ---- TCP ---- */

/* The connection waiting at `listener`, as its caller sees it. */
static int
accept_one(int listener, int family, uint16_t port, struct proc_tcp *ret)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    memset(ret, 0, sizeof(*ret));
    ret->family = family;
    ret->broker_port = port;
    if (family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, &from, sizeof(v4));
        ret->caller_port = ntohs(v4.sin_port);
        memcpy(ret->caller_addr, &v4.sin_addr, 4);
    } else {
        struct sockaddr_in6 v6;

        memcpy(&v6, &from, sizeof(v6));
        ret->caller_port = ntohs(v6.sin6_port);
        memcpy(ret->caller_addr, &v6.sin6_addr, 16);
    }
    memcpy(ret->broker_addr, ret->caller_addr, PROC_ADDR_BYTES);
    return fd;
}

static struct proc_tcp_owner
owner_of(struct fixture *f, const struct proc_tcp *tcp,
         const struct proc_ref *roots, size_t root_count)
{
    struct proc_tcp_owner owner = {.place = PROC_TCP_UNKNOWN};

    check_ok(
        f->source->tcp_owner(f->source->ctx, tcp, roots, root_count, &owner));
    return owner;
}

/* Actor 0 is the root, actor 1 its child that connects, actor 2 a stranger. */
static void
check_connection(struct fixture *f, int family, enum actor_op how)
{
    uint16_t port = 0;
    int listener = actor_listen_tcp(family, &port);
    struct proc_tcp_owner owner;
    struct proc_ref roots[3];
    struct proc_tcp tcp;
    int held;
    int fd;

    if (listener < 0) {
        skip(); /* no IPv6 here */
    }
    actor_start(0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    actor_start(2);
    held = actor_do(1, how, port);
    assert_true(held >= 0);
    fd = accept_one(listener, family, port, &tcp);
    roots[0] = facts_of(f, actors.pid[2]).self;
    roots[1] = facts_of(f, actors.pid[0]).self;
    roots[2] = facts_of(f, actors.pid[1]).self;

    owner = owner_of(f, &tcp, roots, 2);
    assert_int_equal(owner.place, PROC_TCP_INSIDE);
    assert_int_equal(owner.root_index, 1);
    assert_int_equal(owner.uid, geteuid());
    assert_true(proc_ref_equal(owner.owner, roots[2]));

    /* Not in the stranger's tree, and no root is in its own. */
    assert_int_equal(owner_of(f, &tcp, roots, 1).place, PROC_TCP_OUTSIDE);
    assert_int_equal(owner_of(f, &tcp, &roots[2], 1).place, PROC_TCP_OUTSIDE);
    /* With no roots only the uid is asked for. */
    assert_int_equal(owner_of(f, &tcp, NULL, 0).place, PROC_TCP_OUTSIDE);
    /* A root whose pid was given again is another process. */
    roots[1].start_ticks--;
    assert_int_equal(owner_of(f, &tcp, roots, 2).place, PROC_TCP_OUTSIDE);
    roots[1].start_ticks++;

    /* Closed at the caller's end: nobody can be named any more. */
    assert_int_equal(actor_do(1, ACT_CLOSE, held), 0);
    assert_int_equal(owner_of(f, &tcp, roots, 2).place, PROC_TCP_UNKNOWN);
    (void)close(fd);
    assert_int_equal(owner_of(f, &tcp, roots, 2).place, PROC_TCP_UNKNOWN);
    (void)close(listener);
}

static void
test_the_owner_of_a_tcp_connection(void **state)
{
    check_connection(*state, AF_INET, ACT_CONNECT_4);
}

static void
test_the_owner_of_a_tcp6_connection(void **state)
{
    check_connection(*state, AF_INET6, ACT_CONNECT_6);
}

static void
test_the_owner_of_a_mapped_connection(void **state)
{
    check_connection(*state, AF_INET, ACT_CONNECT_MAPPED);
}

static void
test_a_connection_from_a_pid_namespace(void **state)
{
    struct fixture *f = *state;
    uint16_t port = 0;
    int listener = actor_listen_tcp(AF_INET, &port);
    struct proc_tcp_owner owner;
    struct proc_ref root;
    struct proc_tcp tcp;
    int fd;

    actor_start(0);
    if (!actor_forks(0, ACT_NAMESPACE, 1)) {
        (void)close(listener);
        skip();
    }
    assert_true(actor_forks(1, ACT_FORK, 2));
    assert_true(actor_do(2, ACT_CONNECT_4, port) >= 0);
    fd = accept_one(listener, AF_INET, port, &tcp);
    root = facts_of(f, actors.pid[0]).self;
    owner = owner_of(f, &tcp, &root, 1);
    assert_int_equal(owner.place, PROC_TCP_INSIDE);
    assert_int_equal(owner.owner.pid, actors.pid[2]);
    (void)close(fd);
    (void)close(listener);
}

static void
test_what_cannot_be_read_is_not_called_outside(void **state)
{
    struct fixture *f = *state;
    uint16_t port = 0;
    int listener = actor_listen_tcp(AF_INET, &port);
    struct proc_ref root;
    struct proc_tcp tcp;
    int fd;

    actor_start(0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_do(1, ACT_CONNECT_4, port) >= 0);
    fd = accept_one(listener, AF_INET, port, &tcp);
    root = facts_of(f, actors.pid[0]).self;
    assert_int_equal(actor_do(1, ACT_UNDUMPABLE, 0), 0);
    assert_int_equal(owner_of(f, &tcp, &root, 1).place, PROC_TCP_UNKNOWN);
    (void)close(fd);
    (void)close(listener);
}

/* ---- the process itself ---- */

static void
test_nobody_gets_at_the_witness(void **state)
{
#ifdef AG_SANITIZED
    (void)state;
    skip(); /* leak checking needs ptrace */
#else
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
    char path[64];
    char text[256];
    size_t count = 0;
    FILE *file;
    DIR *dir;

    if (geteuid() != 0) {
        skip();
    }
    (void)facts_of(f, getpid());
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
#define WITH_WITNESS(test) cmocka_unit_test_setup_teardown(test, begin, finish)
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
        WITH_WITNESS(test_the_owner_of_a_tcp_connection),
        WITH_WITNESS(test_the_owner_of_a_tcp6_connection),
        WITH_WITNESS(test_the_owner_of_a_mapped_connection),
        WITH_WITNESS(test_a_connection_from_a_pid_namespace),
        WITH_WITNESS(test_what_cannot_be_read_is_not_called_outside),
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
