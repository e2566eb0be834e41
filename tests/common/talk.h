/*
 * talk.h - one upstream call as a test sees it: what it sends by script, what
 * it was told, and waiting until it ended.
 */
#ifndef AG_TESTS_TALK_H
#define AG_TESTS_TALK_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/check.h"
#include "common/service.h"
#include "upstream/upstream.h"

enum {
    TALK_BODY_BYTES = 64 * 1024, /* as much of an answer as is kept */
    TALK_FIELDS_MAX_COUNT = 16,
};

struct talk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct upstream_call *call;
    struct upstream_request request;
    struct upstream_field fields[TALK_FIELDS_MAX_COUNT];
    struct upstream_times times;

    /* what is sent: `say`, or that many bytes of a pattern */
    const char *say;
    int64_t give_bytes;
    int64_t given_bytes;
    atomic_bool hold_send;
    atomic_bool hold_body;
    atomic_int held_count; /* how often WAIT was said */
    void (*on_part)(struct talk *t, struct span part);

    int status;
    size_t field_count;
    char head[8192]; /* name: value\n… */
    char body[TALK_BODY_BYTES + 1];
    size_t body_len;
    int64_t got_bytes;
    bool pattern_broken;
    char trailers[512];
    bool ended;
    int ends;
    enum ag_err err;
    char why[512];
};

static inline void
talk_changed(struct talk *t)
{
    (void)pthread_mutex_lock(&t->lock);
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static inline enum upstream_flow
talk_wait_said(struct talk *t)
{
    atomic_fetch_add(&t->held_count, 1);
    talk_changed(t);
    return UPSTREAM_WAIT;
}

static inline enum upstream_flow
talk_on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct talk *t = ctx;
    int64_t left = t->give_bytes - t->given_bytes;
    size_t len = left < (int64_t)room ? (size_t)left : room;

    if (atomic_load(&t->hold_send)) {
        return talk_wait_said(t);
    }
    for (size_t i = 0; i < len; i++) {
        size_t at = (size_t)t->given_bytes + i;

        into[i] = (uint8_t)(t->say != NULL ? t->say[at] : (char)at);
    }
    t->given_bytes += (int64_t)len;
    *ret_len = len;
    return UPSTREAM_GO;
}

static inline void
talk_print(char *out, size_t cap, const struct upstream_field *fields,
           size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count && at < cap; i++) {
        at += (size_t)snprintf(
            out + at, cap - at, "%.*s: %.*s\n", (int)fields[i].name.len,
            (const char *)fields[i].name.ptr, (int)fields[i].value.len,
            (const char *)fields[i].value.ptr);
    }
}

