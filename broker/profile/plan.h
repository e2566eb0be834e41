/*
 * plan.h - how one file of a profile gets to a tool: the private copy's name,
 * the variable or link that leads there, the arguments that go along.
 * Floor: profile. Depends on: profile/profile, base/buf.
 */
#ifndef AG_PROFILE_PLAN_H
#define AG_PROFILE_PLAN_H

#include "base/attr.h"
#include "base/err.h"
#include "profile/profile.h"

enum {
    PLAN_BASENAME_MAX_BYTES = 255,
};

/* Strings are borrowed from the profile or from `path`, but for basename. */
struct delivery_plan {
    enum deliver_by by;
    enum deliver_points points;
    const char *var;  /* DELIVER_ENV: names file or directory */
    const char *link; /* DELIVER_LINK: `path`, or the profile's template */
    enum file_rewrite rewrite;
    bool watch; /* the tool may rewrite it: follow it */
    bool single_holder;
    char basename[PLAN_BASENAME_MAX_BYTES + 1];
};

/*
 * The plan for entry `file_index` of `p`, whose file was at `path` (absolute;
 * NULL or "": the profile's own template). When the profile relocates by a
 * variable that names a directory, the base name must be the tool's own.
 * Errors: AG_EUNSUPPORTED the tool can't be given a file (the sentence says
 *         what to do instead); AG_EINVAL index or path.
 */
AG_CHECK enum ag_err delivery_plan(const struct profile *p, size_t file_index,
                                   const char *path, struct delivery_plan *ret);

#endif
