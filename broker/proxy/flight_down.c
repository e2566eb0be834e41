/* The answer on its way to the client. */
#include <stdlib.h>
#include <string.h>

#include "core/rotation.h"
#include "proxy/answer.h"
#include "proxy/flight_impl.h"
#include "proxy/flight_login.h"
#include "proxy/flight_socket.h"
#include "proxy/handshake.h"
#include "proxy/shares.h"
#include "proxy/sieve.h"
#include "redact/redactor.h"

enum {
    STATUS_NO_CONTENT = 204,
    STATUS_UNAUTHORIZED = 401,
    STATUS_NOT_MODIFIED = 304,
};

static enum ag_err
on_filtered(void *ctx, struct span part)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = backlog_add(&f->down, part);
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

void
flight_head_free(struct proxy_head *head)
{
    if (head != NULL) {
        proxy_head_done(head);
        free(head);
    }
}

/* All of the body, if it is here: then it goes out as one with its head. A
 * HEAD's is none, and maybe has a length. */
static void
take_whole(struct flight *f, struct proxy_answer *answer)
{
    size_t len = 0;

    if (flight_socket_is_on(f)) {
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    len = backlog_waiting_bytes(&f->down);
    if (f->ended && !f->cut && f->err == AG_OK &&
        (f->body_bytes == PROXY_BODY_CHUNKED ||
         (uint64_t)f->body_bytes == len)) {
        answer->whole = backlog_take(&f->down, &answer->whole_len);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void
tell_answer(struct flight *f)
{
    struct proxy_answer answer = {
        .status = f->status,
        .body_bytes = f->body_bytes,
        .fields = f->head->fields,
        .field_count = f->head->field_count,
    };

    take_whole(f, &answer);
    f->client.answer(f->client.arg, &answer);
    flight_head_free(AG_TAKE(f->head));
}

/* For a body of that length, or its beginning. */
static enum ag_err
expect_body(struct flight *f)
{
    size_t most = FLIGHT_DOWN_BYTES / 2;
    enum ag_err err = AG_OK;

    if (f->body_bytes > 0) {
        most = f->body_bytes < (int64_t)most ? (size_t)f->body_bytes : most;
        (void)pthread_mutex_lock(&f->lock);
        err = backlog_expect(&f->down, most);
        (void)pthread_mutex_unlock(&f->lock);
    }
    return err;
}

static enum ag_err
start_answer(struct flight *f, const struct upstream_head *head)
{
    const struct sink sink = {.ctx = f, .feed = on_filtered};
    enum ag_err err = AG_ENOMEM;

    f->head = calloc(1, sizeof(*f->head));
    if (f->head == NULL) {
        return err;
    }
    err = sieves_take(f->proxy->sieves, &f->sieve);
    if (err == AG_OK) {
        err = answer_head(head, f->filter, f->sieve, f->head);
    }
    if (err == AG_OK) {
        err = sieve_begin(f->sieve, f->filter, &sink, NULL);
    }
    if (err == AG_OK && f->head->codings.count > 0) {
        err = shares_take(f->proxy->shares, f->call.task_id, &f->decoding);
        if (err == AG_OK) {
            err = decode_new(&f->head->codings, f->decoding, &f->decode);
        }
    }
    if (err == AG_OK) {
        f->has_head = true;
        f->status = head->status;
        f->body_bytes = f->head->body_bytes;
        f->came_bytes = 0;
        err = expect_body(f);
    }
    if (err == AG_OK && head->status == HANDSHAKE_STATUS) {
        err = flight_socket_switch(f, head);
    }
    return err;
}

/* Which of them it refuses, a service does not say. */
static void
suspect_all(const struct flight *f)
{
    for (size_t i = 0; i < f->sent.count; i++) {
        rotation_suspect(f->proxy->core, f->sent.of[i].secret_id,
                         f->sent.of[i].version);
    }
}

void
flight_on_head(void *ctx, const struct upstream_head *head)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    err_clear();
    if (head->status == STATUS_UNAUTHORIZED) {
        suspect_all(f);
    }
    if (flight_login_refused(f, head->status)) {
        return;
    }
    err = start_answer(f, head);
    if (err != AG_OK) {
        flight_head_free(AG_TAKE(f->head));
        flight_fail(f, err, err_text(err));
    }
}

/* Is there room for more, or is all that comes read for nothing until it is
 * cancelled? A client that is behind asks for it, from then on. */
static enum upstream_flow
look_down(struct flight *f, bool *cut)
{
    bool full = false;

    (void)pthread_mutex_lock(&f->lock);
    *cut = f->cut || (f->ended && flight_socket_is_on(f));
    full = !*cut && backlog_waiting_bytes(&f->down) >= FLIGHT_DOWN_BYTES;
    f->down_waits = full;
    (void)pthread_mutex_unlock(&f->lock);
    return full ? UPSTREAM_WAIT : UPSTREAM_GO;
}

/* The text is whole. The sieve is for the next answer: this one may wait for
 * others that came with it, and for its client. */
static enum ag_err
end_text(struct flight *f)
{
    enum ag_err err = AG_OK;

    if (f->sieve != NULL) {
        err = redactor_finish(f->sieve);
        sieves_give(f->proxy->sieves, AG_TAKE(f->sieve));
    }
    return err;
}

static enum ag_err
feed_text(struct flight *f, struct span part)
{
    enum ag_err err = AG_OK;

    if (f->sieve == NULL) {
        return part.len == 0 ? AG_OK
                             : err_why(AG_EUPSTREAM,
                                       "the service's answer is longer than it "
                                       "said");
    }
    err = redactor_feed(f->sieve, part);
    f->came_bytes += (int64_t)part.len;
    return err == AG_OK && f->came_bytes == f->body_bytes ? end_text(f) : err;
}

static enum ag_err
pass_on(struct flight *f, struct span part)
{
    enum ag_err err = permit_meter_add(f->meter, part.len);

    if (err == AG_OK && flight_socket_is_on(f)) {
        return flight_socket_on_body(f, part);
    }
    return err == AG_OK ? feed_text(f, part) : err;
}

/* A little may become much: what there is no room for comes again, with what
 * of the part was taken in front of it, and maybe in other parts. */
static enum ag_err
pass_decoded(struct flight *f, struct span part, enum upstream_flow *flow)
{
    const size_t again =
        f->decode_taken_bytes < part.len ? f->decode_taken_bytes : part.len;
    struct span rest = span_sub(part, again, part.len);
    struct span out = {0};
    bool cut = false;
    enum ag_err err = AG_OK;

    do {
        err = decode_next(f->decode, &rest, &out);
        if (err == AG_OK) {
            err = pass_on(f, out);
        }
        *flow = out.len > 0 ? look_down(f, &cut) : UPSTREAM_GO;
    } while (err == AG_OK && out.len > 0 && *flow == UPSTREAM_GO && !cut);
    f->decode_taken_bytes =
        *flow == UPSTREAM_GO
            ? f->decode_taken_bytes - again
            : f->decode_taken_bytes + part.len - again - rest.len;
    return err;
}

enum upstream_flow
flight_on_body(void *ctx, struct span part)
{
    struct flight *f = ctx;
    enum upstream_flow flow = UPSTREAM_GO;
    bool cut = false;
    enum ag_err err = AG_OK;

    if (f->swallows) {
        return UPSTREAM_GO;
    }
    flow = look_down(f, &cut);
    if (cut || flow == UPSTREAM_WAIT) {
        return flow;
    }
    err = f->decode == NULL ? pass_on(f, part) : pass_decoded(f, part, &flow);
    if (err != AG_OK && flight_socket_is_on(f)) {
        flight_socket_fail(f, err);
        return UPSTREAM_GO;
    }
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
        return UPSTREAM_GO;
    }
    return flow;
}

/*
 * What there is for now was read. A client that has its whole answer ends the
 * flight, and with it what of its own body is not out yet: the service may have
 * answered early. So the last of the answer waits for the call's end: the head
 * when there is no body, else the body's last byte (give_some()).
 */
void
flight_on_turn(void *ctx)
{
    struct flight *f = ctx;

    if (f->head != NULL && f->body_bytes != 0 &&
        f->status != STATUS_NO_CONTENT && f->status != STATUS_NOT_MODIFIED) {
        tell_answer(f);
    }
    if (f->has_head && f->head == NULL) {
        f->client.wake(f->client.arg);
    }
}

void
flight_on_end(void *ctx, enum ag_err err)
{
    struct flight *f = ctx;

    if (f->swallows) {
        return;
    }
    if (err == AG_OK && f->decode != NULL) {
        err = decode_finish(f->decode);
    }
    if (err == AG_OK && f->has_head && !flight_socket_is_on(f)) {
        err = end_text(f);
    }
    if (!f->has_head || (err != AG_OK && f->head != NULL)) {
        flight_fail(f, err != AG_OK ? err : AG_EUPSTREAM, err_text(err));
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    f->ended = true;
    f->err = f->err == AG_OK ? err : f->err;
    (void)pthread_mutex_unlock(&f->lock);
    if (f->head != NULL) {
        tell_answer(f);
    } else {
        f->client.wake(f->client.arg);
    }
}

/* Under the lock: line ends for what the markers saved of a length. */
static ssize_t
give_rest(struct flight *f, uint8_t *into, size_t room)
{
    int64_t left = f->body_bytes - f->given_bytes;

    if (f->body_bytes < 0 || left <= 0) {
        return PROXY_END;
    }
    room = left < (int64_t)room ? (size_t)left : room;
    memset(into, '\n', room);
    f->given_bytes += (int64_t)room;
    return (ssize_t)room;
}

/* Under the lock. */
static ssize_t
give_some(struct flight *f, uint8_t *into, size_t room)
{
    size_t n = 0;

    if (f->cut) {
        return PROXY_BROKEN;
    }
    if (!f->ended && f->body_bytes > 0 &&
        f->body_bytes - f->given_bytes <= (int64_t)room) {
        room = (size_t)(f->body_bytes - f->given_bytes - 1);
    }
    n = backlog_give(&f->down, into, room);
    if (n == 0 && f->ended) {
        return f->err == AG_OK ? give_rest(f, into, room) : PROXY_BROKEN;
    }
    f->given_bytes += (int64_t)n;
    return (ssize_t)n; /* 0 is PROXY_WAIT */
}

ssize_t
flight_give(struct flight *f, uint8_t *into, size_t room)
{
    ssize_t n = 0;
    bool asks = false;

    (void)pthread_mutex_lock(&f->lock);
    n = give_some(f, into, room);
    asks = f->down_waits &&
           backlog_waiting_bytes(&f->down) < FLIGHT_DOWN_BYTES / 2;
    f->down_waits = f->down_waits && !asks;
    (void)pthread_mutex_unlock(&f->lock);
    if (asks) {
        flight_resume(f);
    }
    return n;
}
