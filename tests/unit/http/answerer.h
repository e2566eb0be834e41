/*
 * answerer.h - who answers passed requests, for tests: one thread of its own
 * stands for all services and does as the path says, or as it likes.
 */
#ifndef AG_TESTS_UNIT_HTTP_ANSWERER_H
#define AG_TESTS_UNIT_HTTP_ANSWERER_H

#include "http/pass.h"
#include "unit/http/serve.h"

/* What a request wants to happen to it: a letter each, in its target's query. */
enum {
    WANTS_BLOCK = 'b',  /* decided only by who may block */
    WANTS_REFUSE = 'r', /* AG_EPATH */
    WANTS_EARLY = 'e',  /* answered at once, not when the body was taken */
    WANTS_SHORT = 's',  /* no more of a body than a KiB at a time */
    WANTS_FAIL = 'f',   /* fails when it has its first bytes of a body */
    WANTS_NEVER = 'n',  /* no answer */
    WANTS_ENDLESS = 'w' /* an answer without an end */
};

struct asked {
    LIST_ENTRY(asked) link;
    struct pass *pass;
    char wants[64];
    int64_t body_bytes;
    /* Under the list's lock, which stands for the flight's too. */
    size_t got_bytes;
    size_t room;
    bool taken;
    bool answered;
    bool cut;
    size_t left; /* of the answer */
};

static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    atomic_bool stops;
    LIST_HEAD(, asked) all;
    atomic_bool restless; /* wakes whom it likes, and waits while it decides */
    atomic_bool unwanted;
    /* Counted; got_bytes is of the latest request. */
    atomic_int begun;
    atomic_int ended;
    atomic_int taken;
    atomic_int cut;
    atomic_size_t got_bytes;
} answerer;

static bool
wants(const struct asked *a, int what)
{
    return strchr(a->wants, what) != NULL;
}

static void
answer_one(struct asked *a)
{
    const struct request_field field = {span_str("X-Answer"), span_str("yes")};
    const struct pass_answer answer = {.status = 200,
                                       .body_bytes = PASS_BODY_CHUNKED,
                                       .fields = &field,
                                       .field_count = 1};

    if (wants(a, WANTS_FAIL) && a->got_bytes > 0) {
        pass_fail(a->pass, AG_EPLACE, "as it was told");
    } else if (!a->answered && !a->cut && !wants(a, WANTS_NEVER) &&
               (a->taken || wants(a, WANTS_EARLY))) {
        a->answered = true;
        pass_answer(a->pass, &answer);
    }
    a->room = 1024;
    pass_wake(a->pass);
}

static void *
answer_all(void *arg)
{
    (void)arg;
    while (!atomic_load(&answerer.stops)) {
        struct asked *a = NULL;

        (void)pthread_mutex_lock(&answerer.lock);
        LIST_FOREACH(a, &answerer.all, link)
        {
            answer_one(a);
        }
        (void)pthread_mutex_unlock(&answerer.lock);
        (void)poll(NULL, 0, atomic_load(&answerer.restless) ? 0 : 1);
    }
    return NULL;
}

static enum ag_err
on_begin(void *ctx, struct pass *pass, const struct pass_head *head,
         bool may_block, void **ret)
{
    size_t mark = span_find(head->target, '?');
    struct span query = span_sub(head->target, mark + 1, head->target.len);
    struct asked *a = calloc(1, sizeof(*a));

    (void)ctx;
    AG_ASSERT(a != NULL);
    (void)snprintf(a->wants, sizeof(a->wants), "%.*s", (int)query.len,
                   (const char *)query.ptr);
    a->pass = pass;
    a->body_bytes = head->body_bytes;
    a->left = 100;
    if ((wants(a, WANTS_BLOCK) && !may_block) || wants(a, WANTS_REFUSE)) {
        enum ag_err err = wants(a, WANTS_BLOCK) && !may_block
                              ? AG_EBLOCKS
                              : err_why(AG_EPATH, "as it was told");

        free(a);
        return err;
    }
    atomic_fetch_add(&answerer.begun, 1);
    (void)pthread_mutex_lock(&answerer.lock);
    LIST_INSERT_HEAD(&answerer.all, a, link);
    (void)pthread_mutex_unlock(&answerer.lock);
    if (may_block && atomic_load(&answerer.restless)) {
        (void)poll(NULL, 0, 2); /* what is sent may be answered by now */
    }
    *ret = a;
    return AG_OK;
}

