/*
 * forward_rig.h - the forward proxy with a task of its own: clients and services
 * are ends of socket pairs, the HTTP side keeps what it is given. The program
 * wraps upstream_dial, upstream_cancel and peer_check; its main() begins as
 * broker.h says.
 */
#ifndef AG_TESTS_UNIT_PROXY_FORWARD_RIG_H
#define AG_TESTS_UNIT_PROXY_FORWARD_RIG_H

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fdx.h"
#include "common/fdcount.h"
#include "common/permits.h"
#include "core/state.h"
#include "proxy/forward.h"
#include "upstream/upstream.h"

enum {
    RIG_WAIT_S = 60, /* a hang is a failure, not a slow machine */
    RIG_SERVED_COUNT = 4,
    RIG_TEXT_BYTES = 512,
};

/* ---- what the forward proxy needs of the rest ---- */

static struct {
    struct forward *forward;
    struct forward_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* The next dial ends so; AG_EBLOCKS: it does not end. */
    enum ag_err dial_err;
    bool dial_refused;           /* … and does not even begin */
    char dialed[RIG_TEXT_BYTES]; /* "host:port owner inner" */
    int dials;
    int cancels;
    int service_fd; /* the other end of the last one; the test's */
    int served_fds[RIG_SERVED_COUNT];
    char authorities[RIG_SERVED_COUNT][RIG_TEXT_BYTES]; /* "" for none */
    int served;
    atomic_int peer_is_gone;
} rig;

enum ag_err __wrap_upstream_dial(struct upstream *u,
                                 const struct upstream_target *target,
                                 const struct upstream_events *events,
                                 void *ctx, struct upstream_call **ret);
void __wrap_upstream_cancel(struct upstream_call *call);
enum ag_err __wrap_peer_check(const struct peer *peer);

static inline void
rig_unlock(void)
{
    (void)pthread_cond_broadcast(&rig.changed);
    (void)pthread_mutex_unlock(&rig.lock);
}

