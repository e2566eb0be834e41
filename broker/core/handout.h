/*
 * handout.h - what fd.sock does: tickets are redeemed, values go out as
 * descriptors' content, files come in, a task lives as long as its line.
 * Floor: core. Depends on: core/tickets, core/tasks, core/moves.
 *
 * Every function here may block (it waits for the writer) and is called from
 * handover's threads.
 */
#ifndef AG_CORE_HANDOUT_H
#define AG_CORE_HANDOUT_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "core/core.h"
#include "privsep/filter.h"

struct incident_sight;
struct peer;
struct secret;

/* One connection of fd.sock: the number is never used for two of them. */
struct handout_line {
    struct peer *peer;
    uint64_t connection_id;
};

/*
 * The line of a task. `ended` is called at most once, from any thread, when
 * the task ends for another reason than its own; it must not block and must
 * not call back into core. reason: "expired", "revoked", "locked", "filter",
 * "broker". The listener is kept until handout_finish() or handout_lost().
 */
struct life_listener {
    void (*ended)(void *arg, const char *reason);
    void *arg;
};
AG_CHECK AG_NONNULL enum ag_err handout_attach(struct core *core,
                                               const struct handout_line *on,
                                               const char *ticket,
                                               const struct life_listener *line,
                                               int64_t *ret_task_id);

/* A value for `deliver`: durable on the record before it returns. */
AG_CHECK AG_NONNULL enum ag_err handout_value(struct core *core,
                                              const struct handout_line *on,
                                              const char *ticket,
                                              struct secret **ret);

/* The running task whose tree a caller is in, or 0. Threads: any. */
AG_NONNULL int64_t handout_task_of(struct core *core, const struct peer *peer);

/* What came in by `take`: adopt's content, a check of an open move, or a
 * write-back. Durable and in the redaction set before it returns. */
struct take_result {
    int64_t version;
    bool changed;  /* false: the same bytes as before (for a check: they differ
                     from the sealed ones when true) */
    bool retained; /* a write-back that is kept, but is not the current one */
    char name[NAME_MAX_BYTES + 1]; /* of its secret; "": nothing was stored */
    bool replace; /* of a proxied file: it has values of its own; what belongs
                      there is delivered anew */
};
AG_CHECK AG_NONNULL enum ag_err handout_take(struct core *core,
                                             const struct handout_line *on,
                                             const char *ticket,
                                             const struct secret *content,
                                             struct take_result *ret);

/* A stream's terms, for the audience that is wished, or a task's where a task
 * asked for it: audience and the task its hits are put to (0: none). */
struct stream_terms {
    enum filter_audience audience;
    enum filter_rules rules; /* as who sends the stream asks for */
    bool places;             /* the same */
    enum format format;      /* the same */
    int64_t task_id;
    bool is_output; /* of that task, as its supervisor relays it; else it, or a
                       person, asked for it to be redacted */
    char marker[64];
};
AG_CHECK AG_NONNULL enum ag_err handout_stream(struct core *core,
                                               const struct handout_line *on,
                                               const char *ticket,
                                               enum filter_audience audience,
                                               struct stream_terms *ret);

/* Hits of an ended stream, for the record: counts is {"NAME": n, …}. */
AG_NONNULL void handout_stream_ended(struct core *core,
                                     const struct stream_terms *terms,
                                     const json_t *counts);

/* New hits, while it runs and at its end: what a task can read back counts as
 * asked by it (core/tripwire.h). NULL: none could be told. May block. */
void handout_stream_hits(struct core *core, const struct stream_terms *terms,
                         const json_t *fresh);

/* Values that stand in the output of a task, as its supervisor relays it: that
 * is an incident (core/incident.h). What a person, or the task itself, has
 * redacted is none. May block. */
AG_NONNULL void handout_stream_seen(struct core *core,
                                    const struct stream_terms *terms,
                                    const struct incident_sight *sights,
                                    size_t count);

/* The supervisor says the command ended; or its line broke. Both end the task
 * durably. *ret of finish: {task, hits, exposed: […]}. */
AG_CHECK AG_NONNULL enum ag_err
handout_finish(struct core *core, int64_t task_id, int exit_code, json_t **ret);
AG_NONNULL void handout_lost(struct core *core, int64_t task_id);

/* POST /v1/streams: tickets for `auth-guard redact`. *ret: {streams: […]}. */
AG_CHECK AG_NONNULL enum ag_err handout_streams(struct core *core,
                                                const struct call *call,
                                                size_t count, json_t **ret);

#endif
