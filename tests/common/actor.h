/*
 * actor.h - processes that do as they are told: fork, leave the session, enter
 * a namespace, connect, die. For tests of who a caller is.
 *
 * actors_begin() makes the control sockets; actor_start() forks actor 0, which
 * can be told to fork the others. An answer carries the actor's pid as this
 * process sees it, also from within a PID namespace.
 */
#ifndef AG_TESTS_ACTOR_H
#define AG_TESTS_ACTOR_H

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/sched.h>
#include <netinet/in.h>

#include "common/check.h"

enum {
    ACTORS = 8,
    NOBODY_UID = 65534,
};

enum actor_op {
    ACT_PING,
    ACT_FORK,      /* value: number of the new actor */
    ACT_NAMESPACE, /* the same, in new user and PID namespaces */
    ACT_SETSID,
    ACT_SUBREAPER,
    ACT_CONNECT_4, /* value: port; answers the descriptor */
    ACT_CONNECT_6,
    ACT_CONNECT_MAPPED,
    ACT_CONNECT_UNIX, /* abstract name ag-test-<value> */
    ACT_SEND,         /* one byte on descriptor `value` */
    ACT_CLOSE,        /* descriptor `value` */
    ACT_UNDUMPABLE,
    ACT_REAP, /* waits for any child */
    ACT_EXIT,
};

struct actor_order {
    enum actor_op op;
    int value;
};

static struct {
    int test_end[ACTORS];
    int actor_end[ACTORS];
    pid_t pid[ACTORS]; /* as seen here, after its last answer */
} actors;

/* Root sees and may everything: tests of refusals run as nobody. */
static inline void
actor_drop_root(void)
{
    if (geteuid() != 0) {
        return;
    }
    if (setgroups(0, NULL) != 0 ||
        setresgid(NOBODY_UID, NOBODY_UID, NOBODY_UID) != 0 ||
        setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) != 0 ||
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
        abort();
    }
}

/*
 * The tests that follow approve the session they run in: one of their own, as
 * that of whoever started them may have outlived its leader.
 */
static inline void
actor_lead_session(void)
{
    int status = 0;
    pid_t child;

    if (setsid() >= 0) {
        return;
    }
    child = fork(); /* who leads a process group can't */
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || setsid() < 0) {
            abort();
        }
        return;
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static inline int
actor_connect_inet6(uint16_t port, const char *text)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, text, &to.sin6_addr);
    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? fd
                                                                      : -errno;
}

static inline int
actor_connect_inet(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? fd
                                                                      : -errno;
}

static inline socklen_t
actor_unix_address(int number, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)snprintf(out->sun_path + 1,
                                        sizeof(out->sun_path) - 1, "ag-test-%d",
                                        number));
}

static inline int
actor_connect_unix(int number)
{
    struct sockaddr_un to;
    socklen_t len = actor_unix_address(number, &to);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (const struct sockaddr *)&to, len) == 0 ? fd : -errno;
}

static void actor_main(size_t number);

/* The new process becomes actor `number`; answers its pid to the old one. */
static inline int
actor_fork(size_t number, uint64_t namespaces)
{
    struct clone_args args = {.flags = namespaces, .exit_signal = SIGCHLD};
    long pid = namespaces == 0 ? (long)fork()
                               : syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0) {
        actor_main(number);
    }
    return pid > 0 ? (int)pid : -errno;
}

static inline int
actor_obey(const struct actor_order *order)
{
    uint16_t port = (uint16_t)order->value;

    switch (order->op) {
    case ACT_PING:
        return 0;
    case ACT_FORK:
        return actor_fork((size_t)order->value, 0);
    case ACT_NAMESPACE:
        return actor_fork((size_t)order->value, CLONE_NEWUSER | CLONE_NEWPID);
    case ACT_SETSID:
        return (int)setsid();
    case ACT_SUBREAPER:
        return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    case ACT_CONNECT_4:
        return actor_connect_inet(port);
    case ACT_CONNECT_6:
        return actor_connect_inet6(port, "::1");
    case ACT_CONNECT_MAPPED:
        return actor_connect_inet6(port, "::ffff:127.0.0.1");
    case ACT_CONNECT_UNIX:
        return actor_connect_unix(order->value);
    case ACT_SEND:
        return (int)send(order->value, "x", 1, MSG_NOSIGNAL);
    case ACT_CLOSE:
        return close(order->value);
    case ACT_UNDUMPABLE:
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    case ACT_REAP:
        return (int)waitpid(-1, NULL, 0);
    case ACT_EXIT:
        _exit(0);
    }
    return -EINVAL;
}

