/*
 * played.h - use cases and a filter that only note what is asked of them, for
 * tests of the room above; put in place by the linker (WRAP).
 */
#ifndef AG_TESTS_PLAYED_H
#define AG_TESTS_PLAYED_H

#include <fcntl.h>
#include <pthread.h>

#include <jansson.h>

#include "base/secret.h"
#include "common/check.h"
#include "core/handout.h"
#include "core/incident.h"
#include "privsep/filter.h"

enum {
    TASK = 77,
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct life_listener line;
    bool attached;
    int finished; /* exit code + 1 */
    int lost;
    int streams_ended;
    int64_t hits;
    int fresh;
    int seen; /* hits that may become incidents */
    enum filter_audience audience;
    char taken[64];
    uint64_t connection_ids[2];
    size_t id_count;
    struct filter_route routes[4];
    size_t route_count;
    size_t cancelled;
    bool deaf; /* a filter that does not obey */
} played = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER};

static inline void
lock(void)
{
    (void)pthread_mutex_lock(&played.lock);
}

static inline void
unlock(void)
{
    (void)pthread_cond_broadcast(&played.changed);
    (void)pthread_mutex_unlock(&played.lock);
}

/* Waits until *what is `want`. */
static inline void
wait_for(const int *what, int want)
{
    lock();
    while (*what != want) {
        (void)pthread_cond_wait(&played.changed, &played.lock);
    }
    unlock();
}

/* Of the same type as what they stand for, so that they keep up with it. */
__typeof__(handout_attach) __wrap_handout_attach;
__typeof__(handout_value) __wrap_handout_value;
__typeof__(handout_take) __wrap_handout_take;
__typeof__(handout_stream) __wrap_handout_stream;
__typeof__(handout_stream_ended) __wrap_handout_stream_ended;
__typeof__(handout_stream_hits) __wrap_handout_stream_hits;
__typeof__(handout_stream_seen) __wrap_handout_stream_seen;
__typeof__(handout_finish) __wrap_handout_finish;
__typeof__(handout_lost) __wrap_handout_lost;
__typeof__(handout_task_of) __wrap_handout_task_of;
__typeof__(filter_stream) __wrap_filter_stream;
__typeof__(filter_cancel) __wrap_filter_cancel;

enum ag_err
__wrap_handout_attach(struct core *core, const struct handout_line *on,
                      const char *ticket, const struct life_listener *line,
                      int64_t *ret_task_id)
{
    (void)core;
    (void)on;
    if (strcmp(ticket, "life") != 0) {
        return AG_ETICKET;
    }
    lock();
    played.line = *line;
    played.attached = true;
    unlock();
    *ret_task_id = TASK;
    return AG_OK;
}

enum ag_err
__wrap_handout_value(struct core *core, const struct handout_line *on,
                     const char *ticket, struct secret **ret)
{
    (void)core;
    lock();
    played.connection_ids[played.id_count++ % 2] = on->connection_id;
    unlock();
    return strcmp(ticket, "value") == 0 ? secret_from(span_str("s3cret"), ret)
                                        : err_why(AG_EGRADE, "not by this way");
}

enum ag_err
__wrap_handout_take(struct core *core, const struct handout_line *on,
                    const char *ticket, const struct secret *content,
                    struct take_result *ret)
{
    struct span got = secret_view(content);

    (void)core;
    (void)on;
    (void)ticket;
    (void)snprintf(played.taken, sizeof(played.taken), "%.*s", (int)got.len,
                   (const char *)got.ptr);
    *ret = (struct take_result){.version = 5, .changed = true};
    return AG_OK;
}

enum ag_err
__wrap_handout_stream(struct core *core, const struct handout_line *on,
                      const char *ticket, enum filter_audience audience,
                      struct stream_terms *ret)
{
    (void)core;
    (void)on;
    *ret = (struct stream_terms){.audience = audience, .task_id = TASK};
    return strcmp(ticket, "stream") == 0 ? AG_OK : AG_ETICKET;
}

void
__wrap_handout_stream_ended(struct core *core, const struct stream_terms *terms,
                            const json_t *counts)
{
    const char *name = NULL;
    json_t *count = NULL;

    (void)core;
    assert_int_equal(terms->task_id, TASK);
    lock();
    played.streams_ended++;
    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        played.hits += json_integer_value(count);
    }
    unlock();
}

