/* The body of a request on its way to the service. */
#include <string.h>

#include "proxy/body_json.h"
#include "proxy/flight_impl.h"

enum {
    /* A word of the body that may yet be a placeholder is not sent; what is
     * longer than one can be is. */
    WORD_MAX_BYTES = 512,
};

void
flight_on_stray(void *arg, uint64_t id)
{
    struct flight *f = arg;

    if (f->stray_count < FLIGHT_STRAYS_MAX_COUNT) {
        f->strays[f->stray_count++] = id;
    }
}

/* What was found in the body: AG_OK, or the failure that it is. */
static enum ag_err
judge_strays(struct flight *f)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < f->stray_count && err == AG_OK; i++) {
        err = permit_stray(f->proxy->core, &f->call, f->strays[i]);
    }
    f->stray_count = 0;
    return err;
}

static bool
is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

/* Under the lock: bytes behind the last border become those to be held. */
static void
set_ready(struct flight *f, bool all)
{
    size_t filled = f->up_ready + f->up_held;
    size_t held = 0;

    while (!all && held < filled && held < WORD_MAX_BYTES &&
           is_word(f->up[f->up_at + filled - held - 1])) {
        held++;
    }
    /* What was let out is out. */
    if (filled - held > f->up_ready) {
        f->up_ready = filled - held;
        f->up_held = held;
    } else {
        f->up_held = filled - f->up_ready;
    }
    if (f->up_held > WORD_MAX_BYTES) {
        f->up_ready += f->up_held - WORD_MAX_BYTES;
        f->up_held = WORD_MAX_BYTES;
    }
}

/* Under the lock: room at the end of `up`. */
static size_t
up_room(struct flight *f)
{
    size_t filled = f->up_ready + f->up_held;

    if (f->up_at > 0 && (filled == 0 || f->up_at >= FLIGHT_UP_BYTES / 2)) {
        memmove(f->up, f->up + f->up_at, filled);
        f->up_at = 0;
    }
    return FLIGHT_UP_BYTES - f->up_at - filled;
}

static void
launch_or_fail(struct flight *f)
{
    enum ag_err err = flight_launch(f);

    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    }
}

/* A body that is kept whole: too much of it is the end. */
static size_t
keep_part(struct flight *f, struct span part)
{
    enum ag_err err = body_json_add(f->json, part);

    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    }
    return part.len;
}

static void
send_kept(struct flight *f)
{
    enum ag_err err = AG_OK;
    bool over = false;

    (void)pthread_mutex_lock(&f->lock);
    over = f->ended;
    (void)pthread_mutex_unlock(&f->lock);
    if (over) {
        return;
    }
    err = body_json_decide(f->proxy->core, f->json, &f->permit);
    if (err == AG_OK) {
        err = flight_prepare(f, body_json_ask(f->json),
                             (int64_t)body_json_len(f->json));
    }
    if (err == AG_OK) {
        err = permit_meter_add(f->meter, body_json_len(f->json));
    }
    if (err == AG_OK) {
        err = flight_launch(f);
    }
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    }
}

/* Before it may be sent. */
static enum ag_err
search(struct flight *f, struct span part)
{
    enum ag_err err = permit_meter_add(f->meter, part.len);

    if (err == AG_OK) {
        err = permit_scan_feed(f->scan, part);
    }
    return err == AG_OK ? judge_strays(f) : err;
}

size_t
flight_take(struct flight *f, struct span part)
{
    enum ag_err err = AG_OK;
    bool asked = false;
    bool over = false;
    size_t n = 0;

    if (f->json != NULL) {
        return keep_part(f, part);
    }
    (void)pthread_mutex_lock(&f->lock);
    over = f->ended; /* also by an answer that wanted no more of it */
    n = over ? part.len : up_room(f);
    n = n < part.len ? n : part.len;
    f->take_waits = n < part.len;
    (void)pthread_mutex_unlock(&f->lock);
    if (n == 0 || over) {
        if (!over && f->out == NULL) {
            launch_or_fail(f);
        }
        return n;
    }
    err = search(f, span_sub(part, 0, n));
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
        return part.len;
    }
    (void)pthread_mutex_lock(&f->lock);
    (void)up_room(f);
    memcpy(f->up + f->up_at + f->up_ready + f->up_held, part.ptr, n);
    f->up_held += n;
    set_ready(f, false);
    asked = f->up_waits && f->up_ready > 0;
    f->up_waits = f->up_waits && !asked;
    (void)pthread_mutex_unlock(&f->lock);
    if (asked) {
        upstream_resume(f->out);
    }
    if (f->out == NULL && n < part.len) {
        launch_or_fail(f);
    }
    return n;
}

void
flight_taken(struct flight *f)
{
    enum ag_err err = AG_OK;
    bool over = false;

    if (f->json != NULL) {
        send_kept(f);
        return;
    }
    if (f->scan != NULL) {
        err = permit_scan_finish(f->scan);
        if (err == AG_OK) {
            err = judge_strays(f);
        }
        if (err != AG_OK) {
            flight_fail(f, err, err_text(err));
            return;
        }
    }
    (void)pthread_mutex_lock(&f->lock);
    over = f->ended;
    if (!over) {
        set_ready(f, true);
        f->up_done = true;
        f->up_waits = false;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (over) {
        return;
    }
    if (f->out != NULL) {
        upstream_resume(f->out);
    } else {
        launch_or_fail(f);
    }
}

enum upstream_flow
flight_on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct flight *f = ctx;
    enum upstream_flow flow = UPSTREAM_GO;
    bool wakes = false;
    size_t n = 0;

    if (f->json != NULL) {
        *ret_len = body_json_give(f->json, into, room);
        return UPSTREAM_GO;
    }
    (void)pthread_mutex_lock(&f->lock);
    n = f->up_ready < room ? f->up_ready : room;
    /* Of what was cut not a byte more, and never the end. */
    if (f->cut || (n == 0 && !f->up_done)) {
        f->up_waits = true;
        flow = UPSTREAM_WAIT;
    } else {
        memcpy(into, f->up + f->up_at, n);
        f->up_at += n;
        f->up_ready -= n;
        wakes = f->take_waits && n > 0;
        f->take_waits = f->take_waits && !wakes;
        *ret_len = n;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (wakes) {
        f->client.wake(f->client.arg);
    }
    return flow;
}