static inline void
rig_pair(int pair[2])
{
    const struct timeval wait = {.tv_sec = RIG_WAIT_S};

    assert_int_equal(socketpair(AF_UNIX,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                pair),
                     0);
    check_ok(fd_set_nonblock(pair[1], false));
    assert_int_equal(
        setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
}

enum ag_err
__wrap_upstream_dial(struct upstream *u, const struct upstream_target *target,
                     const struct upstream_events *events, void *ctx,
                     struct upstream_call **ret)
{
    enum ag_err err = AG_OK;
    bool begins = false;
    int pair[2] = {-1, -1};

    (void)u;
    (void)pthread_mutex_lock(&rig.lock);
    err = rig.dial_err;
    begins = !rig.dial_refused;
    (void)snprintf(rig.dialed, sizeof(rig.dialed), "%.*s:%u %u %d",
                   (int)target->host.len, (const char *)target->host.ptr,
                   (unsigned)target->port, (unsigned)target->owner,
                   (int)target->inner);
    if (begins && err == AG_OK) {
        rig_pair(pair);
        rig.service_fd = pair[1];
    }
    rig.dials++;
    rig_unlock();
    if (!begins) {
        return err_why(err, "not even begun");
    }
    *ret = (struct upstream_call *)&rig;
    if (err == AG_OK) {
        events->on_dialed(ctx, pair[0]);
    }
    if (err != AG_EBLOCKS) {
        events->on_end(ctx, err == AG_OK ? AG_OK : err_why(err, "as told"));
    }
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    (void)pthread_mutex_lock(&rig.lock);
    rig.cancels += call != NULL;
    rig_unlock();
}

enum ag_err
__wrap_peer_check(const struct peer *peer)
{
    (void)peer;
    return atomic_load(&rig.peer_is_gone) != 0 ? AG_EPROCESS : AG_OK;
}

static inline enum ag_err
rig_on_serve(void *ctx, int fd, const char *authority, struct peer *peer)
{
    (void)ctx;
    peer_free(peer);
    (void)!fd_set_nonblock(fd, false);
    (void)pthread_mutex_lock(&rig.lock);
    assert_true(rig.served < RIG_SERVED_COUNT);
    rig.served_fds[rig.served] = fd;
    (void)snprintf(rig.authorities[rig.served], RIG_TEXT_BYTES, "%s",
                   authority != NULL ? authority : "");
    rig.served++;
    rig_unlock();
    return AG_OK;
}

/* The client reads "CODE why\n" and an end. */
static inline void
rig_on_refuse(void *ctx, int fd, enum ag_err err, const char *why)
{
    char text[RIG_TEXT_BYTES];
    int len = snprintf(text, sizeof(text), "%s %s\n", err_code(err), why);

    (void)ctx;
    (void)!send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- waiting ---- */

static inline void
rig_wait(const int *count, int wanted)
{
    (void)pthread_mutex_lock(&rig.lock);
    while (*count < wanted) {
        (void)pthread_cond_wait(&rig.changed, &rig.lock);
    }
    (void)pthread_mutex_unlock(&rig.lock);
}

static inline int
rig_wait_service(void)
{
    rig_wait(&rig.dials, 1);
    return rig.service_fd;
}

static inline int
rig_wait_served(void)
{
    rig_wait(&rig.served, 1);
    return rig.served_fds[0];
}

/* ---- clients ---- */

static inline int
rig_connect_as(struct peer *peer)
{
    int pair[2];

    rig_pair(pair);
    (void)!forward_take(rig.forward, pair[0], peer);
    return pair[1];
}

static inline int
rig_connect(void)
{
    return rig_connect_as(make_peer(TASK_PID, 901, OPERATOR_PID));
}

static inline void
rig_say(int fd, const void *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        ssize_t n =
            send(fd, (const uint8_t *)bytes + at, len - at, MSG_NOSIGNAL);

        assert_true(n > 0);
        at += (size_t)n;
    }
}

static inline void
rig_say_text(int fd, const char *text)
{
    rig_say(fd, text, strlen(text));
}

/* Exactly these bytes come. */
static inline void
rig_hear(int fd, const void *want, size_t len)
{
    uint8_t got[1024];
    size_t at = 0;

    assert_true(len <= sizeof(got));
    while (at < len) {
        ssize_t n = recv(fd, got + at, len - at, 0);

        if (n <= 0) {
            fail_msg("it ended after %zu of %zu bytes: %.*s", at, len, (int)at,
                     (const char *)got);
        }
        at += (size_t)n;
    }
    assert_memory_equal(got, want, len);
}

static inline void
rig_hear_text(int fd, const char *want)
{
    rig_hear(fd, want, strlen(want));
}

/* All that comes until the end holds `part`. */
static inline void
rig_hear_end(int fd, const char *part)
{
    char text[1024] = "";
    size_t at = 0;
    ssize_t n = 0;

    while (at < sizeof(text) - 1 &&
           (n = recv(fd, text + at, sizeof(text) - 1 - at, 0)) > 0) {
        at += (size_t)n;
    }
    if (n < 0 && errno == EAGAIN) {
        fail_msg("it does not end: %s", text);
    }
    if (memmem(text, at, part, strlen(part)) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static inline void
rig_established(int fd)
{
    rig_hear_text(fd, "HTTP/1.1 200 Connection established\r\n\r\n");
}

static inline int
rig_tunnel(const char *host)
{
    char head[RIG_TEXT_BYTES];
    int fd = rig_connect();

    (void)snprintf(head, sizeof(head), "CONNECT %s HTTP/1.1\r\n\r\n", host);
    rig_say_text(fd, head);
    rig_established(fd);
    return fd;
}

/* ---- a test's life ---- */

static inline void
rig_start(void)
{
    const struct forward_parts parts = {.core = flow.core,
                                        .upstream = (struct upstream *)&rig,
                                        .serve = rig_on_serve,
                                        .refuse = rig_on_refuse};

    check_ok(forward_new(&parts, &rig.limits, &rig.forward));
}

static inline void
rig_restart(void)
{
    forward_free(rig.forward);
    rig_start();
}

static inline int
rig_begin(void **state)
{
    static const char *const ALLOW[] = {"open.example", "mail.example:2525",
                                        "127.0.0.1:8443,inner"};
    const struct task_proxy_request wish = {.uses = -1,
                                            .ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K"};

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    memset(&rig, 0, sizeof(rig));
    (void)pthread_mutex_init(&rig.lock, NULL);
    (void)pthread_cond_init(&rig.changed, NULL);
    rig.service_fd = -1;
    rig.limits = forward_limits_default();
    rig.limits.head_s = 600; /* a stalled machine is no slow client */
    sender.allow = ALLOW;
    sender.allow_count = AG_COUNT(ALLOW);
    start_sender(&wish, 1);
    rig_start();
    return 0;
}

static inline int
rig_end(void **state)
{
    (void)state;
    forward_free(rig.forward);
    fd_close(rig.service_fd);
    for (int i = 0; i < rig.served; i++) {
        (void)close(rig.served_fds[i]);
    }
    end_sender();
    return 0;
}

#endif