static inline __attribute__((noreturn)) void
actor_main(size_t number)
{
    struct actor_order order;

    for (size_t i = 0; i < ACTORS; i++) {
        (void)close(actors.test_end[i]);
    }
    while (recv(actors.actor_end[number], &order, sizeof(order), 0) ==
           (ssize_t)sizeof(order)) {
        int answer = actor_obey(&order);

        if (send(actors.actor_end[number], &answer, sizeof(answer), 0) < 0) {
            break;
        }
    }
    _exit(1);
}

static inline void
actors_begin(void)
{
    const int on = 1;

    for (size_t i = 0; i < ACTORS; i++) {
        int pair[2];

        assert_int_equal(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(
            setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        actors.test_end[i] = pair[0];
        actors.actor_end[i] = pair[1];
        actors.pid[i] = 0;
    }
}

/* Its answer, and its pid from the kernel. */
static inline int
actor_answer(size_t number)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;

    int answer = -EPIPE;
    struct iovec iov = {.iov_base = &answer, .iov_len = sizeof(answer)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    struct ucred cred;

    memset(&control, 0, sizeof(control));
    assert_int_equal(recvmsg(actors.test_end[number], &msg, 0), sizeof(answer));
    memcpy(&cred, CMSG_DATA(&control.align), sizeof(cred));
    actors.pid[number] = cred.pid;
    return answer;
}

static inline int
actor_do(size_t number, enum actor_op op, int value)
{
    const struct actor_order order = {.op = op, .value = value};

    assert_int_equal(
        send(actors.test_end[number], &order, sizeof(order), MSG_NOSIGNAL),
        sizeof(order));
    if (op != ACT_EXIT) {
        return actor_answer(number);
    }
    actors.pid[number] = 0; /* anybody's as soon as it is reaped */
    return 0;
}

/* This process's own child becomes actor `number`. */
static inline void
actor_start(size_t number)
{
    assert_true(actor_fork(number, 0) > 0);
    assert_int_equal(actor_do(number, ACT_PING, 0), 0);
}

/* Actor `parent` forks actor `number`; false where namespaces are forbidden. */
static inline bool
actor_forks(size_t parent, enum actor_op how, size_t number)
{
    if (actor_do(parent, how, (int)number) < 0) {
        return false;
    }
    assert_int_equal(actor_do(number, ACT_PING, 0), 0);
    return true;
}

/* Ends one that is this process's child, and reaps it. */
static inline void
actor_end_child(size_t number)
{
    pid_t pid = actors.pid[number];

    (void)actor_do(number, ACT_EXIT, 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Ends one that is actor `parent`'s child, which reaps it. */
static inline void
actor_end_below(size_t parent, size_t number)
{
    pid_t pid = actors.pid[number];

    (void)actor_do(number, ACT_EXIT, 0);
    assert_int_equal(actor_do(parent, ACT_REAP, 0), pid);
}

static inline void
actors_end(void)
{
    for (size_t i = ACTORS; i > 0; i--) {
        if (actors.pid[i - 1] > 0) {
            (void)kill(actors.pid[i - 1], SIGKILL);
        }
        (void)close(actors.test_end[i - 1]);
        (void)close(actors.actor_end[i - 1]);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

/* A listening socket on the loopback address. */
static inline int
actor_listen_tcp(int family, uint16_t *ret_port)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    socklen_t len = sizeof(address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (family == AF_INET) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};

        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        memcpy(&address, &v4, sizeof(v4));
        len = sizeof(v4);
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_addr = IN6ADDR_LOOPBACK_INIT};

        memcpy(&address, &v6, sizeof(v6));
        len = sizeof(v6);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) != 0 ||
        listen(fd, 4) != 0) {
        (void)close(fd);
        return -1;
    }
    len = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, &address, sizeof(v4));
        *ret_port = ntohs(v4.sin_port);
    } else {
        struct sockaddr_in6 v6;

        memcpy(&v6, &address, sizeof(v6));
        *ret_port = ntohs(v6.sin6_port);
    }
    return fd;
}

/* A listening Unix socket for ACT_CONNECT_UNIX. */
static inline int
actor_listen_unix(int number)
{
    struct sockaddr_un address;
    socklen_t len = actor_unix_address(number, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

#endif
