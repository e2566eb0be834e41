/*
 * incidents.h - what leaked, or may have: one row for a version of a secret
 * that was seen where it does not belong, or for a task that tripped a wire.
 * Floor: store. Depends on: store/row.
 *
 * Of a version, and of a task, one incident is open at a time. What is told of
 * it (`detail`) is JSON that core makes and reads; here it is sealed.
 */
#ifndef AG_STORE_INCIDENTS_H
#define AG_STORE_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct db_read;
struct db_tx;

enum {
    INCIDENT_DETAIL_MAX_BYTES = 16 * 1024, /* the newest sightings, a note */
    INCIDENT_CLOSED_MAX_COUNT = 1000,      /* closed ones; the record has all */
};

/* Numbers are in rows: never changed. */
enum incident_source {
    INCIDENT_OUTPUT = 1,   /* the filter found it in a task's output */
    INCIDENT_TRIPWIRE = 2, /* a placeholder was misused, or values guessed */
    INCIDENT_SAID = 3,     /* the operator said so */
    INCIDENT_REPORT = 4,   /* the same, by a report */
};

/* What follows, and what came of it. */
enum incident_answer {
    ANSWER_RECORD = 1, /* nothing by itself */
    ANSWER_HOLD = 2,   /* the secret is not handed out until it is closed */
    ANSWER_ROTATE = 3, /* is to be rotated by the broker, now */
    ANSWER_DONE = 4,   /* what leaked is good for nothing any more */
    ANSWER_FAILED = 5, /* the broker could not: a person is needed */
};

struct incident_row {
    int64_t id;
    int64_t secret_id; /* 0: of a task */
    int64_t version;   /* 0 then */
    int64_t task_id;   /* where it was first seen; 0: in none */
    enum incident_source source;
    enum incident_answer answer;
    int64_t seen_count;
    int64_t created_ms;
    int64_t changed_ms;
    int64_t closed_ms; /* 0: open */
    char *detail;      /* JSON object */
};

void incident_row_done(struct incident_row *row);
AG_DEFINE_CLEANUP_INPLACE(incident_row, incident_row_done)

/* Static texts: "output", "rotate", … */
const char *incident_source_text(enum incident_source source);
const char *incident_answer_text(enum incident_answer answer);

/* Errors: AG_ENOTFOUND, AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err incidents_get(struct db_read *r, int64_t id,
                                              struct incident_row *ret);

/* The open one of a version; with secret_id 0 that of a task. Errors:
 * AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err incidents_open_of(struct db_read *r,
                                                  const struct incident_row *of,
                                                  struct incident_row *ret);

typedef enum ag_err (*incidents_each_fn)(const struct incident_row *row,
                                         void *arg);
/* Newest first, at most `limit`; all, or the open ones alone. */
AG_CHECK enum ag_err incidents_each(struct db_read *r, bool open_only,
                                    int64_t limit, incidents_each_fn each,
                                    void *arg);

/* Ids of open ones with this answer, oldest first, at most `cap`; what they are
 * of goes along. */
struct incident_key {
    int64_t id;
    int64_t secret_id;
    int64_t version;
};
AG_CHECK AG_NONNULL enum ag_err
incidents_answered(struct db_read *r, enum incident_answer answer,
                   struct incident_key *out, size_t cap, size_t *ret_count);

AG_CHECK AG_NONNULL enum ag_err incidents_open_count(struct db_read *r,
                                                     uint64_t *ret);

/* Adds the row when its id is 0 (one open per version, and per task: the
 * schema's; old ones that were closed leave), else writes back all that may change. Times of the row but
 * closed_ms are set. */
AG_CHECK AG_NONNULL enum ag_err incidents_write(struct db_tx *tx,
                                                struct incident_row *row);

#endif
