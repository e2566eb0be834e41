#include "upstream/turns.h"

#include <stdlib.h>
#include <string.h>

enum {
    MUCH_BYTES = 32 * 1024,
};

struct turns_place {
    TAILQ_ENTRY(turns_place) link;
    int64_t running_count;
    int64_t waiting_count;
    atomic_bool gives_much; /* without the lock */
    uint16_t port;
    char host[sizeof(((struct guard_host *)NULL)->text)];
};

void
turns_init(struct turns *t, const struct upstream_limits *limits)
{
    (void)pthread_mutex_init(&t->lock, NULL);
    t->limits = *limits;
    t->unended_count = 0;
    t->running_count = 0;
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->places);
}

void
turns_done(struct turns *t)
{
    struct turns_place *place = NULL;

    AG_ASSERT(t->unended_count == 0 && t->running_count == 0);
    while ((place = TAILQ_FIRST(&t->places)) != NULL) {
        TAILQ_REMOVE(&t->places, place, link);
        free(place);
    }
    (void)pthread_mutex_destroy(&t->lock);
}

struct upstream_limits
turns_limits(struct turns *t)
{
    struct upstream_limits limits;

    (void)pthread_mutex_lock(&t->lock);
    limits = t->limits;
    (void)pthread_mutex_unlock(&t->lock);
    return limits;
}

/* ---- under the lock ---- */

static bool
is_at(const struct turns_place *place, const struct request_parts *parts)
{
    return place->port == parts->port &&
           strcmp(place->host, parts->host.text) == 0;
}

/* There are never more than calls at one time. */
static struct turns_place *
find_place(struct turns *t, const struct request_parts *parts)
{
    struct turns_place *unused = NULL;
    struct turns_place *place = NULL;

    TAILQ_FOREACH(place, &t->places, link)
    {
        if (is_at(place, parts)) {
            return place;
        }
        if (place->running_count == 0 && place->waiting_count == 0) {
            unused = place;
        }
    }
    if (unused == NULL) {
        unused = calloc(1, sizeof(*unused));
        if (unused == NULL) {
            return NULL;
        }
        TAILQ_INSERT_TAIL(&t->places, unused, link);
    }
    atomic_store(&unused->gives_much, false);
    unused->port = parts->port;
    memcpy(unused->host, parts->host.text, sizeof(unused->host));
    return unused;
}

static bool
run_if_fits(struct turns *t, struct upstream_call *call)
{
    if (t->running_count >= t->limits.calls ||
        call->place->running_count >= t->limits.calls_per_host) {
        return false;
    }
    t->running_count++;
    call->place->running_count++;
    atomic_store(&call->has_turn, true);
    return true;
}

static void
stop_waiting(struct turns *t, struct upstream_call *call)
{
    TAILQ_REMOVE(&t->waiting, call, waits);
    call->place->waiting_count--;
}

/* Who can't go yet holds up nobody behind him that can. */
static void
call_next(struct turns *t)
{
    struct upstream_call *call = TAILQ_FIRST(&t->waiting);

    while (call != NULL && t->running_count < t->limits.calls) {
        struct upstream_call *next = TAILQ_NEXT(call, waits);

        if (run_if_fits(t, call)) {
            stop_waiting(t, call);
            call_touch(call);
        }
        call = next;
    }
}

/* ---- */

enum ag_err
turns_take(struct turns *t, struct upstream_call *call)
{
    if (t->unended_count >= t->limits.calls + t->limits.waiting) {
        return err_why(AG_EBUSY, "%lld calls to services are under way",
                       (long long)t->unended_count);
    }
    call->place = find_place(t, &call->parts);
    if (call->place == NULL) {
        return AG_ENOMEM;
    }
    t->unended_count++;
    if (!run_if_fits(t, call)) {
        TAILQ_INSERT_TAIL(&t->waiting, call, waits);
        call->place->waiting_count++;
    }
    return AG_OK;
}

void
turns_leave(struct turns *t, struct upstream_call *call)
{
    (void)pthread_mutex_lock(&t->lock);
    t->unended_count--;
    if (atomic_load(&call->has_turn)) {
        t->running_count--;
        call->place->running_count--;
    } else {
        stop_waiting(t, call);
    }
    call->place = NULL;
    call_next(t);
    (void)pthread_mutex_unlock(&t->lock);
}

bool
turns_expects_much(const struct upstream_call *call)
{
    return atomic_load(&call->place->gives_much);
}

void
turns_note_bytes(struct upstream_call *call, int64_t bytes)
{
    bool much = bytes > MUCH_BYTES;

    if (atomic_load(&call->place->gives_much) != much) {
        atomic_store(&call->place->gives_much, much);
    }
}

void
turns_set_limits(struct turns *t, const struct upstream_limits *limits)
{
    (void)pthread_mutex_lock(&t->lock);
    t->limits = *limits;
    call_next(t);
    (void)pthread_mutex_unlock(&t->lock);
}
