#include "http/gate.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <dlfcn.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/span.h"
#include "http/conn.h"
#include "http/intake.h"
#include "http/problem.h"
#include "http/recv.h"

enum {
    ANSWER_MAX_BYTES = 2048, /* head and body of a problem */
};

static atomic_uint_fast64_t refused_count;

/* Best effort: a client that does not read gets no answer. */
static void
send_problem(int fd, enum ag_err err, const char *why)
{
    AG_AUTO(buf) struct buf answer;
    ssize_t sent;

    atomic_fetch_add(&refused_count, 1);
    buf_init(&answer, ANSWER_MAX_BYTES, BUF_PLAIN);
    if (problem_answer(&answer, err, why) != AG_OK) {
        return;
    }
    sent = send(fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    (void)shutdown(fd, SHUT_WR);
}

void
gate_refuse(int fd, enum ag_err err, const char *why)
{
    send_problem(fd, err, why);
}

static ssize_t
nothing_yet(void)
{
    errno = EAGAIN;
    return -1;
}

/* Reads on and throws away until the client closes: closing first would send
 * a reset, and the answer could be lost. */
static ssize_t
linger(struct conn *c, void *out, size_t len)
{
    while (c->lingered_bytes < HTTP_LINGER_MAX_BYTES &&
           clock_steady_ms() - c->ended_ms < HTTP_LINGER_MAX_MS) {
        ssize_t n = recvfrom(c->fd, out, len, MSG_DONTWAIT, NULL, NULL);

        if (n <= 0) {
            return n;
        }
        wipe(out, (size_t)n);
        c->lingered_bytes += (size_t)n;
    }
    return 0;
}

static void
refuse_now(struct conn *c)
{
    c->state = CONN_ENDING;
    c->ended_ms = clock_steady_ms();
    send_problem(c->fd, c->refusal, c->why);
}

/* MHD keeps the whole requests before the refused one; that waits for their
 * answers, so that answers stay in order. */
static ssize_t
refuse(struct conn *c, enum ag_err err, uint8_t *out, size_t len, size_t whole)
{
    c->refusal = err;
    (void)snprintf(c->why, sizeof(c->why), "%s", err_text(err));
    wipe(out + whole, len - whole);
    c->state = CONN_DOOMED;
    if (whole > 0) {
        return (ssize_t)whole;
    }
    if (c->unanswered > 0) {
        return nothing_yet();
    }
    refuse_now(c);
    return linger(c, out, len);
}

static bool
is_in_passed_body(const struct conn *c)
{
    return c->intake.passes && c->intake.state >= INTAKE_BODY;
}

/* A body that is passed on may be of any length, but must move on. */
static bool
is_stalled(struct conn *c, size_t more)
{
    int64_t now_ms = clock_steady_ms();

    c->moved_bytes += more;
    if (c->moved_ms == 0 || c->moved_bytes >= HTTP_STALL_BYTES) {
        c->moved_ms = now_ms;
        c->moved_bytes = 0;
    }
    return now_ms - c->moved_ms > c->request_ms;
}

void
gate_body_held(struct conn *c)
{
    c->moved_ms = 0;
    c->moved_bytes = 0;
}

/* A request has request_s from its first byte; checked when bytes come, and
 * MHD's own idle limit ends those that send none. */
static bool
is_late(struct conn *c, size_t more)
{
    if (!intake_is_midway(&c->intake)) {
        return false;
    }
    return is_in_passed_body(c)
               ? is_stalled(c, more)
               : clock_steady_ms() - c->begun_ms > c->request_ms;
}

static ssize_t
receive(struct conn *c, void *out, size_t len, int flags)
{
    ssize_t n = recvfrom(c->fd, out, len, flags, NULL, NULL);
    bool was_midway = intake_is_midway(&c->intake);
    size_t whole = 0;
    size_t ended = 0;
    enum ag_err err;

    if (n <= 0) {
        return n;
    }
    if (is_late(c, (size_t)n)) {
        return refuse(c, err_why(AG_ESLOW, "the request was not whole in time"),
                      out, (size_t)n, 0);
    }
    err = intake_feed(&c->intake, span_of(out, (size_t)n), &whole, &ended);
    c->unanswered += ended;
    if (err != AG_OK) {
        return refuse(c, err, out, (size_t)n, whole);
    }
    if (intake_is_midway(&c->intake) && (!was_midway || ended > 0)) {
        c->begun_ms = clock_steady_ms();
        gate_body_held(c);
    }
    return n;
}

ssize_t
gate_recv(int fd, void *out, size_t len, int flags)
{
    struct conn *c = conn_of_fd(fd);

    if (c == NULL) {
        return recvfrom(fd, out, len, flags, NULL, NULL);
    }
    switch (c->state) {
    case CONN_OPEN:
        return receive(c, out, len, flags);
    case CONN_DOOMED:
        return nothing_yet();
    case CONN_ENDING:
        return linger(c, out, len);
    }
    return nothing_yet();
}

int
gate_setsockopt(int fd, int level, int name, const void *value,
                unsigned int len)
{
    const struct conn *c = level == IPPROTO_TCP ? conn_of_fd(fd) : NULL;

    if (c != NULL && c->socket != HTTP_TCP) {
        /* From this one MHD learns; it would try again for each answer. */
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

void
gate_completed(struct conn *c)
{
    if (c->unanswered > 0) {
        c->unanswered--;
    }
    if (c->state == CONN_DOOMED && c->unanswered == 0) {
        refuse_now(c);
    }
}

enum ag_err
gate_check(void)
{
    if (dlsym(RTLD_DEFAULT, "recv") != recv_address()) {
        return err_why(AG_EINTERNAL, "recv() is not this program's own: "
                                     "requests would not be checked");
    }
    return AG_OK;
}

uint64_t
gate_refused_count(void)
{
    return atomic_load(&refused_count);
}
