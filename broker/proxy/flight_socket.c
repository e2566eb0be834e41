#include "proxy/flight_socket.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "proxy/answer.h"
#include "proxy/handshake.h"
#include "proxy/reframe.h"
#include "proxy/sieve.h"
#include "redact/redactor.h"

enum {
    UP_BYTES = 64 * 1024, /* to the service: with more waiting none is taken */
    /* What one part of the client's may let out on top. */
    UP_MAX_BYTES = 4 * UP_BYTES,
};

struct flight_socket {
    struct reframe up;   /* the client's thread only */
    struct reframe down; /* the upstream's thread only */
    struct permit_scan *scan;
    uint8_t word[FLIGHT_WORD_MAX_BYTES]; /* not let out yet */
    size_t word_len;
    /* Under the flight's lock: */
    struct backlog out; /* to the service */
    bool up_closed;     /* a Close is in it, or was */
    bool down_closed;   /* one is on its way to the client */
    atomic_bool is_on;
};

/* ---- where frames go ---- */

static enum ag_err
to_service(void *ctx, struct span frame)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = backlog_add(&f->socket->out, frame);
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

static enum ag_err
to_client(void *ctx, struct span frame)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = backlog_add(&f->down, frame);
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

/* ---- the search of what the client sends ---- */

static enum ag_err
new_scan(struct flight *f, struct permit_scan **ret)
{
    permit_scan_free(AG_TAKE(*ret));
    return permit_scan_new(f->proxy->core, flight_on_stray, f, ret);
}

/* Anew for each message: once the vault is locked none begins. */
static enum ag_err
up_begin(void *ctx)
{
    struct flight *f = ctx;

    return new_scan(f, &f->socket->scan);
}

/* The word at the end of `out` waits, what came before it was let out. */
static void
hold_word(struct flight_socket *socket, struct buf *out, size_t from)
{
    size_t len = 0;

    while (len < sizeof(socket->word) && len < out->len - from &&
           flight_is_word(out->ptr[out->len - len - 1])) {
        len++;
    }
    memcpy(socket->word, out->ptr + out->len - len, len);
    socket->word_len = len;
    buf_truncate(out, out->len - len);
}

static enum ag_err
up_feed(void *ctx, struct span part, struct buf *out)
{
    struct flight *f = ctx;
    struct flight_socket *socket = f->socket;
    size_t from = out->len;
    enum ag_err err = permit_scan_feed(socket->scan, part);

    if (err == AG_OK) {
        err = buf_add(out, span_of(socket->word, socket->word_len));
    }
    if (err == AG_OK) {
        err = buf_add(out, part);
    }
    if (err == AG_OK) {
        hold_word(socket, out, from);
    }
    return err;
}

static enum ag_err
up_finish(void *ctx, struct buf *out)
{
    struct flight *f = ctx;
    struct flight_socket *socket = f->socket;
    struct span word = span_of(socket->word, socket->word_len);
    enum ag_err err = permit_scan_finish(socket->scan);

    socket->word_len = 0;
    return err == AG_OK ? buf_add(out, word) : err;
}

static enum ag_err
up_whole(void *ctx, struct span payload, struct buf *out)
{
    struct flight *f = ctx;
    AG_AUTO(permit_scan) struct permit_scan *scan = NULL;
    enum ag_err err = new_scan(f, &scan);

    if (err == AG_OK) {
        err = permit_scan_feed(scan, payload);
    }
    if (err == AG_OK) {
        err = permit_scan_finish(scan);
    }
    return err == AG_OK ? buf_add(out, payload) : err;
}

/* ---- the search of what the service sends ---- */