static inline void
talk_on_head(void *ctx, const struct upstream_head *head)
{
    struct talk *t = ctx;

    (void)pthread_mutex_lock(&t->lock);
    assert_int_equal(t->status, 0);
    assert_false(t->ended);
    t->status = head->status;
    t->field_count = head->field_count;
    talk_print(t->head, sizeof(t->head), head->fields, head->field_count);
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static inline enum upstream_flow
talk_on_body(void *ctx, struct span part)
{
    struct talk *t = ctx;
    size_t room = TALK_BODY_BYTES - t->body_len;
    size_t len = part.len < room ? part.len : room;

    if (atomic_load(&t->hold_body)) {
        return talk_wait_said(t);
    }
    (void)pthread_mutex_lock(&t->lock);
    memcpy(t->body + t->body_len, part.ptr, len);
    t->body_len += len;
    t->body[t->body_len] = '\0';
    for (size_t i = 0; i < part.len; i += 997) {
        t->pattern_broken |=
            part.ptr[i] != (uint8_t)((uint64_t)t->got_bytes + i);
    }
    t->got_bytes += (int64_t)part.len;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    if (t->on_part != NULL) {
        t->on_part(t, part);
    }
    return UPSTREAM_GO;
}

static inline void
talk_on_trailers(void *ctx, const struct upstream_field *fields, size_t count)
{
    struct talk *t = ctx;

    talk_print(t->trailers, sizeof(t->trailers), fields, count);
}

static inline void
talk_on_end(void *ctx, enum ag_err err)
{
    struct talk *t = ctx;

    (void)pthread_mutex_lock(&t->lock);
    t->ended = true;
    t->ends++;
    t->err = err;
    (void)snprintf(t->why, sizeof(t->why), "%s", err_text(err));
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static const struct upstream_events TALK_EVENTS = {
    .on_send = talk_on_send,
    .on_head = talk_on_head,
    .on_body = talk_on_body,
    .on_trailers = talk_on_trailers,
    .on_end = talk_on_end,
};

/* A GET of `target` at localhost, inner hosts allowed; changed at will before
 * talk_start(). The talk is the caller's, to be given to talk_done(). */
static inline struct talk *
talk_new(uint16_t port, const char *target)
{
    struct talk *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    t->request = (struct upstream_request){
        .method = span_str("GET"),
        .host = span_str("localhost"),
        .port = port,
        .target = span_str(target),
        .fields = t->fields,
        .body_bytes = UPSTREAM_BODY_NONE,
        .flags = UPSTREAM_INNER,
    };
    if (port == service.plain) {
        t->request.flags |= UPSTREAM_PLAIN;
    }
    return t;
}

static inline void
talk_field(struct talk *t, const char *name, const char *value)
{
    assert_true(t->request.field_count < TALK_FIELDS_MAX_COUNT);
    t->fields[t->request.field_count++] = (struct upstream_field){
        .name = span_str(name), .value = span_str(value), .secret = true};
}

/* A POST of `say`, or of `bytes` of the pattern; bytes < 0: chunked. */
static inline void
talk_post(struct talk *t, const char *say, int64_t bytes, bool chunked)
{
    t->request.method = span_str("POST");
    t->say = say;
    t->give_bytes = say != NULL ? (int64_t)strlen(say) : bytes;
    t->request.body_bytes = chunked ? UPSTREAM_BODY_CHUNKED : t->give_bytes;
}

static inline void
talk_start(struct upstream *u, struct talk *t)
{
    check_ok(upstream_start(u, &t->request, &TALK_EVENTS, t, &t->call));
}

static inline void
talk_wait_end(struct talk *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (!t->ended) {
        (void)pthread_cond_wait(&t->changed, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

/* Has it ended, or does it within these milliseconds? */
static inline bool
talk_ends_within(struct talk *t, int wait_ms)
{
    struct timespec until;
    bool ended;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += wait_ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&t->lock);
    if (!t->ended) {
        (void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
    }
    ended = t->ended;
    (void)pthread_mutex_unlock(&t->lock);
    return ended;
}

static inline void
talk_wait_head(struct talk *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->status == 0 && !t->ended) {
        (void)pthread_cond_wait(&t->changed, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

static inline void
talk_wait_bytes(struct talk *t, int64_t bytes)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->got_bytes < bytes && !t->ended) {
        (void)pthread_cond_wait(&t->changed, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

static inline void
talk_wait_held(struct talk *t, int count)
{
    (void)pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->held_count) < count && !t->ended) {
        (void)pthread_cond_wait(&t->changed, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

static inline void
talk_free(struct talk *t)
{
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Ends it, checks that it ended at most once, and frees it. */
static inline void
talk_done(struct talk *t)
{
    upstream_cancel(t->call);
    assert_true(t->ends <= 1);
    talk_free(t);
}

/* Start, wait, and the end must be this one, its sentence holding `says`. */
static inline void
talk_run(struct upstream *u, struct talk *t, enum ag_err want, const char *says)
{
    talk_start(u, t);
    talk_wait_end(t);
    if (t->err != want || (says != NULL && strstr(t->why, says) == NULL)) {
        fail_msg("%.*s: %s (%s), not %s (%s)", (int)t->request.target.len,
                 (const char *)t->request.target.ptr, err_code(t->err), t->why,
                 err_code(want), says == NULL ? "" : says);
    }
}

static inline struct upstream *
talk_upstream(void)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *u = NULL;

    check_ok(upstream_new(&limits, service.ca, &u));
    return u;
}

#endif
