/*
 * keep.h - files that are credentials, by the profiles: without its value one is
 * no transcript that is clean, but a login that is lost.
 * Floor: cli. Depends on: cli, profile, move/profile_set.
 */
#ifndef AG_CLI_TRANSCRIPT_KEEP_H
#define AG_CLI_TRANSCRIPT_KEEP_H

#include "base/attr.h"
#include "base/err.h"
#include "cli.h"

struct profiles;

/* In place; zero but for `cli`. Profiles are loaded by the first question. */
struct keep {
    struct cli *cli;
    struct profiles *profiles;
};

AG_NONNULL void keep_done(struct keep *k);
AG_DEFINE_CLEANUP_INPLACE(keep, keep_done)

/*
 * May the file at `path` be changed?
 * Errors: AG_EFILE it is, by place or by name, a profile's, with a sentence
 *         that says whose and what to do; those of profile_set_load().
 */
AG_CHECK AG_NONNULL enum ag_err keep_check(struct keep *k, const char *path);

#endif
