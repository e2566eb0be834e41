/* The witness on TCP connections: whose they are, whose they are not, and what
 * can't be told. */
#include "unit/privsep/watched.h"

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
owner_of(struct watched *f, const struct proc_tcp *tcp,
         const struct proc_ref *roots, size_t root_count)
{
    struct proc_tcp_owner owner = {.place = PROC_TCP_UNKNOWN};

    check_ok(
        f->source->tcp_owner(f->source->ctx, tcp, roots, root_count, &owner));
    return owner;
}

/* Actor 0 is the root, actor 1 its child that connects, actor 2 a stranger. */
static void
check_connection(struct watched *f, int family, enum actor_op how)
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
    roots[0] = ref_of(f, actors.pid[2]);
    roots[1] = ref_of(f, actors.pid[0]);
    roots[2] = ref_of(f, actors.pid[1]);

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
    struct watched *f = *state;
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
    root = ref_of(f, actors.pid[0]);
    owner = owner_of(f, &tcp, &root, 1);
    assert_int_equal(owner.place, PROC_TCP_INSIDE);
    assert_int_equal(owner.owner.pid, actors.pid[2]);
    (void)close(fd);
    (void)close(listener);
}

static void
test_what_cannot_be_read_is_not_called_outside(void **state)
{
    struct watched *f = *state;
    uint16_t port = 0;
    int listener = actor_listen_tcp(AF_INET, &port);
    struct proc_ref root;
    struct proc_tcp tcp;
    int fd;

    actor_start(0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_do(1, ACT_CONNECT_4, port) >= 0);
    fd = accept_one(listener, AF_INET, port, &tcp);
    root = ref_of(f, actors.pid[0]);
    assert_int_equal(actor_do(1, ACT_UNDUMPABLE, 0), 0);
    assert_int_equal(owner_of(f, &tcp, &root, 1).place, PROC_TCP_UNKNOWN);
    (void)close(fd);
    (void)close(listener);
}

/* A tree with a member that can't be read, as every keeper is. */
static void
test_a_holder_seen_elsewhere_is_outside(void **state)
{
    struct watched *f = *state;
    uint16_t port = 0;
    int listener = actor_listen_tcp(AF_INET, &port);
    struct proc_ref root;
    struct proc_tcp inside;
    struct proc_tcp outside;
    int fds[2];

    actor_start(0);
    assert_true(actor_forks(0, ACT_FORK, 1));
    assert_true(actor_forks(1, ACT_FORK, 2));
    actor_start(3);
    assert_int_equal(actor_do(1, ACT_UNDUMPABLE, 0), 0);
    assert_true(actor_do(2, ACT_CONNECT_4, port) >= 0);
    fds[0] = accept_one(listener, AF_INET, port, &inside);
    assert_true(actor_do(3, ACT_CONNECT_4, port) >= 0);
    fds[1] = accept_one(listener, AF_INET, port, &outside);
    root = ref_of(f, actors.pid[0]);
    assert_int_equal(owner_of(f, &inside, &root, 1).place, PROC_TCP_INSIDE);
    assert_int_equal(owner_of(f, &outside, &root, 1).place, PROC_TCP_OUTSIDE);
    /* Who can't be read either may be anybody. */
    assert_int_equal(actor_do(3, ACT_UNDUMPABLE, 0), 0);
    assert_int_equal(owner_of(f, &outside, &root, 1).place, PROC_TCP_UNKNOWN);
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(listener);
}

int
main(int argc, char **argv)
{
#define WITH_WITNESS(test)                                                     \
    cmocka_unit_test_setup_teardown(test, watched_begin, watched_end)
    const struct CMUnitTest tests[] = {
        WITH_WITNESS(test_the_owner_of_a_tcp_connection),
        WITH_WITNESS(test_the_owner_of_a_tcp6_connection),
        WITH_WITNESS(test_the_owner_of_a_mapped_connection),
        WITH_WITNESS(test_a_connection_from_a_pid_namespace),
        WITH_WITNESS(test_what_cannot_be_read_is_not_called_outside),
        WITH_WITNESS(test_a_holder_seen_elsewhere_is_outside),
    };

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    actor_drop_root();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
