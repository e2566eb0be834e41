#include "privsep/channel.h"

#include <sys/socket.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "privsep/frame.h"

enum {
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000,
};

/* A thread that waits for the answer to one question; lives on its stack. */
struct waiter {
    struct waiter *next;
    uint64_t id;
    struct buf *answer; /* NULL: the answer must be empty */
    bool done;
    enum ag_err result;
    char why[256];
    pthread_cond_t changed;
};

struct channel {
    int sock;
    struct channel_hooks hooks;
    pthread_t reader;
    pthread_mutex_t lock; /* over everything below */
    struct waiter *waiting;
    uint64_t last_id;
    bool dead;
    bool closing; /* our own end: nobody's death */
};

/* ---- the broker's end ---- */

/* Under the lock. */
static struct waiter *
take_waiter(struct channel *c, uint64_t id)
{
    for (struct waiter **at = &c->waiting; *at != NULL; at = &(*at)->next) {
        if ((*at)->id == id) {
            struct waiter *found = *at;

            *at = found->next;
            return found;
        }
    }
    return NULL;
}

/* Under the lock: what the packet says becomes the waiter's result. */
static void
fill_waiter(struct waiter *w, enum ag_err result, struct span body)
{
    w->result = result;
    if (result != AG_OK) {
        size_t len =
            body.len < sizeof(w->why) - 1 ? body.len : sizeof(w->why) - 1;

        if (len > 0) {
            memcpy(w->why, body.ptr, len);
        }
        w->why[len] = '\0';
    } else if (w->answer != NULL) {
        w->result = buf_add(w->answer, body);
    } else if (body.len != 0) {
        w->result = AG_ECORRUPT;
    }
    w->done = true;
    (void)pthread_cond_signal(&w->changed);
}

