#include "run/relay.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/fdx.h"
#include "run/sieve.h"

enum {
    BUFFER_BYTES = 32 * 1024,
    EVENTS_COUNT = 64,
    TURN_ROUNDS = 16, /* of one link before the others have theirs */
    FDS_COUNT = 2 * RELAY_LINKS_MAX_COUNT + 32,
    CONNECT_S = 2, /* the broker takes connections at once, or is stuck */
};

/* The two ends of a link. */
enum side {
    SIDE_TASK,   /* TCP */
    SIDE_BROKER, /* Unix */
    SIDE_COUNT,
};

/* What is read at the side of this index and written at the other. */
struct half {
    size_t at;
    size_t len;  /* of what is held */
    bool ended;  /* nothing more comes */
    bool broken; /* and that was no proper end */
    bool lost;   /* nobody takes it: read and thrown away */
    bool shut;   /* the other side has been told the end */
    uint8_t held[BUFFER_BYTES];
};

struct link {
    int fd[SIDE_COUNT]; /* -1: free */
    bool busy;          /* has more to do than one turn */
    struct half halves[SIDE_COUNT];
};

struct relay {
    const struct relay_line *lines;
    size_t line_count;
    int epoll;
    struct link *links;
    size_t link_count; /* in use */
};

enum ag_err
relay_listen(struct relay_line *line)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(line->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    AG_AUTO(fd)
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, RELAY_PENDING_COUNT) != 0) {
        return err_why(AG_EIO, "port %u of the task: %s",
                       (unsigned int)line->port, strerrordesc_np(errno));
    }
    line->fd = FD_TAKE(fd);
    return AG_OK;
}

/* ---- links ---- */

/* Closed so that the task sees a break, not an end. */
static void
break_off(int fd)
{
    static const struct linger at_once = {1, 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    fd_close(fd);
}

static void
watch_lines(const struct relay *r, uint32_t events)
{
    for (size_t i = 0; i < r->line_count; i++) {
        struct epoll_event event = {.events = events, .data.u64 = i};

        (void)epoll_ctl(r->epoll, EPOLL_CTL_MOD, r->lines[i].fd, &event);
    }
}

static void
link_close(struct relay *r, struct link *link, bool broken)
{
    if (broken) {
        break_off(link->fd[SIDE_TASK]);
    } else {
        fd_close(link->fd[SIDE_TASK]);
    }
    fd_close(link->fd[SIDE_BROKER]);
    link->fd[SIDE_TASK] = -1;
    link->fd[SIDE_BROKER] = -1;
    if (r->link_count-- == RELAY_LINKS_MAX_COUNT) {
        watch_lines(r, EPOLLIN);
    }
}

static int
dial(const char *path)
{
    static const struct timeval limit = {CONNECT_S, 0};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AG_AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        return -1;
    }
    return FD_TAKE(fd);
}

static bool
watch_link(const struct relay *r, const struct link *link)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
    size_t index = (size_t)(link - r->links);

    event.data.u64 = RELAY_LINES_MAX_COUNT + index;
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, link->fd[SIDE_TASK], &event) ==
               0 &&
           epoll_ctl(r->epoll, EPOLL_CTL_ADD, link->fd[SIDE_BROKER], &event) ==
               0;
}

/* Takes `fd` over. */
static void
link_open(struct relay *r, int fd, const char *path)
{
    static const int on = 1;
    struct link *link = r->links;

    while (link->fd[SIDE_TASK] >= 0) {
        link++;
    }
    for (size_t i = 0; i < SIDE_COUNT; i++) {
        /* Not what is held: its pages stay untouched until they are needed. */
        memset(&link->halves[i], 0, offsetof(struct half, held));
    }
    link->fd[SIDE_TASK] = fd;
    link->fd[SIDE_BROKER] = dial(path);
    link->busy = false;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (++r->link_count == RELAY_LINKS_MAX_COUNT) {
        watch_lines(r, 0);
    }
    if (link->fd[SIDE_BROKER] < 0 || !watch_link(r, link)) {
        link_close(r, link, true);
    }
}

static void
accept_some(struct relay *r, const struct relay_line *line)
{
    while (r->link_count < RELAY_LINKS_MAX_COUNT) {
        int fd = accept4(line->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            return;
        }
        link_open(r, fd, line->sock);
    }
}

/* ---- passing on ---- */

enum got {
    GOT_NOTHING,
    GOT_ON,
    GOT_BROKEN, /* the link is of no use any more */
};

static bool
is_later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static enum got
take(struct link *link, enum side from)
{
    struct half *h = &link->halves[from];
    ssize_t n;

    if (h->len > 0 || h->ended) {
        return GOT_NOTHING;
    }
    n = recv(link->fd[from], h->held, sizeof(h->held), MSG_DONTWAIT);
    if (n < 0 && is_later()) {
        return GOT_NOTHING;
    }
    if (n < 0 && from == SIDE_TASK) {
        return GOT_BROKEN;
    }
    h->ended = n <= 0;
    h->broken = n < 0;
    h->at = 0;
    h->len = n > 0 && !h->lost ? (size_t)n : 0;
    return GOT_ON;
}

