#include "privsep/witness_diag.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "privsep/witness_proc.h"

enum {
    ANSWER_WAIT_S = 1,
    ANSWER_BYTES = 8192,
    PATH_ROOM_BYTES = 96,
    ROUNDS = 6, /* searches of trees that change under our eyes */
    ALL_STATES = 0xfff,
};

/* ---- the kernel's word on one connection ---- */

enum ag_err
wdiag_open(int *ret_fd)
{
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    AG_AUTO(fd)
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0) {
        return err_why(AG_EUNSUPPORTED, "no sock_diag here: TCP callers can't "
                                        "be traced");
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

struct diag_request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static enum ag_err
send_request(int diag_fd, const struct proc_tcp *tcp, uint32_t seq)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct diag_request request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = seq},
        .body = {.sdiag_family = (uint8_t)tcp->family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ALL_STATES},
    };
    ssize_t n;

    request.body.id.idiag_sport = htons(tcp->caller_port);
    request.body.id.idiag_dport = htons(tcp->broker_port);
    memcpy(request.body.id.idiag_src, tcp->caller_addr, PROC_ADDR_BYTES);
    memcpy(request.body.id.idiag_dst, tcp->broker_addr, PROC_ADDR_BYTES);
    request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    do {
        n = sendto(diag_fd, &request, sizeof(request), 0,
                   (const struct sockaddr *)&kernel, sizeof(kernel));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(request) ? AG_OK : AG_EUNTRACED;
}

static enum ag_err
read_answer(struct nlmsghdr *head, struct wdiag_socket *ret)
{
    if (head->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *failed = NLMSG_DATA(head);

        return head->nlmsg_len >= NLMSG_LENGTH(sizeof(*failed)) &&
                       failed->error == -ENOENT
                   ? AG_ENOTFOUND
                   : AG_EUNTRACED;
    }
    if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
        head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
        const struct inet_diag_msg *found = NLMSG_DATA(head);

        ret->inode = found->idiag_inode;
        ret->uid = found->idiag_uid;
        return AG_OK;
    }
    return AG_EUNTRACED;
}

enum ag_err
wdiag_find(int diag_fd, const struct proc_tcp *tcp, struct wdiag_socket *ret)
{
    static uint32_t seq; /* the witness has one thread */

    union {
        struct nlmsghdr head;
        char bytes[ANSWER_BYTES / 2];
    } answer;
    enum ag_err err = send_request(diag_fd, tcp, ++seq);

    while (err == AG_OK) {
        struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(diag_fd, &answer, sizeof(answer), 0,
                             (struct sockaddr *)&from, &from_len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < (ssize_t)sizeof(answer.head) ||
            answer.head.nlmsg_len > (size_t)n) {
            return AG_EUNTRACED;
        }
        if (from.nl_pid == 0 && answer.head.nlmsg_seq == seq) {
            return read_answer(&answer.head, ret);
        }
        /* Not the kernel's, or late from an earlier question. */
    }
    return err;
}

/* ---- who holds it ---- */

/* What looking into descriptors came to. */
enum look {
    LOOK_NO,
    LOOK_FOUND,
    LOOK_UNREADABLE,
};

/* Is "socket:[inode]" among the links in directory `path` of /proc? */
static enum look
look_into(int proc_fd, const char *path, const char *wanted)
{
    enum look look = LOOK_NO;
    const struct dirent *entry;
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        bool gone = errno == ENOENT || errno == ESRCH;

        fd_close(fd);
        return gone ? LOOK_NO : LOOK_UNREADABLE;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (look != LOOK_FOUND && (entry = readdir(dir)) != NULL) {
        char target[PATH_ROOM_BYTES];
        ssize_t n;

        if (entry->d_name[0] == '.') {
            continue;
        }
        n = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            look = strcmp(target, wanted) == 0 ? LOOK_FOUND : look;
        } else if (errno != ENOENT && errno != ESRCH) {
            look = LOOK_UNREADABLE;
        }
    }
    (void)closedir(dir);
    return look;
}

/* The same for every thread: one may have descriptors of its own, and a first
 * thread that ended shows none while the others go on. */
static enum look
look_into_threads(int proc_fd, pid_t pid, const char *wanted)
{
    enum look look = LOOK_NO;
    char path[PATH_ROOM_BYTES];
    const struct dirent *entry;
    int fd;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%ld/task", (long)pid);
    fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        bool gone = errno == ENOENT || errno == ESRCH;

        fd_close(fd);
        return gone ? LOOK_NO : LOOK_UNREADABLE;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (look != LOOK_FOUND && (entry = readdir(dir)) != NULL) {
        uint64_t tid = 0;
        enum look one;

        if (parse_u64(span_str(entry->d_name), INT_MAX, &tid) != AG_OK) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%ld/task/%ld/fd", (long)pid,
                       (long)tid);
        one = look_into(proc_fd, path, wanted);
        look = one != LOOK_NO ? one : look;
    }
    (void)closedir(dir);
    return look;
}

