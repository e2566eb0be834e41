/*
 * view.h - what an isolated task sees of the machine: a new root with the parts
 * of the system it may read, a home, a working tree, and nothing else.
 * Floor: cli/run. Depends on: run/mnt, run/layer, run/preset, run/relay.
 *
 * Made in the task's own mount namespace before its command; then the old root
 * is let go, so that what is not part of the view has no name at all. The
 * command is in no position to change the mounts: it has no capability over
 * them, and in namespaces of its own the kernel locks them together.
 */
#ifndef AG_CLI_RUN_VIEW_H
#define AG_CLI_RUN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "run/preset.h"
#include "run/relay.h"
#include "run/trail.h"

enum {
    VIEW_GIVEN_MAX_COUNT = 128, /* --ro and --rw */
    VIEW_LINKS_MAX_COUNT = 64,
    VIEW_HIDDEN_MAX_COUNT = 4096,
};

enum view_access {
    VIEW_READ,
    VIEW_WRITE,
};

/* A place that is opened to the task. Absolute and resolved. */
struct view_given {
    char *path;
    enum view_access access;
};

struct view_link {
    char *path;
    char *target;
};

struct view {
    struct preset *preset;
    char *home;      /* as $HOME says */
    char *home_real; /* and where that leads */
    char *tree;      /* the working tree, resolved */
    char *cwd;       /* in it */
    char *keep;      /* --keep-home: holds upper/ and work/; or NULL */
    char *task_sock;
    struct relay_line lines[RELAY_LINES_MAX_COUNT]; /* out of its network */
    size_t line_count;
    char *place; /* of the task's files: a directory that is made */
    /* Of these, the roots that the task trusts, in `place`: they cover the
     * system's, each of trust_places (ends with NULL) that is shown. NULL: the
     * system's are trusted. */
    char *trust_file;
    const char *const *trust_places;
    struct view_given given[VIEW_GIVEN_MAX_COUNT];
    size_t given_count;
    struct trail trail; /* known while what is hidden is looked up */
    char **hidden;      /* absolute, no patterns; sorted by view_build() */
    size_t hidden_count;
    struct view_link links[VIEW_LINKS_MAX_COUNT];
    size_t link_count;
};

void view_free(struct view *v);
AG_DEFINE_CLEANUP(view, view_free)

/* Is `path` `above` or below it? Both absolute and resolved. */
AG_NONNULL bool view_is_below(const char *path, const char *above);

/* Would a file made at `path` in the view be one of the host's? */
AG_NONNULL bool view_is_host(const struct view *v, const char *path);

/* Adds copies. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err view_hide(struct view *v, const char *path);
AG_CHECK AG_NONNULL enum ag_err view_link(struct view *v, const char *path,
                                          const char *target);

/*
 * In the first process of new namespaces, mapped and with mounts cut off:
 * builds the view and moves into it, to `cwd`.
 * Errors: AG_EUNSUPPORTED no fresh /proc is to be had; AG_EIO; both with a
 *         sentence, errno kept.
 */
AG_CHECK AG_NONNULL enum ag_err view_build(struct view *v);

/* In the view, with its place of files mounted: makes trust_file, empty, and
 * lets it cover the system's roots. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err view_trust(const struct view *v);

#endif
