/* The body of a request on its way to the service. */
#include <string.h>

#include "proxy/body_json.h"
#include "proxy/flight_impl.h"
#include "proxy/flight_login.h"
#include "proxy/flight_socket.h"

enum ag_err
flight_on_stray(void *arg, uint64_t id)
{
    struct flight *f = arg;

    return permit_stray(f->proxy->core, &f->call, id);
}

bool
flight_is_word(uint8_t c)
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

    while (!all && held < filled && held < FLIGHT_WORD_MAX_BYTES &&
           flight_is_word(f->up[f->up_at + filled - held - 1])) {
        held++;
    }
    /* What was let out is out. */
    if (filled - held > f->up_ready) {
        f->up_ready = filled - held;
        f->up_held = held;
    } else {
        f->up_held = filled - f->up_ready;
    }
    if (f->up_held > FLIGHT_WORD_MAX_BYTES) {
        f->up_ready += f->up_held - FLIGHT_WORD_MAX_BYTES;
        f->up_held = FLIGHT_WORD_MAX_BYTES;
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

void
flight_send_kept(struct flight *f)
{
    enum ag_err err = AG_OK;
    bool over = false;
    bool waits = false;

    (void)pthread_mutex_lock(&f->lock);
    over = f->ended;
    (void)pthread_mutex_unlock(&f->lock);
    if (over) {
        return;
    }
    err = body_json_decide(f->proxy->core, f->json, &f->permit);
    while (err == AG_OK && f->permit.mint_id != 0) {
        err = flight_login_mint(f, &waits);
        if (waits) {
            return;
        }
        if (err == AG_OK) {
            err = body_json_decide(f->proxy->core, f->json, &f->permit);
        }
    }
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

/* How much of a part can be taken now; of what is over all, for nothing. */
static size_t
take_room(struct flight *f, size_t len, bool *ret_over, bool *ret_waits)
{
    size_t n = len;

    (void)pthread_mutex_lock(&f->lock);
    *ret_over = f->ended; /* also by an answer that wanted no more of it */
    *ret_waits = !f->ended && flight_login_waits(f);
    if (!f->ended) {
        n = *ret_waits ? 0 : up_room(f);
        n = n < len ? n : len;
    }
    f->take_waits = n < len;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

/* Searched before it may be sent. */
static enum ag_err
search(struct flight *f, struct span part)
{
    enum ag_err err = permit_meter_add(f->meter, part.len);

    return err == AG_OK ? permit_scan_feed(f->scan, part) : err;
}

/* *ret: the upstream waits for it. */
static void
keep(struct flight *f, struct span part, bool *ret_asked)
{
    (void)pthread_mutex_lock(&f->lock);
    (void)up_room(f);
    memcpy(f->up + f->up_at + f->up_ready + f->up_held, part.ptr, part.len);
    f->up_held += part.len;
    f->up_taken_bytes += part.len;
    set_ready(f, false);
    *ret_asked = f->up_waits && f->up_ready > 0;
    f->up_waits = f->up_waits && !*ret_asked;
    (void)pthread_mutex_unlock(&f->lock);
}

size_t
flight_take(struct flight *f, struct span part)
{
    enum ag_err err = AG_OK;
    bool asked = false;
    bool over = false;
    bool waits = false;
    size_t n = 0;

    if (flight_socket_is_on(f)) {
        return flight_socket_take(f, part);
    }
    n = take_room(f, part.len, &over, &waits);
    if (over || waits) {
        return n;
    }
    if (f->json != NULL) {
        return keep_part(f, part);
    }
    if (n > 0) {
        err = search(f, span_sub(part, 0, n));
        if (err != AG_OK) {
            flight_fail(f, err, err_text(err));
            return part.len;
        }
        keep(f, span_sub(part, 0, n), &asked);
    }
    if (asked) {
        flight_resume(f);
    }
    if (n < part.len && !flight_is_out(f)) {
        launch_or_fail(f);
    }
    return n;
}

void
flight_taken(struct flight *f)
{
    enum ag_err err = AG_OK;
    bool over = false;
    bool asked = false;

    if (flight_login_puts_off(f)) {
        return;
    }
    if (f->json != NULL) {
        flight_send_kept(f);
        return;
    }
    if (f->scan != NULL) {
        err = permit_scan_finish(f->scan);
    }
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    over = f->ended;
    if (!over) {
        set_ready(f, true);
        f->up_done = true;
        asked = f->up_waits;
        f->up_waits = false;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (over) {
        return;
    }
    if (!flight_is_out(f)) {
        launch_or_fail(f);
    } else if (asked) {
        flight_resume(f);
    }
}

enum upstream_flow
flight_on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct flight *f = ctx;
    enum upstream_flow flow = UPSTREAM_GO;
    bool wakes = false;
    size_t n = 0;

    if (flight_socket_is_on(f)) {
        return flight_socket_on_send(f, into, room, ret_len);
    }
    (void)pthread_mutex_lock(&f->lock);
    n = f->up_ready < room ? f->up_ready : room;
    /* Of what was cut not a byte more, and never the end. */
    if (f->cut || (f->json == NULL && n == 0 && !f->up_done)) {
        f->up_waits = true;
        flow = UPSTREAM_WAIT;
    } else if (f->json != NULL) {
        *ret_len = body_json_give(f->json, into, room);
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