struct search {
    int proc_fd;
    const struct proc_ref *roots;
    size_t root_count;
    char wanted[32];   /* "socket:[N]" */
    bool thorough;     /* thread by thread */
    bool doubtful;     /* something could not be seen this round */
    uint64_t seen_sum; /* of the processes searched, to compare rounds */
};

/* One process of a tree; it must still be the same one after the look. */
static enum look
look_at(struct search *s, const struct wproc_entry *e)
{
    char path[PATH_ROOM_BYTES];
    struct proc_stat stat;
    enum look look;

    s->seen_sum += ((uint64_t)e->self.pid << 40) ^ e->self.start_ticks;
    if (s->thorough) {
        look = look_into_threads(s->proc_fd, e->self.pid, s->wanted);
    } else {
        (void)snprintf(path, sizeof(path), "%ld/fd", (long)e->self.pid);
        look = look_into(s->proc_fd, path, s->wanted);
    }
    if (look == LOOK_FOUND &&
        (wproc_stat(s->proc_fd, e->self.pid, &stat) != AG_OK ||
         !proc_ref_equal(stat.self, e->self))) {
        look = LOOK_UNREADABLE; /* another one by now: look again */
    }
    s->doubtful = s->doubtful || look == LOOK_UNREADABLE;
    return look;
}

/* One round over all trees. */
static enum ag_err
search_round(struct search *s, struct wproc_scan *scan,
             const struct wproc_entry **ret_found)
{
    enum ag_err err = wproc_scan(s->proc_fd, s->roots, s->root_count, scan);

    *ret_found = NULL;
    s->doubtful = scan->torn;
    s->seen_sum = 0;
    for (size_t i = 0; err == AG_OK && i < scan->count; i++) {
        const struct wproc_entry *e = &scan->entries[i];

        if (e->root != WPROC_OUTSIDE && look_at(s, e) == LOOK_FOUND) {
            *ret_found = e;
            break;
        }
    }
    return err;
}

/*
 * Something in the trees can't be read (their keeper never can): then only who
 * is seen to hold it elsewhere tells that it is outside.
 */
static void
search_elsewhere(struct search *s, const struct wproc_scan *scan,
                 struct proc_tcp_owner *owner)
{
    s->thorough = false;
    for (size_t i = 0; i < scan->count; i++) {
        const struct wproc_entry *e = &scan->entries[i];

        if (e->root == WPROC_OUTSIDE && look_at(s, e) == LOOK_FOUND) {
            owner->place = PROC_TCP_OUTSIDE;
            return;
        }
    }
}

/* Rounds until it is found, or two agree that it isn't there. */
static enum ag_err
search_trees(struct search *s, struct proc_tcp_owner *owner)
{
    AG_AUTO(wproc_scan) struct wproc_scan scan = {0};
    const struct wproc_entry *found = NULL;
    uint64_t last_sum = 0;
    bool last_sure = false;

    for (size_t round = 0; round < ROUNDS; round++) {
        enum ag_err err;

        s->thorough = round > 0;
        err = search_round(s, &scan, &found);
        if (err != AG_OK) {
            return err;
        }
        if (found != NULL) {
            owner->place = PROC_TCP_INSIDE;
            owner->owner = found->self;
            owner->root_index = (size_t)found->root;
            return AG_OK;
        }
        if (last_sure && !s->doubtful && s->seen_sum == last_sum) {
            owner->place = PROC_TCP_OUTSIDE;
            return AG_OK;
        }
        if (round > 0 && s->doubtful && s->seen_sum == last_sum) {
            break; /* it would not be clearer the next time */
        }
        last_sure = !s->doubtful;
        last_sum = s->seen_sum;
    }
    if (!scan.torn) {
        search_elsewhere(s, &scan, owner);
    }
    return AG_OK;
}

enum ag_err
wdiag_owner(int diag_fd, int proc_fd, const struct proc_tcp *tcp,
            const struct proc_ref *roots, size_t root_count,
            struct proc_tcp_owner *ret)
{
    struct proc_tcp_owner owner = {.place = PROC_TCP_UNKNOWN};
    struct search search = {
        .proc_fd = proc_fd, .roots = roots, .root_count = root_count};
    struct wdiag_socket before = {.inode = 0};
    struct wdiag_socket after = {.inode = 0};
    enum ag_err err = wdiag_find(diag_fd, tcp, &before);

    if (err != AG_OK || before.inode == 0) {
        /* Closed already, or in a network namespace we don't see. */
        *ret = owner;
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    (void)snprintf(search.wanted, sizeof(search.wanted), "socket:[%u]",
                   before.inode);
    if (root_count == 0 || before.uid != geteuid()) {
        owner.place = PROC_TCP_OUTSIDE;
    } else {
        err = search_trees(&search, &owner);
    }
    if (err == AG_OK && (wdiag_find(diag_fd, tcp, &after) != AG_OK ||
                         after.inode != before.inode)) {
        owner.place = PROC_TCP_UNKNOWN; /* closed while we searched */
    }
    owner.uid = before.uid;
    if (err == AG_OK) {
        *ret = owner;
    }
    return err;
}
