/* The call to the service that refreshes a login. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/places.h"
#include "core/refresh_impl.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "upstream/upstream.h"

void
trip_clear(struct trip *trip)
{
    secret_free(AG_TAKE(trip->base));
    secret_free(AG_TAKE(trip->body));
    secret_free(AG_TAKE(trip->answer));
    oauth2_result_done(&trip->result);
    trip->has_answer = false;
}

/* ---- events: on the upstream's thread, which alone has the trip now ---- */

static enum upstream_flow
on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct trip *trip = &((struct login *)ctx)->trip;
    struct span left = span_sub(secret_view(trip->body), trip->sent, room);

    if (left.len > 0) {
        memcpy(into, left.ptr, left.len);
    }
    trip->sent += left.len;
    *ret_len = left.len;
    return UPSTREAM_GO;
}

static bool
is_named(struct span name, const char *want)
{
    return name.len == strlen(want) &&
           strncasecmp((const char *)name.ptr, want, name.len) == 0;
}

static void
on_head(void *ctx, const struct upstream_head *head)
{
    struct trip *trip = &((struct login *)ctx)->trip;

    trip->status = head->status;
    for (size_t i = 0; i < head->field_count; i++) {
        struct span value = head->fields[i].value;

        if (is_named(head->fields[i].name, "retry-after") &&
            value.len < sizeof(trip->retry_after)) {
            (void)snprintf(trip->retry_after, sizeof(trip->retry_after), "%.*s",
                           (int)value.len, (const char *)value.ptr);
        }
    }
}

static enum upstream_flow
on_body(void *ctx, struct span part)
{
    struct trip *trip = &((struct login *)ctx)->trip;

    if (part.len > secret_len(trip->answer) - trip->answer_bytes) {
        trip->is_too_long = true; /* the rest is read for nothing */
        return UPSTREAM_GO;
    }
    if (part.len > 0) {
        memcpy(secret_bytes(trip->answer) + trip->answer_bytes, part.ptr,
               part.len);
    }
    trip->answer_bytes += part.len;
    return UPSTREAM_GO;
}

static void
on_end(void *ctx, enum ag_err err)
{
    struct login *l = ctx;
    struct refresher *all = l->owner;
    struct upstream_call *out = NULL;

    (void)pthread_mutex_lock(&all->lock);
    out = AG_TAKE(l->trip.out);
    l->state = LOGIN_STORES;
    all->ending_count++;
    (void)pthread_mutex_unlock(&all->lock);
    if (err == AG_OK && l->trip.is_too_long) {
        err = AG_ELIMIT;
    }
    l->trip.has_answer = err == AG_OK;
    l->trip.answered_ms = clock_wall_ms();
    secret_free(AG_TAKE(l->trip.body));
    login_settle(l, err);
    upstream_cancel(out);
    (void)pthread_mutex_lock(&all->lock);
    all->ending_count--;
    (void)pthread_cond_broadcast(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
}

static const struct upstream_events EVENTS = {
    .on_send = on_send,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
};

/* ---- where to ---- */

/* An inner address only where a place of the same secret says so. */
static bool
is_inner(const struct places *places, struct span authority)
{
    for (size_t i = 0; i < places->places.count; i++) {
        const struct place *place = &places->places.items[i];

        for (size_t k = 0; place->inner && k < place->hosts.count; k++) {
            if (span_is(authority, place->hosts.items[k])) {
                return true;
            }
        }
    }
    return false;
}

static enum ag_err
send(struct login *l, const struct places *places)
{
    static const struct upstream_times TIMES = {.connect_ms = 10000,
                                                .first_byte_ms =
                                                    REFRESH_CALL_MS,
                                                .idle_ms = REFRESH_CALL_MS,
                                                .whole_ms = REFRESH_CALL_MS};
    struct trip *trip = &l->trip;
    struct oauth2_url url = {0};
    const struct upstream_field fields[] = {
        {span_str("Content-Type"), span_str(oauth2_media(trip->refresh)),
         false},
        {span_str("Accept"), span_str("application/json"), false},
    };
    struct upstream_request request = {
        .method = span_str("POST"),
        .fields = fields,
        .field_count = AG_COUNT(fields),
        .body_bytes = (int64_t)secret_len(trip->body),
        /* Beside the tasks: what a connection is tied to is nobody else's. */
        .owner = UINT32_MAX - (uint32_t)l->secret_id,
        .times = &TIMES,
    };
    enum ag_err err = oauth2_url_read(places->refresh, &url);

    if (err != AG_OK) {
        return err;
    }
    request.host = url.host;
    request.port = url.port;
    request.target = url.path;
    /* Whoever asked, and his thread, may be gone before the answer. */
    request.flags = UPSTREAM_APART;
    request.flags |=
        is_inner(places, url.authority) ? (unsigned)UPSTREAM_INNER : 0U;
    l->state = LOGIN_CALLS;
    err = upstream_start(l->owner->core->parts.upstream, &request, &EVENTS, l,
                         &trip->out);
    if (err != AG_OK) {
        l->state = LOGIN_RESTS;
    }
    return err;
}

/* ---- with what ---- */

/* The profile as it is trusted now, the address as it was sealed. */
static enum ag_err
prepare(struct core *core, struct db_read *r, struct login *l,
        struct places *ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct trip *trip = &l->trip;
    const struct profile *profile = NULL;
    struct version_row version = {0};
    enum ag_err err = secrets_get(r, l->secret_id, &row);

    if (err == AG_OK) {
        err = trust_find(core, r, row.profile, &profile);
    }
    if (err == AG_OK) {
        err = places_sealed(&row, ret);
    }
    if (err == AG_OK && ret->refresh == NULL) {
        err = err_why(AG_EHOST,
                      "where %s refreshes is not sealed with it; put or adopt "
                      "it anew",
                      row.name);
    }
    if (err == AG_OK) {
        trip->refresh = login_way(core, &row, &trip->format);
        err = trip->refresh != NULL
                  ? versions_value(r, l->secret_id, 0, &version, &trip->base)
                  : AG_ENOTFOUND;
    }
    trip->version = version.number;
    return err;
}

static enum ag_err
fill(struct trip *trip)
{
    const struct oauth2_login login = {trip->refresh, trip->format,
                                       secret_view(trip->base)};
    enum ag_err err = oauth2_body(&login, &trip->body);

    return err == AG_OK ? secret_new(OAUTH2_ANSWER_MAX_BYTES, &trip->answer)
                        : err;
}

enum ag_err
trip_start(struct login *l)
{
    struct core *core = l->owner->core;
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(places) struct places places = {0};
    enum ag_err err = AG_OK;

    AG_ASSERT(l->state == LOGIN_RESTS && l->trip.out == NULL);
    l->trip = (struct trip){0};
    err = store_read(core->store, &r);
    if (err == AG_OK) {
        err = prepare(core, r, l, &places);
    }
    if (err == AG_OK) {
        err = fill(&l->trip);
    }
    if (err == AG_OK) {
        err = send(l, &places);
    }
    if (err != AG_OK) {
        trip_clear(&l->trip);
    }
    return err;
}
