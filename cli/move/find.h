/*
 * find.h - plaintext credentials on this machine: every profile's own files and
 * what lies beside them, and the files found by name in a tree.
 * Floor: cli. Depends on: move/judge, move/copies, profile.
 *
 * The walk never follows a link, never leaves the file system it started on,
 * and passes over caches and dependencies (node_modules, .git, …), where
 * credentials do not live and most files do. A profile's file that is a link
 * is looked at where it leads.
 */
#ifndef AG_CLI_MOVE_FIND_H
#define AG_CLI_MOVE_FIND_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "move/judge.h"
#include "profile/expand.h"
#include "profile/load.h"

enum {
    FIND_DEPTH_MAX = 48,
    FIND_ENTRIES_MAX_COUNT = 5000000, /* a big home; past it the walk ends */
    FIND_RESULTS_MAX_COUNT = 20000,
};

struct find {
    const struct profiles *profiles;
    /* Called for each finding; the finding is borrowed. */
    enum ag_err (*each)(void *arg, const struct finding *finding);
    void (*tick)(void *arg, uint64_t entries); /* now and then; or NULL */
    void *arg;

    /* Counted by the walk. */
    uint64_t entry_count;
    uint64_t unreadable_count; /* directories */
    uint64_t unknown_count;    /* files that were named and are no profile's */
    uint64_t mount_count;      /* other file systems, not entered */
    bool cut;                  /* a limit ended the walk */

    /* Private: what was reported already. */
    struct seen *seen;
};

AG_NONNULL void find_done(struct find *f);
AG_DEFINE_CLEANUP_INPLACE(find, find_done)

/* Every profile's files for this home and environment. */
AG_CHECK AG_NONNULL enum ag_err find_profiles(struct find *f,
                                              const struct expand_env *env);

/* Files by base name below `root` (a directory or a file).
 * Errors: AG_ENOTFOUND; what `each` returned. */
AG_CHECK AG_NONNULL enum ag_err find_tree(struct find *f, const char *root,
                                          const struct expand_env *env);

/* Is a directory of that name one of caches, dependencies or objects? */
AG_NONNULL bool find_passes_over(const char *name);

#endif
