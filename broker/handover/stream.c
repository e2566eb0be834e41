#include "handover/stream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "core/receipts.h"
#include "handover/conn.h"
#include "handover/message.h"
#include "handover/sights.h"
#include "privsep/filter.h"
#include "wire/emit.h"
#include "wire/json.h"

enum {
    END_WAIT_MS = 1000,
};

struct stream {
    struct stream *next;       /* of the connection's live ones */
    struct stream *next_ended; /* of those that wait to be settled */
    struct conn *conn;
    uint64_t number;    /* the connection's */
    uint64_t filter_id; /* the filter's */
    struct stream_terms terms;
    struct buf report; /* filled by the filter's thread */
    json_t *counts;    /* the same; under the connection's lock until the end */
    json_t *rest;      /* of these, what the filter has no row for; the same */
    json_t *counted;   /* of these, what was counted against the task */
    uint64_t hits;     /* that were told; the same */
    bool news;         /* under the connection's lock */
    struct sights sights;          /* the same */
    struct receipt_draft *receipt; /* NULL: nobody asked for one */
    bool ended_well;               /* filled by the filter's thread */
};

static void
stream_free(struct stream *s)
{
    struct conn *c = s->conn;

    buf_done(&s->report);
    json_decref(s->counts);
    json_decref(s->rest);
    json_decref(s->counted);
    sights_done(&s->sights);
    receipt_draft_free(s->receipt);
    free(s);
    conn_drop(c);
}

static void
tell_sights(struct stream *s, bool ended)
{
    struct incident_sight fresh[SIGHTS_MAX_COUNT];
    size_t count = SIGHTS_MAX_COUNT;

    while (count == SIGHTS_MAX_COUNT) {
        (void)pthread_mutex_lock(&s->conn->lock);
        count = sights_fresh(&s->sights, ended, fresh);
        (void)pthread_mutex_unlock(&s->conn->lock);
        if (count > 0) {
            handout_stream_seen(s->conn->parts.core, &s->terms, fresh, count);
        }
    }
}

/* What of `now` is not in `before` yet; NULL when there is no memory. */
static json_t *
since(const json_t *now, const json_t *before)
{
    json_t *more = json_object();
    const char *name = NULL;
    json_t *count = NULL;

    json_object_foreach((json_t *)(uintptr_t)now, name, count)
    {
        json_int_t n = json_integer_value(count) -
                       json_integer_value(json_object_get(before, name));

        if (more != NULL && n > 0 &&
            json_object_set_new(more, name, json_integer(n)) != 0) {
            json_decref(more);
            more = NULL;
        }
    }
    return more;
}

/* ---- life ---- */

/* What is counted so far, under the connection's lock. A report that knows less
 * than was told, of a filter that died, takes nothing back. */
static void
note_counts(struct stream *s, const struct filter_report *report)
{
    json_t *counts = NULL;

    if (report->hits < s->hits) {
        return;
    }
    s->hits = report->hits;
    counts = stream_counts(report);
    stream_counts_add(counts, s->rest);
    json_decref(s->counts);
    s->counts = counts;
    sights_note(&s->sights, report);
}

