/*
 * running.h - the tasks that run now: what was promised to each, who listens
 * for its end, until when it may last.
 * Floor: core. Depends on: policy/grant, base/parse.
 */
#ifndef AG_CORE_RUNNING_H
#define AG_CORE_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "caller/tree.h"
#include "core/handout.h"
#include "core/tasks.h"
#include "policy/grant.h"

struct grant_set;
struct parts;
struct profile;
struct proxied;
struct running_table;

/* One value promised to a task: redeemed by a ticket that holds its index. */
struct delivery {
    int64_t secret_id;
    char field[GRANT_FIELD_BYTES]; /* RFC 6901; empty: the whole */
    enum verb verb;                /* VERB_ENV, VERB_FILE or VERB_PROXY */
    const struct profile *profile; /* NULL: none; lives as long as profiles */
    size_t file_index;             /* of the profile */
    bool watch;                    /* the tool rewrites it: write-back */
    bool single_holder;
    int64_t lease_id; /* 0 until delivered */
    int64_t version;
};

enum {
    /* More than a task makes at a time; of all tasks together the filter keeps
     * FILTER_SPARE_MAX_COUNT, so a few greedy ones do not push out the rest. */
    RUNNING_HIDDEN_COUNT = 16,
    RUNNING_HIDDEN_MS = 1000, /* the least that each of them stays */
};

struct running {
    int64_t id;
    int64_t deadline_ms;  /* wall clock */
    int64_t attach_by_ms; /* steady clock; 0 once attached */
    struct life_listener line;
    bool attached;
    bool ending;              /* told to end; waits for its line to close */
    int64_t hits;             /* of the filter, all streams */
    struct grant_set *grants; /* a reference of its own */
    struct proxied *proxied;  /* the same; NULL: nothing */
    int64_t strays;           /* placeholders where none belongs */
    int64_t token_id;         /* its first token, in the redaction set */
    /* The newest of its other tokens that are there too; a ring. */
    int64_t hidden[RUNNING_HIDDEN_COUNT];
    int64_t hidden_ms[RUNNING_HIDDEN_COUNT]; /* steady clock: since when */
    size_t hidden_next;
    /* What the task asked the filter by itself (core/tripwire.h). */
    int64_t foreign_hits;
    int64_t asked_window_ms; /* steady clock: when the count below began */
    int asked_count;
    size_t delivery_count;
    struct delivery deliveries[TASK_DELIVERIES_MAX_COUNT];
    struct parts *parts[TASK_DELIVERIES_MAX_COUNT]; /* NULL: no document */
};

AG_CHECK AG_NONNULL enum ag_err running_new(struct running_table **ret);
void running_free(struct running_table *table);
AG_DEFINE_CLEANUP(running_table, running_free)

/* Threads: all safe. Copies `task` and takes over its references on grants and
 * proxied, also on error. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err running_add(struct running_table *table,
                                            const struct running *task);
AG_NONNULL void running_remove(struct running_table *table, int64_t id);

AG_NONNULL bool running_is_attached(struct running_table *table, int64_t id);

/* A copy of one delivery. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err running_delivery(struct running_table *table,
                                                 int64_t id, size_t index,
                                                 struct delivery *ret);
/* The same, with the field that placeholder `part` of it stands for. Errors:
 * AG_ENOTFOUND there is no such placeholder. */
AG_CHECK AG_NONNULL enum ag_err running_part(struct running_table *table,
                                             int64_t id, size_t index,
                                             size_t part, struct delivery *ret);

/* The document's fields are these now. Takes `parts` over, also on error.
 * Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err running_set_parts(struct running_table *table,
                                                  int64_t id, size_t index,
                                                  struct parts *parts);

/* What the task may send; one reference to it. Errors: AG_EREVOKED it has ended
 * or was told to. */
AG_CHECK AG_NONNULL enum ag_err
running_proxied(struct running_table *table, int64_t id, struct proxied **ret);

/* Does a grant of the task's own (no token's below it) name this secret, not by
 * a pattern, to be read? */
AG_NONNULL bool running_names(struct running_table *table, int64_t id,
                              const char *secret);

/* One more placeholder where none belongs; the sum so far. */
AG_NONNULL int64_t running_stray(struct running_table *table, int64_t id);

AG_NONNULL void running_delivered(struct running_table *table, int64_t id,
                                  size_t index, int64_t lease_id,
                                  int64_t version);

/* Errors: AG_ENOTFOUND; AG_ECONFLICT it has a line already. */
AG_CHECK AG_NONNULL enum ag_err
running_attach(struct running_table *table, int64_t id,
               const struct life_listener *line);

/* Marks it as ending and tells its line, once. False: not there, or told. */
AG_NONNULL bool running_tell(struct running_table *table, int64_t id,
                             const char *reason);
AG_NONNULL void running_hit(struct running_table *table, int64_t id,
                            int64_t hits);
AG_NONNULL int64_t running_hits(struct running_table *table, int64_t id);

/*
 * Is this token of the task to be in the redaction set? Then *ret_out is the
 * one that must go for it, or 0. False: the task does not run, or makes more
 * than RUNNING_HIDDEN_COUNT in RUNNING_HIDDEN_MS: not to be read by anybody.
 */
AG_CHECK AG_NONNULL bool running_hide(struct running_table *table, int64_t id,
                                      int64_t token_id, int64_t steady_ms,
                                      int64_t *ret_out);

/* Those that are there now, its first one among them. */
AG_NONNULL size_t running_hidden(struct running_table *table, int64_t id,
                                 int64_t ids[RUNNING_HIDDEN_COUNT + 1]);

/* One question of the task's to the filter: AG_ERATE when there were `max_count`
 * in this window already; AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err running_ask(struct running_table *table,
                                            int64_t id, int64_t steady_ms,
                                            int max_count, int64_t window_ms);

/* Adds hits of the task's own questions on values that no grant of it covers;
 * `names` are the secrets hit. Returns the sum so far. */
struct named_hits {
    const char *name;
    int64_t count;
};

AG_NONNULL int64_t running_foreign(struct running_table *table, int64_t id,
                                   const struct named_hits *hits, size_t count);

/* The task that holds a login alone, or 0. */
AG_NONNULL int64_t running_holder(struct running_table *table,
                                  int64_t secret_id);

/* Those past their deadline, or never attached in time; at most cap. */
AG_NONNULL size_t running_expired(struct running_table *table, int64_t wall_ms,
                                  int64_t steady_ms, int64_t *ids, size_t cap);
AG_NONNULL size_t running_ids(struct running_table *table, int64_t *ids,
                              size_t cap);

/* Those that were told their end and still have processes. */
AG_NONNULL size_t running_ending(struct running_table *table, int64_t *ids,
                                 size_t cap);

/* The next time running_expired() may say more; INT64_MAX: never. Both clocks
 * as given, the result on the steady one. */
AG_NONNULL int64_t running_next_ms(struct running_table *table, int64_t wall_ms,
                                   int64_t steady_ms);

#endif