void
__wrap_handout_stream_hits(struct core *core, const struct stream_terms *terms,
                           const json_t *fresh)
{
    const char *name = NULL;
    json_t *count = NULL;

    (void)core;
    lock();
    json_object_foreach((json_t *)(uintptr_t)fresh, name, count)
    {
        played.fresh += (int)json_integer_value(count);
    }
    played.audience = terms->audience;
    unlock();
}

void
__wrap_handout_stream_seen(struct core *core, const struct stream_terms *terms,
                           const struct incident_sight *sights, size_t count)
{
    (void)core;
    (void)terms;
    lock();
    for (size_t i = 0; i < count; i++) {
        played.seen += (int)sights[i].count;
    }
    unlock();
}

enum ag_err
__wrap_handout_finish(struct core *core, int64_t task_id, int exit_code,
                      json_t **ret)
{
    (void)core;
    assert_int_equal(task_id, TASK);
    played.line.ended(played.line.arg, "done"); /* as every end is told */
    lock();
    played.finished = exit_code + 1;
    *ret = json_pack("{s:s, s:I, s:[]}", "task", "77", "hits",
                     (json_int_t)played.hits, "exposed");
    (void)pthread_cond_broadcast(&played.changed);
    unlock();
    return AG_OK;
}

/* Which task's tree every caller is in; see the test of greedy tasks. */
static int64_t played_tree_id;

int64_t
__wrap_handout_task_of(struct core *core, const struct peer *peer)
{
    (void)core;
    (void)peer;
    return played_tree_id;
}

void
__wrap_handout_lost(struct core *core, int64_t task_id)
{
    (void)core;
    assert_int_equal(task_id, TASK);
    lock();
    played.lost++;
    unlock();
}

/* ---- the filter, played ---- */

enum ag_err
__wrap_filter_stream(struct filter *f, const struct filter_route *route,
                     uint64_t *ret_stream)
{
    (void)f;
    assert_true(fcntl(route->src_fd, F_GETFD) & FD_CLOEXEC);
    lock();
    played.routes[played.route_count] = *route;
    *ret_stream = 1000 + played.route_count++;
    unlock();
    return AG_OK;
}

static inline void
end_stream(size_t route, enum ag_err result)
{
    static const struct filter_count COUNTS[] = {
        {.name = "a/b", .form = "raw", .count = 2, .first_offset = 10},
        {.name = "c", .form = "hex", .count = 1, .first_offset = 0},
        {.name = "a/b", .form = "base64", .count = 3, .first_offset = 99},
    };
    const struct filter_report report = {
        .stream = 1000 + route,
        .result = result,
        .bytes_in = 500,
        .bytes_out = 400,
        .hits = 6,
        .counts = COUNTS,
        .count_count = AG_COUNT(COUNTS),
    };

    played.routes[route].ended(played.routes[route].arg, &report);
}

/* Two of the first. */
static inline void
some_hits(size_t route)
{
    const struct filter_count count = {
        .name = "a/b", .form = "raw", .count = 2};
    const struct filter_report report = {
        .hits = 2, .counts = &count, .count_count = 1};

    played.routes[route].hits(played.routes[route].arg, &report);
}

/* One more, for which these counts have no row. */
static inline void
a_hit_of_the_rest(size_t route)
{
    const struct filter_count first = {
        .name = "a/b", .form = "raw", .count = 2};
    const struct filter_count other = {
        .id = 1, .name = "d", .form = "raw", .count = 1};
    struct filter_report report = {
        .hits = 1, .counts = &other, .count_count = 1};

    played.routes[route].rest(played.routes[route].arg, &report);
    report =
        (struct filter_report){.hits = 3, .counts = &first, .count_count = 1};
    played.routes[route].hits(played.routes[route].arg, &report);
}

/* It says nothing of what it had told. */
static inline void
die(size_t route)
{
    const struct filter_report report = {.result = AG_EFILTER};

    played.routes[route].ended(played.routes[route].arg, &report);
}

enum ag_err
__wrap_filter_cancel(struct filter *f, uint64_t stream)
{
    (void)f;
    played.cancelled++;
    if (!played.deaf) {
        end_stream((size_t)(stream - 1000), AG_EREVOKED);
    }
    return AG_OK;
}

#endif
