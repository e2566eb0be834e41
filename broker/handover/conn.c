#include "handover/conn.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "handover/deliver.h"
#include "handover/handover.h"
#include "handover/killer.h"
#include "handover/message.h"
#include "handover/stream.h"
#include "handover/take.h"
#include "wire/emit.h"
#include "wire/json.h"

enum {
    ID_TEXT_BYTES = 24,
};

/* ---- its memory ---- */

enum ag_err
conn_new(const struct conn_parts *parts, int sock, struct peer *peer,
         struct conn **ret)
{
    struct conn *c = calloc(1, sizeof(*c));
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (c == NULL || wake_fd < 0) {
        free(c);
        fd_close(wake_fd);
        fd_close(sock);
        peer_free(peer);
        return c == NULL ? AG_ENOMEM : AG_EIO;
    }
    c->parts = *parts;
    c->sock = sock;
    c->wake_fd = wake_fd;
    c->peer = peer;
    c->id = peer_id(peer);
    atomic_init(&c->references, 1);
    (void)pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return AG_OK;
}

void
conn_hold(struct conn *c)
{
    (void)atomic_fetch_add(&c->references, 1);
}

void
conn_drop(struct conn *c)
{
    if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1) {
        return;
    }
    (void)pthread_mutex_destroy(&c->lock);
    fd_close(c->wake_fd);
    fd_close(c->sock);
    peer_free(c->peer);
    free(c);
}

/* ---- what it says ---- */

void
conn_shut(struct conn *c)
{
    (void)shutdown(c->sock, SHUT_RDWR);
}