static enum ag_err
into_buf(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* The filter lets out into what the frames are made of. */
static enum ag_err
down_begin(void *ctx)
{
    struct flight *f = ctx;
    const struct sink text = {.ctx = &f->socket->down.text, .feed = into_buf};

    return sieve_begin(f->sieve, f->filter, &text, NULL);
}

static enum ag_err
down_feed(void *ctx, struct span part, struct buf *out)
{
    struct flight *f = ctx;

    (void)out; /* it is the one of down_begin() */
    return redactor_feed(f->sieve, part);
}

static enum ag_err
down_finish(void *ctx, struct buf *out)
{
    struct flight *f = ctx;

    (void)out;
    return redactor_finish(f->sieve);
}

static enum ag_err
down_whole(void *ctx, struct span payload, struct buf *out)
{
    struct flight *f = ctx;
    struct redactor *sieve = NULL;
    const struct sink text = {.ctx = out, .feed = into_buf};
    enum ag_err err = sieves_take(f->proxy->sieves, &sieve);

    if (err == AG_OK) {
        err = sieve_begin(sieve, f->filter, &text, NULL);
    }
    if (err == AG_OK) {
        err = redactor_feed(sieve, payload);
    }
    if (err == AG_OK) {
        err = redactor_finish(sieve);
    }
    sieves_give(f->proxy->sieves, sieve);
    return err;
}

/* ---- its life ---- */

enum ag_err
flight_socket_open(struct flight *f, const struct proxy_request *request)
{
    const struct reframe_search up = {.ctx = f,
                                      .begin = up_begin,
                                      .feed = up_feed,
                                      .finish = up_finish,
                                      .whole = up_whole};
    const struct reframe_search down = {.ctx = f,
                                        .begin = down_begin,
                                        .feed = down_feed,
                                        .finish = down_finish,
                                        .whole = down_whole};
    const struct sink service = {.ctx = f, .feed = to_service};
    const struct sink client = {.ctx = f, .feed = to_client};
    bool wants = false;
    enum ag_err err = handshake_read(request, &wants);

    if (err != AG_OK || !wants) {
        return err;
    }
    f->socket = calloc(1, sizeof(*f->socket));
    if (f->socket == NULL) {
        return AG_ENOMEM;
    }
    backlog_init(&f->socket->out, UP_MAX_BYTES);
    reframe_init(&f->socket->up, FRAME_OF_CLIENT, &up, &service);
    reframe_init(&f->socket->down, FRAME_OF_SERVICE, &down, &client);
    return AG_OK;
}

void
flight_socket_free(struct flight_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    reframe_done(&socket->up);
    reframe_done(&socket->down);
    permit_scan_free(socket->scan);
    backlog_done(&socket->out);
    free(socket);
}

enum ag_err
flight_socket_prepare(struct flight *f)
{
    const struct upstream_field upgrade = {.name = span_str("Upgrade"),
                                           .value = span_str("websocket")};

    if (f->rebuilt.field_count == UPSTREAM_FIELDS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    f->rebuilt.fields[f->rebuilt.field_count++] = upgrade;
    f->request.field_count = f->rebuilt.field_count;
    f->request.body_bytes = UPSTREAM_BODY_NONE;
    f->request.flags |= UPSTREAM_UPGRADE;
    return AG_OK;
}

enum ag_err
flight_socket_switch(struct flight *f, const struct upstream_head *head)
{
    enum ag_err err = handshake_check(head);

    if (err == AG_OK && f->decode != NULL) {
        err = err_why(AG_EUPSTREAM, "the service encodes what is no body");
    }
    if (err == AG_OK && f->head->field_count == ANSWER_FIELDS_MAX_COUNT) {
        err = AG_ELIMIT;
    }
    if (err == AG_OK) {
        f->head->fields[f->head->field_count++] =
            (struct request_field){span_str("Upgrade"), span_str("websocket")};
        f->body_bytes = PROXY_BODY_CHUNKED;
        atomic_store(&f->socket->is_on, true);
    }
    return err;
}

bool
flight_socket_is_on(const struct flight *f)
{
    return f->socket != NULL && atomic_load(&f->socket->is_on);
}

/* ---- what passes ---- */

static enum frame_code
code_of(enum ag_err err)
{
    if (err == AG_EINVAL) {
        return FRAME_CODE_PROTOCOL;
    }
    return err == AG_ENOMEM || err == AG_EMEMLOCK || err == AG_ELIMIT
               ? FRAME_CODE_FAULT
               : FRAME_CODE_POLICY;
}

void
flight_socket_fail(struct flight *f, enum ag_err err)
{
    const struct sink client = {.ctx = f, .feed = to_client};

    /* For want of memory it ends without one. */
    (void)!reframe_close(FRAME_OF_SERVICE, code_of(err), &client);
    (void)pthread_mutex_lock(&f->lock);
    f->ended = true;
    (void)pthread_mutex_unlock(&f->lock);
    f->client.wake(f->client.arg);
}

/* Under the lock: both have said Close, and the service has the client's. True:
 * this is the end; the client is to be woken. */
static bool
is_closed(struct flight *f)
{
    const struct flight_socket *socket = f->socket;

    if (f->ended || !socket->up_closed || !socket->down_closed ||
        backlog_waiting_bytes(&socket->out) > 0) {
        return false;
    }
    f->ended = true;
    return true;
}

/* May it take a part? *ret_over: for nothing. */
static bool
has_room(struct flight *f, bool *ret_over)
{
    bool has = false;

    (void)pthread_mutex_lock(&f->lock);
    *ret_over = f->ended; /* what is cut has ended */
    has = *ret_over || backlog_waiting_bytes(&f->socket->out) < UP_BYTES;
    f->take_waits = !has;
    (void)pthread_mutex_unlock(&f->lock);
    return has;
}

static void
wake_sender(struct flight *f)
{
    bool asks = false;

    (void)pthread_mutex_lock(&f->lock);
    f->socket->up_closed = f->socket->up.reader.closed;
    asks = f->up_waits && backlog_waiting_bytes(&f->socket->out) > 0;
    f->up_waits = f->up_waits && !asks;
    (void)pthread_mutex_unlock(&f->lock);
    if (asks) {
        flight_resume(f);
    }
}

size_t
flight_socket_take(struct flight *f, struct span part)
{
    bool over = false;
    enum ag_err err = AG_OK;

    part = span_sub(part, 0, UP_BYTES);
    if (!has_room(f, &over)) {
        return 0;
    }
    if (over) {
        return part.len;
    }
    err_clear();
    err = permit_meter_add(f->meter, part.len);
    if (err == AG_OK) {
        err = reframe_feed(&f->socket->up, part);
    }
    if (err != AG_OK) {
        flight_socket_fail(f, err);
    } else {
        wake_sender(f);
    }
    return part.len;
}

void
flight_left(struct flight *f)
{
    if (!flight_socket_is_on(f) || !f->socket->up.reader.closed) {
        flight_cut(f);
    }
}

enum upstream_flow
flight_socket_on_send(struct flight *f, uint8_t *into, size_t room,
                      size_t *ret_len)
{
    bool wakes = false;
    size_t n = 0;

    (void)pthread_mutex_lock(&f->lock);
    if (!f->ended) {
        n = backlog_give(&f->socket->out, into, room);
    }
    f->up_waits = n == 0;
    wakes = f->take_waits && n > 0 &&
            backlog_waiting_bytes(&f->socket->out) < UP_BYTES / 2;
    f->take_waits = f->take_waits && !wakes;
    wakes = is_closed(f) || wakes;
    (void)pthread_mutex_unlock(&f->lock);
    if (wakes) {
        f->client.wake(f->client.arg);
    }
    *ret_len = n;
    return n > 0 ? UPSTREAM_GO : UPSTREAM_WAIT;
}

enum ag_err
flight_socket_on_body(struct flight *f, struct span part)
{
    enum ag_err err = reframe_feed(&f->socket->down, part);

    (void)pthread_mutex_lock(&f->lock);
    f->socket->down_closed = f->socket->down.reader.closed;
    (void)is_closed(f); /* flight_on_turn() wakes the client */
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}
