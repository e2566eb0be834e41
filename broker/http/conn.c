#include "http/conn.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "caller/peer.h"

enum {
    MS_PER_S = 1000,
};

/* recv() has only a descriptor to go by. */
static struct conn *_Atomic by_fd[HTTP_FDS_MAX_COUNT];

struct conns {
    pthread_mutex_t lock; /* over all below */
    struct http_limits limits;
    LIST_HEAD(conn_list, conn) all;
    int64_t count;
};

enum ag_err
conns_new(const struct http_limits *limits, struct conns **ret)
{
    struct conns *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return AG_ENOMEM;
    }
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return AG_ENOMEM;
    }
    t->limits = *limits;
    LIST_INIT(&t->all);
    *ret = t;
    return AG_OK;
}

void
conns_free(struct conns *t)
{
    if (t == NULL) {
        return;
    }
    /* Those that MHD dropped for want of memory, without a notice. */
    while (!LIST_EMPTY(&t->all)) {
        conn_free(LIST_FIRST(&t->all));
    }
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void
conns_set_limits(struct conns *t, const struct http_limits *limits)
{
    (void)pthread_mutex_lock(&t->lock);
    t->limits = *limits;
    (void)pthread_mutex_unlock(&t->lock);
}

struct share {
    int64_t of_uid;
    int64_t of_pid;
    int64_t of_tcp;
    int64_t of_others; /* not by admin.sock */
};

/* Counted anew each time: a list of some hundred is read in microseconds, and
 * no counter can go wrong. */
static struct share
count_share(struct conns *t, const struct conn *wanted)
{
    struct share n = {0};
    const struct conn *c;

    LIST_FOREACH(c, &t->all, link)
    {
        n.of_tcp += c->socket == HTTP_TCP ? 1 : 0;
        n.of_others += c->socket != HTTP_ADMIN ? 1 : 0;
        if (c->socket != HTTP_TCP && wanted->socket != HTTP_TCP) {
            n.of_uid += c->uid == wanted->uid ? 1 : 0;
            n.of_pid += c->pid == wanted->pid ? 1 : 0;
        }
    }
    return n;
}

static enum ag_err
too_many(const char *of_what, int64_t limit)
{
    return err_why(AG_EBUSY, "too many connections %s (limit %lld); close some",
                   of_what, (long long)limit);
}

static enum ag_err
check_caps(struct conns *t, const struct conn *wanted)
{
    const struct http_limits *max = &t->limits;
    struct share n = count_share(t, wanted);

    if (t->count >= max->connections) {
        return too_many("in all", max->connections);
    }
    if (wanted->socket != HTTP_ADMIN &&
        n.of_others >= max->connections - max->admin_spare) {
        return too_many("by this socket", max->connections - max->admin_spare);
    }
    if (wanted->socket == HTTP_TCP && n.of_tcp >= max->connections_tcp) {
        return too_many("over TCP", max->connections_tcp);
    }
    if (n.of_pid >= max->connections_per_pid) {
        return too_many("of this process", max->connections_per_pid);
    }
    if (n.of_uid >= max->connections_per_uid) {
        return too_many("of this user", max->connections_per_uid);
    }
    return AG_OK;
}

static void
init_intake(struct intake *in, const struct conn_door *door)
{
    switch (door->via) {
    case REQUEST_REVERSE:
        intake_init(in, door->port);
        in->may_pass = door->socket != HTTP_ADMIN;
        return;
    case REQUEST_PLAIN:
        intake_init_proxy(in, NULL);
        return;
    case REQUEST_INTERCEPTED:
        intake_init_proxy(in, door->authority);
        return;
    }
}

enum ag_err
conns_add(struct conns *t, int fd, const struct conn_door *door,
          struct peer *peer, struct conn **ret)
{
    struct conn *c;
    enum ag_err err;

    if (fd < 0 || fd >= HTTP_FDS_MAX_COUNT) {
        return err_why(AG_EBUSY, "too many open files");
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return AG_ENOMEM;
    }
    c->fd = fd;
    c->socket = door->socket;
    c->via = door->via;
    c->uid = peer_uid(peer);
    c->pid = peer_pid(peer);
    c->owner = t;
    init_intake(&c->intake, door);
    (void)pthread_mutex_lock(&t->lock);
    err = check_caps(t, c);
    if (err == AG_OK) {
        c->peer = peer;
        c->request_ms = t->limits.request_s * MS_PER_S;
        c->socket_stall_ms = t->limits.socket_stall_s * MS_PER_S;
        c->socket_left_ms = t->limits.socket_left_s * MS_PER_S;
        c->socket_end_ms = t->limits.socket_end_s * MS_PER_S;
        LIST_INSERT_HEAD(&t->all, c, link);
        t->count++;
        atomic_store_explicit(&by_fd[fd], c, memory_order_release);
    }
    (void)pthread_mutex_unlock(&t->lock);
    if (err != AG_OK) {
        free(c);
        return err;
    }
    *ret = c;
    return AG_OK;
}

void
conn_free(struct conn *c)
{
    struct conns *t;

    if (c == NULL) {
        return;
    }
    t = c->owner;
    atomic_store_explicit(&by_fd[c->fd], NULL, memory_order_release);
    (void)pthread_mutex_lock(&t->lock);
    LIST_REMOVE(c, link);
    t->count--;
    (void)pthread_mutex_unlock(&t->lock);
    peer_free(c->peer);
    free(c);
}

size_t
conns_count(struct conns *t)
{
    size_t count;

    (void)pthread_mutex_lock(&t->lock);
    count = (size_t)t->count;
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}

struct conn *
conn_of_fd(int fd)
{
    if (fd < 0 || fd >= HTTP_FDS_MAX_COUNT) {
        return NULL;
    }
    return atomic_load_explicit(&by_fd[fd], memory_order_acquire);
}