/* On the filter's thread, as often as there are hits. */
static void
on_hits(void *arg, const struct filter_report *report)
{
    struct stream *s = arg;
    struct conn *c = s->conn;
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&c->lock);
    note_counts(s, report);
    s->news = true;
    if (!c->closed) {
        (void)!write(c->wake_fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* Before the next of the others, which wakes. */
static void
on_rest(void *arg, const struct filter_report *report)
{
    struct stream *s = arg;
    json_t *counts = stream_counts(report);

    (void)pthread_mutex_lock(&s->conn->lock);
    if (s->rest == NULL) {
        s->rest = AG_TAKE(counts);
    } else {
        stream_counts_add(s->rest, counts);
    }
    sights_add(&s->sights, report);
    (void)pthread_mutex_unlock(&s->conn->lock);
    json_decref(counts);
}

/* On the filter's thread: keeps what is said and wakes the connection's. */
static void
on_end(void *arg, const struct filter_report *report)
{
    struct stream *s = arg;
    struct conn *c = s->conn;
    const uint64_t one = 1;
    bool closed;

    enum ag_err err =
        s->terms.audience == FILTER_TASK
            ? stream_put_report_of_task(&s->report, s->number, report)
            : stream_put_report(&s->report, s->number, report);

    if (err != AG_OK) {
        buf_clear(&s->report);
    }
    if (s->receipt != NULL) {
        receipt_draft_fill(s->receipt, report);
        s->ended_well = report->result == AG_OK;
    }
    (void)pthread_mutex_lock(&c->lock);
    note_counts(s, report);
    s->news = false;
    closed = c->closed;
    if (!closed) {
        s->next_ended = c->ended;
        c->ended = s;
        /* Under the lock: once the list is read, `c` may go. */
        (void)!write(c->wake_fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (closed) {
        stream_free(s);
    }
}

/* One for it to be filled in, if it is wanted. */
static enum ag_err
draft_receipt(struct stream *s, const struct message_receipt *receipt)
{
    return receipt == NULL
               ? AG_OK
               : receipt_draft_new(receipt->subject,
                                   (enum receipt_names)receipt->names,
                                   &s->terms, &s->receipt);
}

enum ag_err
stream_start(struct conn *c, const struct stream_terms *terms,
             const struct message_receipt *receipt, const int fds[2],
             uint64_t *ret_number)
{
    struct filter_route route = {.src_fd = fds[0], .dst_fd = fds[1]};
    struct stream *s;
    enum ag_err err;

    if (c->stream_count == CONN_STREAMS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d streams on one connection",
                       CONN_STREAMS_MAX_COUNT);
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return AG_ENOMEM;
    }
    conn_hold(c);
    s->conn = c;
    s->number = ++c->last_stream;
    s->terms = *terms;
    buf_init(&s->report, MESSAGE_MAX_BYTES, BUF_PLAIN);
    route.options.audience = terms->audience;
    route.options.rules = terms->rules;
    route.options.places = terms->places;
    route.options.format = terms->format;
    route.options.marker = terms->marker[0] != '\0' ? terms->marker : NULL;
    route.ended = on_end;
    route.hits = on_hits;
    route.rest = on_rest;
    route.arg = s;
    route.options.vouch = receipt != NULL;
    err = draft_receipt(s, receipt);
    if (err == AG_OK) {
        err = filter_stream(c->parts.filter, &route, &s->filter_id);
    }
    if (err != AG_OK) {
        stream_free(s);
        return err;
    }
    s->next = c->streams;
    c->streams = s;
    c->stream_count++;
    *ret_number = s->number;
    return AG_OK;
}

static void
unlist(struct conn *c, const struct stream *s)
{
    struct stream **at = &c->streams;

    while (*at != s) {
        AG_ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = s->next;
    c->stream_count--;
}

/* With `closes` one that ends later frees itself. */
static struct stream *
take_ended(struct conn *c, bool closes)
{
    struct stream *ended;
    uint64_t count = 0;

    (void)pthread_mutex_lock(&c->lock);
    ended = c->ended;
    c->ended = NULL;
    c->closed = closes;
    (void)!read(c->wake_fd, &count, sizeof(count));
    (void)pthread_mutex_unlock(&c->lock);
    return ended;
}

/* Hits of streams that run: counted now, so that who guesses is stopped. */
static void
count_news(struct conn *c)
{
    for (struct stream *s = c->streams; s != NULL; s = s->next) {
        json_t *counts = NULL;
        json_t *fresh = NULL;

        (void)pthread_mutex_lock(&c->lock);
        if (s->news) {
            counts = AG_TAKE(s->counts);
            s->news = false;
        }
        (void)pthread_mutex_unlock(&c->lock);
        if (counts != NULL) {
            fresh = since(counts, s->counted);
            handout_stream_hits(c->parts.core, &s->terms, fresh);
            json_decref(fresh);
            json_decref(s->counted);
            s->counted = counts;
            tell_sights(s, false);
        }
    }
}

/* The receipt, or why there is none: what can't be recorded has none. */
static enum ag_err
put_receipt(struct stream *s, struct buf *out)
{
    AG_AUTO(buf) struct buf line = {0};
    AG_AUTO(buf) struct buf hex = {0};
    uint8_t opening[RECEIPT_OPENING_BYTES] = {0};
    struct emit e;
    enum ag_err err;

    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    buf_init(&hex, 2 * sizeof(opening), BUF_WIPE);
    err = receipt_draft_sign(s->conn->parts.core, s->receipt, &line, opening);
    if (err == AG_OK) {
        err = encode_hex(span_of(opening, sizeof(opening)), &hex);
    }
    wipe(opening, sizeof(opening));
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "event", "receipt");
    emit_int(&e, "stream", (int64_t)s->number);
    if (err == AG_OK) {
        emit_span(&e, "receipt", buf_view(&line));
        emit_span(&e, "opening", buf_view(&hex));
    } else {
        emit_str(&e, "code", err_code(err));
        emit_str(&e, "detail", err_text(err));
    }
    emit_close(&e, '}');
    return emit_end(&e);
}

static void
send_receipt(struct stream *s)
{
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, MESSAGE_MAX_BYTES, BUF_WIPE); /* has the opening */
    if (s->receipt != NULL && s->ended_well && put_receipt(s, &out) == AG_OK) {
        conn_send(s->conn, &out);
    }
}

static void
settle(struct conn *c, struct stream *s)
{
    while (s != NULL) {
        struct stream *next = s->next_ended;
        const json_t *all = s->counts != NULL ? s->counts : s->counted;

        unlist(c, s);
        /* The record first: the peer may end its task when it hears. */
        if (all != NULL) {
            json_t *fresh = since(all, s->counted);

            handout_stream_ended(c->parts.core, &s->terms, all);
            handout_stream_hits(c->parts.core, &s->terms, fresh);
            json_decref(fresh);
        }
        tell_sights(s, true);
        send_receipt(s);
        conn_send(c, &s->report);
        stream_free(s);
        s = next;
    }
}

void
streams_settle(struct conn *c)
{
    struct stream *ended = take_ended(c, false);

    count_news(c);
    settle(c, ended);
}

void
streams_end(struct conn *c)
{
    struct pollfd pfd = {.fd = c->wake_fd, .events = POLLIN};
    int64_t end_ms = clock_steady_ms() + END_WAIT_MS;
    int64_t left_ms = END_WAIT_MS;

    for (const struct stream *s = c->streams; s != NULL; s = s->next) {
        /* One that can't be cancelled now ends with the filter. */
        (void)!filter_cancel(c->parts.filter, s->filter_id);
    }
    while (c->streams != NULL && left_ms > 0) {
        (void)poll(&pfd, 1, (int)left_ms);
        streams_settle(c);
        left_ms = end_ms - clock_steady_ms();
    }
    settle(c, take_ended(c, true));
}