static void
on_answer(struct channel *c, const struct channel_head *head, struct span body)
{
    struct waiter *w;

    (void)pthread_mutex_lock(&c->lock);
    w = take_waiter(c, head->id);
    if (w != NULL) { /* else it gave up waiting */
        fill_waiter(w, head->result, body);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* One packet from the helper; anything wrong with it ends the channel. */
static enum ag_err
read_one(struct channel *c, struct channel_packet *packet)
{
    size_t len = 0;
    enum ag_err err = fd_recv(c->sock, packet->bytes, sizeof(packet->bytes),
                              &len, packet->fds, &packet->fd_count);

    if (err != AG_OK) {
        return err;
    }
    channel_drop_fds(packet); /* a helper has none to give */
    if (len == 0) {
        return AG_ENOBROKER;
    }
    err = channel_decode(span_of(packet->bytes, len), &packet->head,
                         &packet->body);
    if (err != AG_OK) {
        return err;
    }
    switch (packet->head.kind) {
    case CHANNEL_ASK:
        return AG_EINVAL;
    case CHANNEL_ANSWER:
        on_answer(c, &packet->head, packet->body);
        break;
    case CHANNEL_EVENT:
        if (c->hooks.on_event != NULL) {
            c->hooks.on_event(c->hooks.ctx, packet->head.op, packet->body);
        }
        break;
    }
    wipe(packet->bytes, len);
    return AG_OK;
}

static void
declare_dead(struct channel *c)
{
    bool tell;

    (void)pthread_mutex_lock(&c->lock);
    c->dead = true;
    tell = !c->closing && c->hooks.on_death != NULL;
    while (c->waiting != NULL) {
        struct waiter *w = c->waiting;

        c->waiting = w->next;
        fill_waiter(w, c->hooks.dead_err, span_of(NULL, 0));
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (tell) {
        c->hooks.on_death(c->hooks.ctx);
    }
}

static void *
reader_main(void *arg)
{
    struct channel *c = arg;
    struct channel_packet *packet = calloc(1, sizeof(*packet));

    if (packet != NULL) {
        while (read_one(c, packet) == AG_OK) {
        }
        wipe(packet->bytes, sizeof(packet->bytes));
        free(packet);
    }
    /* A helper that broke the protocol must not go on either. */
    (void)shutdown(c->sock, SHUT_RDWR);
    declare_dead(c);
    return NULL;
}

enum ag_err
channel_open(int sock, const struct channel_hooks *hooks, struct channel **ret)
{
    struct channel *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        fd_close(sock);
        return AG_ENOMEM;
    }
    c->sock = sock;
    c->hooks = *hooks;
    (void)pthread_mutex_init(&c->lock, NULL);
    if (pthread_create(&c->reader, NULL, reader_main, c) != 0) {
        (void)pthread_mutex_destroy(&c->lock);
        fd_close(sock);
        free(c);
        return AG_ENOMEM;
    }
    *ret = c;
    return AG_OK;
}

void
channel_shutdown(struct channel *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->closing = true;
    (void)pthread_mutex_unlock(&c->lock);
    (void)shutdown(c->sock, SHUT_RDWR);
}

void
channel_close(struct channel *c)
{
    if (c == NULL) {
        return;
    }
    channel_shutdown(c);
    (void)pthread_join(c->reader, NULL);
    AG_ASSERT(c->waiting == NULL);
    (void)pthread_mutex_destroy(&c->lock);
    fd_close(c->sock);
    free(c);
}

bool
channel_is_alive(struct channel *c)
{
    bool alive;

    (void)pthread_mutex_lock(&c->lock);
    alive = !c->dead;
    (void)pthread_mutex_unlock(&c->lock);
    return alive;
}

/* A condition on the monotonic clock, so that a set wall clock wakes nobody. */
static enum ag_err
waiter_init(struct waiter *w)
{
    pthread_condattr_t attr;
    int failed;

    if (pthread_condattr_init(&attr) != 0) {
        return AG_ENOMEM;
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed = pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    return failed == 0 ? AG_OK : AG_ENOMEM;
}

/* Under the lock. What is left of the time is asked of the steady clock, which
 * stands still in tests; the condition's own runs on. */
static void
wait_done(struct channel *c, struct waiter *w, int64_t end_ms)
{
    int64_t wait_ms = end_ms - clock_steady_ms();
    struct timespec end;

    wait_ms = wait_ms > 0 ? wait_ms : 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += wait_ms / MS_PER_S;
    end.tv_nsec += wait_ms % MS_PER_S * NS_PER_MS;
    if (end.tv_nsec >= (long)NS_PER_MS * MS_PER_S) {
        end.tv_sec++;
        end.tv_nsec -= (long)NS_PER_MS * MS_PER_S;
    }
    while (!w->done) {
        if (pthread_cond_timedwait(&w->changed, &c->lock, &end) == ETIMEDOUT &&
            !w->done) {
            (void)take_waiter(c, w->id);
            w->result = AG_ETIMEOUT;
            return;
        }
    }
}

/* Puts the waiter in the list before the question is out, so that no answer
 * can come too early. */
static enum ag_err
enlist(struct channel *c, struct waiter *w)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&c->lock);
    if (c->dead) {
        err = c->hooks.dead_err;
    } else {
        w->id = ++c->last_id;
        w->next = c->waiting;
        c->waiting = w;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return err;
}

static enum ag_err
send_question(struct channel *c, const struct channel_question *question,
              uint64_t id, int64_t end_ms)
{
    struct frame frame = {
        .head = {.kind = CHANNEL_ASK, .op = question->op, .id = id},
        .body = question->body,
        .fds = question->fds,
        .fd_count = question->fd_count,
    };
    enum ag_err err = frame_send(c->sock, &frame, end_ms);

    return err == AG_ENOBROKER ? c->hooks.dead_err : err;
}

enum ag_err
channel_ask(struct channel *c, const struct channel_question *question,
            struct buf *answer)
{
    struct waiter w = {.answer = answer};
    int64_t end_ms =
        clock_steady_ms() +
        (question->wait_ms > 0 ? question->wait_ms : CHANNEL_WAIT_MS);
    enum ag_err err = waiter_init(&w);
    enum ag_err sent;

    if (err != AG_OK) {
        return err;
    }
    err = enlist(c, &w);
    if (err == AG_OK) {
        sent = send_question(c, question, w.id, end_ms);
        (void)pthread_mutex_lock(&c->lock);
        if (sent == AG_OK) {
            wait_done(c, &w, end_ms);
        } else {
            (void)take_waiter(c, w.id);
            w.result = sent;
        }
        (void)pthread_mutex_unlock(&c->lock);
        err = w.result;
    }
    (void)pthread_cond_destroy(&w.changed);
    return err != AG_OK && w.why[0] != '\0' ? err_why(err, "%s", w.why) : err;
}

/* ---- the helper's end ---- */

void
channel_drop_fds(struct channel_packet *packet)
{
    for (size_t i = 0; i < packet->fd_count; i++) {
        fd_close(packet->fds[i]);
        packet->fds[i] = -1;
    }
    packet->fd_count = 0;
}

enum ag_err
channel_next(int sock, struct channel_packet *packet)
{
    size_t len = 0;
    enum ag_err err;

    packet->fd_count = 0;
    err = fd_recv(sock, packet->bytes, sizeof(packet->bytes), &len, packet->fds,
                  &packet->fd_count);
    if (err != AG_OK) {
        return err;
    }
    if (len == 0) {
        channel_drop_fds(packet);
        return AG_ENOBROKER;
    }
    err = channel_decode(span_of(packet->bytes, len), &packet->head,
                         &packet->body);
    if (err == AG_OK && packet->head.kind != CHANNEL_ASK) {
        err = AG_EINVAL;
    }
    if (err != AG_OK) {
        channel_drop_fds(packet);
    }
    return err;
}

enum ag_err
channel_answer(int sock, uint64_t id, uint16_t op, enum ag_err result,
               struct span body)
{
    struct frame frame = {
        .head = {.kind = CHANNEL_ANSWER, .op = op, .result = result, .id = id},
        .body = result == AG_OK ? body : span_str(err_text(result)),
    };

    return frame_send(sock, &frame, clock_steady_ms() + CHANNEL_WAIT_MS);
}

enum ag_err
channel_tell(int sock, uint16_t op, struct span body)
{
    struct frame frame = {
        .head = {.kind = CHANNEL_EVENT, .op = op},
        .body = body,
    };

    return frame_send(sock, &frame, clock_steady_ms() + CHANNEL_WAIT_MS);
}