static size_t
on_take(void *state, struct span part)
{
    struct asked *a = state;
    size_t n = part.len;

    (void)pthread_mutex_lock(&answerer.lock);
    if (wants(a, WANTS_SHORT) && !a->cut) {
        n = a->room < n ? a->room : n;
        a->room -= n;
    }
    a->got_bytes += n;
    atomic_store(&answerer.got_bytes, a->got_bytes);
    (void)pthread_mutex_unlock(&answerer.lock);
    return n;
}

static void
on_taken(void *state)
{
    struct asked *a = state;

    atomic_fetch_add(&answerer.taken, 1);
    (void)pthread_mutex_lock(&answerer.lock);
    AG_ASSERT(!a->taken);
    AG_ASSERT(a->body_bytes < 0 || a->got_bytes == (size_t)a->body_bytes);
    a->taken = true;
    (void)pthread_mutex_unlock(&answerer.lock);
}

static ssize_t
on_give(void *state, uint8_t *into, size_t room)
{
    struct asked *a = state;
    ssize_t n = PASS_WAIT;

    (void)pthread_mutex_lock(&answerer.lock);
    if (a->cut) {
        n = PASS_BROKEN;
    } else if (a->left == 0) {
        n = PASS_END;
    } else if (a->room > 0) { /* so that it waits in between */
        n = (ssize_t)(a->left < room ? a->left : room);
        n = n > 10 ? 10 : n;
        memset(into, 'a', (size_t)n);
        a->left -= wants(a, WANTS_ENDLESS) ? 0 : (size_t)n;
        a->room = 0;
    }
    (void)pthread_mutex_unlock(&answerer.lock);
    return n;
}

static bool
on_wanted(void *state)
{
    (void)state;
    return !atomic_load(&answerer.unwanted);
}

static void
on_cut(void *state)
{
    struct asked *a = state;

    (void)pthread_mutex_lock(&answerer.lock);
    if (!a->cut) {
        atomic_fetch_add(&answerer.cut, 1);
    }
    a->cut = true;
    pass_fail(a->pass, AG_EREVOKED, "cut");
    (void)pthread_mutex_unlock(&answerer.lock);
}

static void
on_end(void *state)
{
    struct asked *a = state;

    (void)pthread_mutex_lock(&answerer.lock);
    LIST_REMOVE(a, link);
    (void)pthread_mutex_unlock(&answerer.lock);
    free(a);
    atomic_fetch_add(&answerer.ended, 1);
}

static const struct pass_app ANSWERER = {
    .ctx = &answerer,
    .begin = on_begin,
    .take = on_take,
    .taken = on_taken,
    .give = on_give,
    .wanted = on_wanted,
    .cut = on_cut,
    .end = on_end,
};

static inline void
answerer_start(const struct http_limits *limits)
{
    memset(&answerer, 0, sizeof(answerer));
    (void)pthread_mutex_init(&answerer.lock, NULL);
    LIST_INIT(&answerer.all);
    assert_int_equal(pthread_create(&answerer.thread, NULL, answer_all, NULL),
                     0);
    serve_pass = &ANSWERER;
    serve_start(limits);
}

static inline void
answerer_end(void)
{
    serve_end();
    assert_int_equal(atomic_load(&answerer.begun),
                     atomic_load(&answerer.ended));
    atomic_store(&answerer.stops, true);
    assert_int_equal(pthread_join(answerer.thread, NULL), 0);
}

static inline int
answerer_setup(void **state)
{
    (void)state;
    answerer_start(NULL);
    return 0;
}

static inline int
answerer_teardown(void **state)
{
    (void)state;
    answerer_end();
    return 0;
}

#endif
