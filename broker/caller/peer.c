#include "caller/peer.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/fdx.h"
#include "caller/tree.h"
#include "crypt/memo.h"

#ifndef SO_PEERPIDFD
enum {
    SO_PEERPIDFD = 77, /* Linux 6.5, asm-generic/socket.h */
};
#endif

enum {
    NS_PER_S = 1000 * 1000 * 1000,
};

struct peer {
    uint64_t id;
    enum peer_transport transport;
    uid_t uid;
    pid_t pid;
    int pidfd;
    struct proc_tcp tcp;
    struct proc_facts *facts; /* NULL: nothing is established */
    struct token_memo memo;
};

static atomic_uint_fast64_t last_id;

static enum ag_err
peer_new(enum peer_transport transport, struct peer **ret)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return AG_ENOMEM;
    }
    p->id = atomic_fetch_add(&last_id, 1) + 1;
    p->transport = transport;
    p->uid = (uid_t)-1;
    p->pidfd = -1;
    *ret = p;
    return AG_OK;
}

void
peer_free(struct peer *p)
{
    if (p == NULL) {
        return;
    }
    fd_close(p->pidfd);
    free(p->facts);
    free(p);
}

static enum ag_err
keep_facts(struct peer *p, const struct proc_facts *facts)
{
    struct proc_facts *kept = malloc(sizeof(*kept));

    if (kept == NULL) {
        return AG_ENOMEM;
    }
    *kept = *facts;
    p->facts = kept;
    p->pid = facts->self.pid;
    return AG_OK;
}

/* Does the process of this pidfd still run? */
static bool
is_running(int pidfd)
{
    struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
    int n;

    do {
        n = poll(&pfd, 1, 0);
    } while (n < 0 && errno == EINTR);
    return n == 0;
}

/* Now, in the clock ticks since boot that /proc counts starts in. */
static uint64_t
now_ticks(void)
{
    uint64_t per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    struct timespec now;

    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * per_s +
           (uint64_t)now.tv_nsec * per_s / NS_PER_S;
}

/*
 * The pidfd of the connector. AG_EUNTRACED: it is gone, or not visible.
 * *ret_by_pid: it was opened by number, and may be of a later process.
 */
static enum ag_err
open_pidfd(int sock, pid_t pid, int *ret_fd, bool *ret_by_pid)
{
    socklen_t len = sizeof(*ret_fd);

    *ret_by_pid = false;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, ret_fd, &len) == 0) {
        return AG_OK;
    }
    if (errno == EMFILE || errno == ENFILE) {
        return AG_EIO;
    }
    if (errno != ENOPROTOOPT) {
        return AG_EUNTRACED;
    }
    *ret_by_pid = true;
    *ret_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*ret_fd >= 0) {
        return AG_OK;
    }
    return errno == EMFILE || errno == ENFILE ? AG_EIO : AG_EUNTRACED;
}

/* Facts between two looks at the pidfd. Anything but AG_ENOMEM and AG_EIO
 * means that this peer stays without facts. */
static enum ag_err
establish(struct peer *p, int sock, const struct proc_source *source,
          uint64_t accepted_ticks)
{
    struct proc_facts facts;
    bool by_pid = false;
    enum ag_err err = open_pidfd(sock, p->pid, &p->pidfd, &by_pid);

    if (err != AG_OK) {
        return err;
    }
    err = source->facts(source->ctx, p->pid, &facts);
    if (err != AG_OK) {
        return AG_EUNTRACED;
    }
    if (!is_running(p->pidfd) ||
        (by_pid && facts.self.start_ticks > accepted_ticks)) {
        return AG_EUNTRACED;
    }
    return keep_facts(p, &facts);
}

enum ag_err
peer_from_unix(int sock, const struct proc_source *source, struct peer **ret)
{
    AG_AUTO(peer) struct peer *p = NULL;
    uint64_t accepted_ticks = now_ticks();
    struct ucred cred = {.pid = 0};
    socklen_t len = sizeof(cred);
    enum ag_err err = peer_new(PEER_UNIX, &p);

    if (err != AG_OK) {
        return err;
    }
    /* pid 0: the connector is not visible from our PID namespace. */
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
        cred.pid > 0) {
        p->uid = cred.uid;
        p->pid = cred.pid;
        err = establish(p, sock, source, accepted_ticks);
    }
    if (err == AG_ENOMEM || err == AG_EIO) {
        return err;
    }
    *ret = AG_TAKE(p);
    return AG_OK;
}

/* ---- TCP ---- */

