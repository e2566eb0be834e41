/*
 * proc.h - what the kernel tells about a process, and the interface by which
 * one asks for it. The witness (privsep/) answers, callers (caller/) ask; both
 * meet here because neither may include the other.
 * Floor: base. Depends on: base/err, base/span.
 *
 * Source of the stat layout: proc(5), /proc/PID/stat.
 */
#ifndef AG_BASE_PROC_H
#define AG_BASE_PROC_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    /* Ancestors of one process. Desktop, terminal, shell, nested makes: below
     * 40. A deeper chain can't be followed, so its process is refused. */
    PROC_CHAIN_MAX_COUNT = 128,
    PROC_ROOTS_MAX_COUNT = 256, /* task trees searched for one connection */
    PROC_TREE_MAX_COUNT = 2048, /* processes of one tree in one answer */
    PROC_NAME_BYTES = 16,       /* comm with its NUL */
    PROC_ADDR_BYTES = 16,       /* IPv6, or IPv4 in the first four */
};

/*
 * One process for ever: a pid alone is given to another process later, the
 * pair with its start time (clock ticks since boot) is not.
 */
struct proc_ref {
    pid_t pid; /* 0: none */
    uint64_t start_ticks;
};

static inline bool
proc_ref_equal(struct proc_ref a, struct proc_ref b)
{
    return a.pid == b.pid && a.start_ticks == b.start_ticks;
}

/* One line of /proc/PID/stat, the parts that matter here. */
struct proc_stat {
    struct proc_ref self;
    pid_t ppid; /* 0: the parent is outside our PID namespace, or none */
    pid_t sid;
    uint32_t tty; /* device number of the controlling terminal, 0 none */
    char state;
    char name[PROC_NAME_BYTES]; /* printable ASCII, the rest as '?' */
};

/*
 * The text of /proc/PID/stat; the name may hold anything, also ") ".
 * Errors: AG_ENOTFOUND it was reaped while the kernel wrote the line, which
 *         then has no session (-1); AG_EINVAL.
 */
AG_CHECK AG_NONNULL enum ag_err proc_parse_stat(struct span text,
                                                struct proc_stat *ret);

/* What is established about one process, all read while it was alive. */
struct proc_facts {
    struct proc_ref self;
    uid_t uid; /* effective, in the witness's user namespace */
    pid_t sid; /* 0: not visible from here */
    uint64_t leader_start_ticks; /* of process `sid`; 0 when it is dead */
    pid_t parent_sid;            /* session of chain[0]; 0 without a parent */
    uint32_t tty;
    char name[PROC_NAME_BYTES];
    size_t chain_count; /* parent first, up to process 1 */
    struct proc_ref chain[PROC_CHAIN_MAX_COUNT];
};

/* A TCP connection as its caller sees it: its own end first. */
struct proc_tcp {
    int family; /* AF_INET or AF_INET6 */
    uint8_t caller_addr[PROC_ADDR_BYTES];
    uint8_t broker_addr[PROC_ADDR_BYTES];
    uint16_t caller_port; /* host byte order */
    uint16_t broker_port;
};

enum proc_tcp_place {
    PROC_TCP_UNKNOWN, /* can't be established: refuse, revoke nothing */
    PROC_TCP_OUTSIDE, /* positively in none of the trees asked for */
    PROC_TCP_INSIDE,  /* `owner` holds it and descends from root `root_index` */
};

struct proc_tcp_owner {
    enum proc_tcp_place place;
    uid_t uid; /* of the socket; valid unless UNKNOWN */
    struct proc_ref owner;
    size_t root_index;
};

/*
 * Whom to ask. Every function is called with `ctx`, from any thread, and may
 * block for up to a second.
 *
 * facts      AG_ENOTFOUND  no such process (any more);
 *            AG_EUNTRACED  it is there but its ancestors can't be read, are
 *                          too many, or would not hold still.
 * tcp_owner  strict descendants of the roots are searched for the caller's end
 *            of the connection; with no roots only `uid` is established.
 * tree       strict descendants of `root`, *ret_count of them (never more than
 *            cap, which is at most PROC_TREE_MAX_COUNT);
 *            AG_ENOTFOUND  the root is gone; AG_ELIMIT more than cap.
 * All:       AG_ETIMEOUT, AG_EUNTRACED when the witness is gone.
 */
struct proc_source {
    void *ctx;
    enum ag_err (*facts)(void *ctx, pid_t pid, struct proc_facts *ret);
    enum ag_err (*tcp_owner)(void *ctx, const struct proc_tcp *tcp,
                             const struct proc_ref *roots, size_t root_count,
                             struct proc_tcp_owner *ret);
    enum ag_err (*tree)(void *ctx, struct proc_ref root, struct proc_ref *out,
                        size_t cap, size_t *ret_count);
};

#endif
