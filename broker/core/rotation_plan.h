/*
 * rotation_plan.h - what a rule says, as the vault keeps it and as it is acted
 * on: schedule, rotator with its parameters, grace.
 * Floor: core. Depends on: rotate/schedule, rotate/rotator, wire/json.
 */
#ifndef AG_CORE_ROTATION_PLAN_H
#define AG_CORE_ROTATION_PLAN_H

#include "core/rotation.h"
#include "rotate/rotator.h"
#include "rotate/schedule.h"

/* In place; {0} before. */
struct rotation_plan {
    json_t *tree; /* all of it */
    struct schedule schedule;
    const struct rotator *rotator;
    const json_t *params; /* of the tree */
    int64_t grace_ms;
    const char *notify; /* of the tree: a program on record; NULL: none */
};

void rotation_plan_done(struct rotation_plan *plan);
AG_DEFINE_CLEANUP_INPLACE(rotation_plan, rotation_plan_done)

/* From a request: every wrong word is one clear sentence. *ret_text is to be
 * freed with free(). Errors: AG_EINVAL, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
rotation_plan_make(const struct rotation_rule_request *request,
                   struct rotation_plan *ret, char **ret_text);

/* From the vault. Errors: AG_ECORRUPT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err rotation_plan_read(const char *text,
                                                   struct rotation_plan *ret);

#endif