static enum got
give(struct link *link, enum side from)
{
    struct half *h = &link->halves[from];
    int to = link->fd[from == SIDE_TASK ? SIDE_BROKER : SIDE_TASK];
    ssize_t n;

    if (h->len == 0) {
        return GOT_NOTHING;
    }
    n = send(to, h->held + h->at, h->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && is_later()) {
        return GOT_NOTHING;
    }
    if (n < 0 && from == SIDE_BROKER) {
        return GOT_BROKEN;
    }
    /* The broker takes no more of it; its answer is on the way all the same. */
    h->lost = n < 0;
    n = n < 0 ? (ssize_t)h->len : n;
    h->at += (size_t)n;
    h->len -= (size_t)n;
    return GOT_ON;
}

static enum got
pass(struct link *link, enum side from)
{
    struct half *h = &link->halves[from];
    enum got taken = take(link, from);
    enum got given = taken == GOT_BROKEN ? GOT_BROKEN : give(link, from);

    if (given == GOT_BROKEN || (h->broken && h->len == 0)) {
        return GOT_BROKEN;
    }
    if (h->ended && h->len == 0 && !h->shut) {
        h->shut = true;
        (void)shutdown(link->fd[from == SIDE_TASK ? SIDE_BROKER : SIDE_TASK],
                       SHUT_WR);
    }
    return taken == GOT_ON ? taken : given;
}

static void
turn(struct relay *r, struct link *link)
{
    link->busy = false;
    for (int i = 0; i < TURN_ROUNDS; i++) {
        enum got up = pass(link, SIDE_TASK);
        enum got down = up == GOT_BROKEN ? up : pass(link, SIDE_BROKER);

        if (down == GOT_BROKEN) {
            link_close(r, link, true);
            return;
        }
        if (link->halves[SIDE_TASK].shut && link->halves[SIDE_BROKER].shut) {
            link_close(r, link, false);
            return;
        }
        if (up == GOT_NOTHING && down == GOT_NOTHING) {
            return;
        }
    }
    link->busy = true;
}

/* ---- the loop ---- */

static void
on_event(struct relay *r, uint64_t what)
{
    if (what < RELAY_LINES_MAX_COUNT) {
        accept_some(r, &r->lines[what]);
    } else if (r->links[what - RELAY_LINES_MAX_COUNT].fd[SIDE_TASK] >= 0) {
        turn(r, &r->links[what - RELAY_LINES_MAX_COUNT]);
    }
}

static bool
turn_busy(struct relay *r)
{
    bool any = false;

    for (size_t i = 0; i < RELAY_LINKS_MAX_COUNT; i++) {
        if (r->links[i].fd[SIDE_TASK] >= 0 && r->links[i].busy) {
            turn(r, &r->links[i]);
            any = true;
        }
    }
    return any;
}

static bool
prepare(struct relay *r)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FDS_COUNT) {
        files.rlim_cur =
            files.rlim_max < FDS_COUNT ? files.rlim_max : FDS_COUNT;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    r->links = mmap(NULL, RELAY_LINKS_MAX_COUNT * sizeof(*r->links),
                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->links == MAP_FAILED || r->epoll < 0) {
        return false;
    }
    for (size_t i = 0; i < RELAY_LINKS_MAX_COUNT; i++) {
        r->links[i].fd[SIDE_TASK] = -1;
    }
    for (size_t i = 0; i < r->line_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

        if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->lines[i].fd, &event) != 0) {
            return false;
        }
    }
    return true;
}

static const uint32_t CALLS[] = {
    SYS_epoll_pwait, SYS_epoll_ctl, SYS_accept4,    SYS_socket,
    SYS_connect,     SYS_recvfrom,  SYS_sendto,     SYS_shutdown,
    SYS_setsockopt,  SYS_close,     SYS_exit_group, SYS_restart_syscall,
#if defined(SYS_epoll_wait)
    SYS_epoll_wait,
#endif
};

void
relay_serve(const struct relay_line *lines, size_t line_count)
{
    struct relay r = {.lines = lines, .line_count = line_count};
    bool busy = false;

    (void)prctl(PR_SET_NAME, "ag-relay", 0, 0, 0);
    if (!prepare(&r) || sieve_only(CALLS, AG_COUNT(CALLS)) != AG_OK) {
        _exit(1);
    }
    for (;;) {
        struct epoll_event events[EVENTS_COUNT];
        int n = epoll_wait(r.epoll, events, EVENTS_COUNT, busy ? 0 : -1);

        for (int i = 0; i < n; i++) {
            on_event(&r, events[i].data.u64);
        }
        busy = turn_busy(&r);
    }
}