void
conn_send(struct conn *c, const struct buf *message)
{
    ssize_t n;

    if (message->len == 0) {
        return;
    }
    do {
        n = send(c->sock, message->ptr, message->len,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        /* Gone, or it has not read a socket's buffer full of our messages. */
        conn_shut(c);
    }
}

void
conn_refuse(struct conn *c, enum ag_err err)
{
    AG_AUTO(buf) struct buf message = {0};

    buf_init(&message, MESSAGE_MAX_BYTES, BUF_PLAIN);
    if (message_put_refusal(&message, err) == AG_OK) {
        conn_send(c, &message);
    } else {
        conn_shut(c); /* else it would wait for ever */
    }
    c->refusals++;
}

/* {"ok":true, and what the caller puts between the two. */
static void
answer_begin(struct emit *e, struct buf *out)
{
    buf_init(out, MESSAGE_MAX_BYTES, BUF_PLAIN);
    emit_start(e, out);
    emit_open(e, NULL, '{');
    emit_bool(e, "ok", true);
}

static enum ag_err
answer_end(struct conn *c, struct emit *e)
{
    enum ag_err err;

    emit_close(e, '}');
    err = emit_end(e);
    if (err == AG_OK) {
        conn_send(c, e->out);
    }
    return err;
}

/* ---- the five requests ---- */

static struct handout_line
line_of(const struct conn *c)
{
    return (struct handout_line){.peer = c->peer, .connection_id = c->id};
}

/* One that has said the end itself is told nothing, and may take its time: its
 * task is gone, what is left is output that somebody reads slowly. */
static void
tell_end(struct conn *c, const char *reason)
{
    AG_AUTO(buf) struct buf message = {0};
    bool made = false;

    buf_init(&message, MESSAGE_MAX_BYTES, BUF_PLAIN);
    made = message_put_end(&message, reason) == AG_OK;
    (void)pthread_mutex_lock(&c->lock);
    if (!c->said_end) {
        if (made) {
            conn_send(c, &message);
        }
        killer_later(c->parts.killer, c->id, peer_pidfd(c->peer),
                     HANDOVER_KILL_MS);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* What it was told before does not kill it any more either. */
static void
set_said_end(struct conn *c, bool said_end)
{
    (void)pthread_mutex_lock(&c->lock);
    c->said_end = said_end;
    killer_cancel(c->parts.killer, c->id);
    (void)pthread_mutex_unlock(&c->lock);
}

void
conn_end_task(struct conn *c, const char *reason)
{
    if (atomic_load(&c->task_id) != 0) {
        tell_end(c, reason);
    }
}

/* From any thread, with core's locks held, and perhaps before we know which
 * task it is. */
static void
on_task_ended(void *arg, const char *reason)
{
    tell_end(arg, reason);
}

static enum ag_err
do_life(struct conn *c, const struct message *m, const int *fds)
{
    const struct life_listener listener = {.ended = on_task_ended, .arg = c};
    const struct handout_line line = line_of(c);
    AG_AUTO(buf) struct buf out = {0};
    char id[ID_TEXT_BYTES];
    int64_t task_id = 0;
    struct emit e;
    enum ag_err err;

    (void)fds;
    if (atomic_load(&c->task_id) != 0) {
        return err_why(AG_ECONFLICT, "this connection holds a task already");
    }
    set_said_end(c, false);
    err = handout_attach(c->parts.core, &line, m->ticket, &listener, &task_id);
    if (err != AG_OK) {
        return err;
    }
    atomic_store(&c->task_id, task_id);
    (void)snprintf(id, sizeof(id), "%lld", (long long)task_id);
    answer_begin(&e, &out);
    emit_str(&e, "task", id);
    return answer_end(c, &e);
}

static enum ag_err
do_stream(struct conn *c, const struct message *m, const int *fds)
{
    const struct handout_line line = line_of(c);
    AG_AUTO(buf) struct buf out = {0};
    struct stream_terms terms;
    uint64_t number = 0;
    struct emit e;
    enum ag_err err = handout_stream(
        c->parts.core, &line, m->ticket,
        m->audience == MESSAGE_TASK ? FILTER_TASK : FILTER_OPERATOR, &terms);

    if (err == AG_OK) {
        terms.rules = (enum filter_rules)m->rules;
        terms.places = m->output == MESSAGE_PLACES;
        terms.format = (enum format)m->format;
        err = stream_start(c, &terms, m->receipt, fds, &number);
    }
    if (err != AG_OK) {
        return err;
    }
    answer_begin(&e, &out);
    emit_int(&e, "stream", (int64_t)number);
    return answer_end(c, &e);
}

static enum ag_err
do_deliver(struct conn *c, const struct message *m, const int *fds)
{
    const struct handout_line line = line_of(c);
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(buf) struct buf out = {0};
    struct emit e;
    /* The place first: what can't be delivered is not put on the record. */
    enum ag_err err = deliver_check(fds[0], peer_uid(c->peer));

    if (err == AG_OK) {
        err = handout_value(c->parts.core, &line, m->ticket, &value);
    }
    if (err == AG_OK) {
        err = deliver_write(fds[0], value);
    }
    if (err != AG_OK) {
        return err;
    }
    answer_begin(&e, &out);
    emit_int(&e, "bytes", (int64_t)secret_len(value));
    return answer_end(c, &e);
}

static enum ag_err
do_take(struct conn *c, const struct message *m, const int *fds)
{
    const struct handout_line line = line_of(c);
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(buf) struct buf out = {0};
    struct take_result result = {.version = 0};
    struct emit e;
    enum ag_err err = take_read(fds[0], peer_uid(c->peer), &content);

    if (err == AG_OK) {
        err = handout_take(c->parts.core, &line, m->ticket, content, &result);
    }
    /* It is durable now; is it still what the file holds? */
    if (err == AG_OK) {
        err = take_compare(fds[0], content);
    }
    if (err != AG_OK) {
        return err;
    }
    answer_begin(&e, &out);
    emit_int(&e, "version", result.version);
    emit_bool(&e, "changed", result.changed);
    emit_bool(&e, "retained", result.retained);
    emit_bool(&e, "replace", result.replace);
    if (result.retained) {
        emit_str(&e, "name", result.name);
    }
    return answer_end(c, &e);
}

static enum ag_err
do_end(struct conn *c, const struct message *m, const int *fds)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(buf) struct buf message = {0};
    int64_t task_id = atomic_exchange(&c->task_id, 0);
    enum ag_err err;

    (void)fds;
    if (task_id == 0) {
        return err_why(AG_ENOTFOUND, "this connection holds no task");
    }
    streams_settle(c); /* their hits belong to the answer */
    set_said_end(c, true);
    err = handout_finish(c->parts.core, task_id, (int)m->exit_code, &answer);
    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(answer, "ok", json_true()) != 0) {
        return AG_ENOMEM;
    }
    buf_init(&message, MESSAGE_MAX_BYTES, BUF_PLAIN);
    err = wjson_dump(answer, &message);
    if (err == AG_OK) {
        conn_send(c, &message);
    }
    return err;
}

static enum ag_err (*const OPS[MESSAGE_OP_COUNT])(struct conn *c,
                                                  const struct message *m,
                                                  const int *fds) = {
    [MESSAGE_LIFE] = do_life,       [MESSAGE_STREAM] = do_stream,
    [MESSAGE_DELIVER] = do_deliver, [MESSAGE_TAKE] = do_take,
    [MESSAGE_END] = do_end,
};

/* ---- the thread ---- */

static void
close_all(const int *fds, size_t fd_count)
{
    for (size_t i = 0; i < fd_count; i++) {
        fd_close(fds[i]);
    }
}

/* One message. False: the connection is to be closed. */
static bool
serve_one(struct conn *c)
{
    AG_AUTO(message) struct message m = {.ticket = NULL};
    int fds[FD_PASS_MAX_COUNT];
    size_t fd_count = 0;
    size_t len = 0;
    enum ag_err err;

    err_clear();
    if (fd_recv(c->sock, c->text, sizeof(c->text), &len, fds, &fd_count) !=
        AG_OK) {
        conn_refuse(c, AG_EINVAL); /* cut, or too many descriptors */
        return false;
    }
    if (len == 0) {
        close_all(fds, fd_count);
        return false;
    }
    err = message_decode(span_of(c->text, len), fd_count, &m);
    if (err == AG_OK) {
        err = OPS[m.op](c, &m, fds);
        c->useful = c->useful || err == AG_OK;
    }
    wipe(c->text, len);
    close_all(fds, fd_count);
    if (err != AG_OK) {
        conn_refuse(c, err);
    }
    return c->refusals < CONN_REFUSALS_MAX_COUNT;
}

/* Waits for a message or the end of a stream. False: the end. */
static bool
wait_and_serve(struct conn *c)
{
    struct pollfd pfds[2] = {{.fd = c->sock, .events = POLLIN},
                             {.fd = c->wake_fd, .events = POLLIN}};
    int n = poll(pfds, 2, c->useful ? -1 : CONN_IDLE_MS);

    if (n < 0) {
        return errno == EINTR;
    }
    if (n == 0) {
        return false; /* it came to stay and has no ticket */
    }
    if (pfds[1].revents != 0) {
        streams_settle(c);
    }
    return pfds[0].revents == 0 || serve_one(c);
}

void
conn_serve(struct conn *c)
{
    int64_t task_id;

    while (wait_and_serve(c)) {
    }
    conn_shut(c);
    streams_end(c);
    task_id = atomic_exchange(&c->task_id, 0);
    if (task_id != 0) {
        /* The line is the task's life. A supervisor that only let go of it is
         * given the time it would have had, and no more. */
        killer_later(c->parts.killer, c->id, peer_pidfd(c->peer),
                     HANDOVER_KILL_MS);
        handout_lost(c->parts.core, task_id);
    }
}
