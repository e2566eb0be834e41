/*
 * incident.h - what leaked, or may have: opened by the filter, by a tripwire or
 * by the operator's word; shown with who could have seen it and what it
 * reaches; answered as the secret's rule says.
 * Floor: core. Depends on: core/call, store/incidents, store/exposure.
 *
 * The rule is a member of the secret's sealed description, "on_leak": absent
 * (record), "hold" or "rotate". Only what is sure (sure.h) is acted on. The rest
 * is a guess of the filter's, or of a task that tries some: it is recorded. A task
 * learns nothing of any of it but that it is given no more.
 */
#ifndef AG_CORE_INCIDENT_H
#define AG_CORE_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct call;
struct core;
struct db_read;
struct db_tx;
struct secret_row;

enum {
    INCIDENT_NAMES_MAX_COUNT = 256, /* of one report */
    INCIDENT_LIST_MAX_COUNT = 200,  /* of one answer */
    INCIDENT_NOTE_MAX_BYTES = 512,
    INCIDENT_KEEP_COUNT = 16, /* sightings: the first, and the newest */
};

/* Hits of the filter on one entry of the set, in one form. */
struct incident_sight {
    uint64_t value_id; /* the filter's */
    const char *form;  /* static */
    bool is_sure;      /* one of the forms that the filter vouches for */
    int64_t count;
};

/* A running task's output had these. Nothing is returned: the output is
 * redacted all the same. Blocks. */
AG_NONNULL void incident_seen(struct core *core, int64_t task_id,
                              const struct incident_sight *sights,
                              size_t count);

/*
 * A task tripped a wire: `why` is the code, `where` it was ("proxy", "disk",
 * "redact"). What it could have seen is in doubt. Writer. Task 0, or one that
 * is not there: AG_OK, nothing is done.
 */
AG_CHECK AG_NONNULL enum ag_err incident_tripped(struct db_tx *tx,
                                                 int64_t task_id,
                                                 const char *why,
                                                 const char *where);

struct leaked_request { /* names, or those of a receipt */
    const char *const *names;
    size_t name_count;
    int64_t version;         /* 0: the current one; only with one name */
    bool is_report;          /* as a report says; else as a person does */
    const char *note;        /* or NULL */
    const char *receipt;     /* a line of this vault's; or NULL */
    const char *fingerprint; /* of it this one alone; NULL: all */
};

/* POST /v1/incidents. *ret: {incidents: [{incident, secret, version, new,
 * answer}]}. All or none are opened. Blocks. Errors: AG_ENOTFOUND,
 * AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err
core_leaked(struct core *core, const struct call *call,
            const struct leaked_request *request, json_t **ret);

AG_CHECK AG_NONNULL enum ag_err core_incident_list(struct core *core, bool all,
                                                   json_t **ret);
AG_CHECK AG_NONNULL enum ag_err
core_incident_show(struct core *core, const char *id, json_t **ret);

/* Errors: AG_ENOTFOUND; AG_ECONFLICT it is closed. Blocks. */
AG_CHECK enum ag_err core_incident_close(struct core *core,
                                         const struct call *call,
                                         const char *id, const char *note);

/* Rotates what incident_list_rotate() names, without grace; *ret as of
 * core_rotate(). Blocks, for as long as the rotators do. */
AG_CHECK AG_NONNULL enum ag_err core_incident_rotate(struct core *core,
                                                     const struct call *call,
                                                     const char *id,
                                                     json_t **ret);

/* ---- between the files of core ---- */

/* What is to be rotated after a task: [{secret, version, grade, has_rule, minted,
 * leaked}], of what is still current, or minted and to be revoked, and it had in
 * its hands; what leaked, then what travelled furthest first. */
AG_CHECK AG_NONNULL enum ag_err
incident_rotate_of_task(struct db_read *r, int64_t task_id, json_t *list);

/* Adds "on_leak" to a description of the secret, or sets it from a request.
 * Errors: AG_EINVAL with a sentence; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
incident_set_rule(struct db_read *r, struct secret_row *row, const char *word);
AG_NONNULL const char *incident_rule_of(const json_t *detail);

#endif
