/*
 * incident_impl.h - what the files of incidents share: opening (incident.c),
 * showing (incident_show.c), answering (incident_answer.c).
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_INCIDENT_IMPL_H
#define AG_CORE_INCIDENT_IMPL_H

#include "core/incident.h"
#include "store/incidents.h"

struct responder;
struct secret_row;

/* One sighting, to be put to the open incident or to a new one. */
struct sighting {
    const struct call *call;         /* NULL: the broker itself */
    const struct secret_row *secret; /* NULL: of a task */
    int64_t version;
    int64_t task_id;
    enum incident_source source;
    const char *where; /* "output", "disk", … */
    const char *what;  /* the form, or a code; NULL: none */
    const char *note;  /* NULL: none */
    int64_t count;
    bool is_sure;
};

/* Opens an incident, or counts it to the one that is open. What is sure changes
 * what was only recorded; what the broker did stays. Writer. */
AG_CHECK AG_NONNULL enum ag_err incident_put(struct db_tx *tx,
                                             const struct sighting *s,
                                             struct incident_row *ret,
                                             bool *ret_new);

/* The thread that rotates what leaked. It is started when it is needed first. */
AG_CHECK AG_NONNULL enum ag_err responder_new(struct core *core,
                                              struct responder **ret);
/* Waits for a rotation under way. NULL is allowed. */
void responder_free(struct responder *r);

/* Is something to be rotated? Then that thread will do it. Threads: any. */
AG_NONNULL void responder_wake_if_due(struct core *core, struct db_read *r);

/* What the rows say is done: held from now on, and rotated soon. After the
 * commit; blocks no longer than a read. */
AG_NONNULL void incident_follow(struct core *core);

/* The row of an id as it stands in the API. Errors: AG_EINVAL, AG_ENOTFOUND
 * with a sentence. */
AG_CHECK AG_NONNULL enum ag_err
incident_numbered(struct db_read *r, const char *id, struct incident_row *ret);

/* Its detail as a tree, the caller's. */
AG_CHECK AG_NONNULL enum ag_err incident_detail(const struct incident_row *row,
                                                json_t **ret);

/* What an incident says is to be rotated, as incident_rotate_of_task(). */
AG_CHECK AG_NONNULL enum ag_err
incident_to_rotate(struct db_read *r, const struct incident_row *row,
                   json_t *list);

/* Writes the row back with this answer, and that on the record. Writer. */
AG_CHECK enum ag_err incident_answered(struct db_tx *tx,
                                       const struct call *call,
                                       struct incident_row *row,
                                       const json_t *detail, json_t *body);

#endif