/* One end's address and port. */
static bool
split_address(const struct sockaddr_storage *from, int *ret_family,
              uint8_t addr[PROC_ADDR_BYTES], uint16_t *ret_port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *ret_family = from->ss_family;
    if (from->ss_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        memcpy(addr, &v4.sin_addr, sizeof(v4.sin_addr));
        *ret_port = ntohs(v4.sin_port);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        memcpy(&v6, from, sizeof(v6));
        memcpy(addr, &v6.sin6_addr, sizeof(v6.sin6_addr));
        *ret_port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

enum ag_err
peer_from_tcp(int sock, struct peer **ret)
{
    AG_AUTO(peer) struct peer *p = NULL;
    struct sockaddr_storage theirs = {.ss_family = AF_UNSPEC};
    struct sockaddr_storage ours = {.ss_family = AF_UNSPEC};
    socklen_t theirs_len = sizeof(theirs);
    socklen_t ours_len = sizeof(ours);
    int our_family = 0;
    enum ag_err err = peer_new(PEER_TCP, &p);

    if (err != AG_OK) {
        return err;
    }
    /* A connection that is gone by now stays without a family: never traced. */
    if (getpeername(sock, (struct sockaddr *)&theirs, &theirs_len) == 0 &&
        getsockname(sock, (struct sockaddr *)&ours, &ours_len) == 0 &&
        (!split_address(&theirs, &p->tcp.family, p->tcp.caller_addr,
                        &p->tcp.caller_port) ||
         !split_address(&ours, &our_family, p->tcp.broker_addr,
                        &p->tcp.broker_port))) {
        p->tcp.family = 0;
    }
    *ret = AG_TAKE(p);
    return AG_OK;
}

/* What the trees are asked for: one task's, or all. */
struct roots {
    size_t count;
    struct proc_ref roots[TREE_TASKS_MAX_COUNT];
};

static enum ag_err
collect_roots(struct tree *tree, int64_t task_id, struct roots *out)
{
    int64_t task_ids[TREE_TASKS_MAX_COUNT];

    if (task_id != 0) {
        out->count = 1;
        /* A token whose task has no tree any more is nobody's. */
        return tree_root(tree, task_id, &out->roots[0]) == AG_OK ? AG_OK
                                                                 : AG_EUNTRACED;
    }
    out->count = tree_roots(tree, out->roots, task_ids);
    return AG_OK;
}

/* The owner was found by number: hold it, and see that it is still the one. */
static enum ag_err
hold_owner(struct peer *p, const struct proc_source *source,
           struct proc_ref owner)
{
    struct proc_facts facts;
    AG_AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, owner.pid, 0);
    enum ag_err err;

    if (pidfd < 0) {
        return AG_EUNTRACED;
    }
    err = source->facts(source->ctx, owner.pid, &facts);
    if (err != AG_OK || !proc_ref_equal(facts.self, owner) ||
        !is_running(pidfd)) {
        return AG_EUNTRACED;
    }
    err = keep_facts(p, &facts);
    if (err == AG_OK) {
        p->pidfd = FD_TAKE(pidfd);
    }
    return err;
}

enum ag_err
peer_trace(struct peer *p, const struct proc_source *source, struct tree *tree,
           int64_t task_id)
{
    struct proc_tcp_owner owner = {.place = PROC_TCP_UNKNOWN};
    struct roots roots;
    enum ag_err err;

    if (p->transport == PEER_UNIX || p->facts != NULL) {
        return AG_OK;
    }
    p->uid = (uid_t)-1;
    if (p->tcp.family == 0) {
        return AG_EUNTRACED;
    }
    err = collect_roots(tree, task_id, &roots);
    if (err == AG_OK) {
        err = source->tcp_owner(source->ctx, &p->tcp, roots.roots, roots.count,
                                &owner);
    }
    if (err != AG_OK) {
        return err == AG_ENOMEM ? err : AG_EUNTRACED;
    }
    switch (owner.place) {
    case PROC_TCP_UNKNOWN:
        return AG_EUNTRACED;
    case PROC_TCP_OUTSIDE:
        /* With all trees searched, "outside" makes it a neighbour; with one
         * tree it may still be in another. */
        p->uid = task_id == 0 ? owner.uid : (uid_t)-1;
        return task_id == 0 ? AG_OK : AG_EPROCESS;
    case PROC_TCP_INSIDE:
        err = hold_owner(p, source, owner.owner);
        p->uid = err == AG_OK ? owner.uid : (uid_t)-1;
        return err;
    }
    return AG_EUNTRACED;
}

/* ---- the rest ---- */

enum ag_err
peer_from_facts(const struct proc_facts *facts, struct peer **ret)
{
    AG_AUTO(peer) struct peer *p = NULL;
    enum ag_err err = peer_new(PEER_UNIX, &p);

    if (err == AG_OK) {
        err = keep_facts(p, facts);
    }
    if (err != AG_OK) {
        return err;
    }
    p->uid = facts->uid;
    *ret = AG_TAKE(p);
    return AG_OK;
}

enum ag_err
peer_check(const struct peer *p)
{
    if (p->pidfd >= 0 && !is_running(p->pidfd)) {
        return err_why(AG_EPROCESS, "the process that made this connection is "
                                    "gone; a connection can't be passed on");
    }
    return AG_OK;
}

enum peer_transport
peer_transport(const struct peer *p)
{
    return p->transport;
}

const struct proc_facts *
peer_facts(const struct peer *p)
{
    return p->facts;
}

uid_t
peer_uid(const struct peer *p)
{
    return p->uid;
}

pid_t
peer_pid(const struct peer *p)
{
    return p->pid;
}

uint64_t
peer_id(const struct peer *p)
{
    return p->id;
}

int
peer_pidfd(const struct peer *p)
{
    return p->pidfd;
}

struct token_memo *
peer_memo(struct peer *p)
{
    return &p->memo;
}
