/*
 * danger.h - which secrets are in danger, the worst first: what leaked, what
 * tasks had in their hands, what was never rotated, what may travel far.
 * Floor: core. Depends on: store/secrets, store/exposure, store/incidents.
 */
#ifndef AG_CORE_DANGER_H
#define AG_CORE_DANGER_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct core;

enum {
    DANGERS_MAX_COUNT = 100, /* secrets of one answer: the rest is less */
};

/*
 * GET /v1/dangers. *ret: {dangers: [{secret, score, why: […]}], more: n}. Those
 * without a reason are not listed. A reason is one of
 *   incident       an incident of it is open
 *   exposed        the current version was in a task's hands
 *   shared         in those of more than one
 *   weak_grade     it may travel as a file, or in an environment
 *   broad          more than DANGER_HOSTS_COUNT hosts get it
 *   never_rotated  the value is older than DANGER_AGE_MS, or has no rule
 */
AG_CHECK AG_NONNULL enum ag_err core_dangers(struct core *core, json_t **ret);

#endif
