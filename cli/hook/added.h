/*
 * added.h - the lines that diffs add, and other texts, put one behind the other
 * to be searched at once; and where each line of that came from.
 * Floor: cli. Depends on: base, hook/unseen.
 *
 * Reads what git writes with -p (also --cc), names prefixed by a/ and b/, parts
 * of any size. A line of 40 or 64 hex digits outside of hunks is the commit
 * that what follows belongs to. Of a merge's combined diff the lines count that
 * none of the parents has. Binary files have no lines: added_unseen().
 *
 * Threads: one. Blocks: no (memory).
 */
#ifndef AG_CLI_HOOK_ADDED_H
#define AG_CLI_HOOK_ADDED_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct added;
struct unseen;

enum {
    ADDED_MAX_BYTES = 512 * 1024 * 1024, /* lies in memory */
    ADDED_HEAD_MAX_BYTES = 32 * 1024,    /* a line that names a file */
    ADDED_STRETCHES_MAX_COUNT = 4 * 1024 * 1024,
    /* Between texts: farther apart than what a rule looks at. */
    ADDED_GAP_LINES = 80,
};

/* Where a line came from; borrowed until added_free(). */
struct origin {
    const char *commit; /* hex, or NULL */
    const char *file;   /* or what a text is called */
    uint64_t line;      /* from 1 */
};

/* Errors: AG_ENOMEM, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err added_new(struct added **ret);
void added_free(struct added *a);
AG_DEFINE_CLEANUP(added, added_free)

/* A diff, in parts; added_diff_end() after its last.
 * Errors: AG_ELIMIT; AG_EINVAL a hunk outside of a file; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err added_diff(void *added, struct span part);
AG_CHECK AG_NONNULL enum ag_err added_diff_end(struct added *a);

/* A text of that name; its lines follow. `commit` may be NULL.
 * Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK enum ag_err added_text(struct added *a, const char *name,
                                const char *commit);
AG_CHECK AG_NONNULL enum ag_err added_text_part(struct added *a,
                                                struct span part);

/* All of it, at its beginning: the object's own descriptor. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err added_fd(struct added *a, int *ret);
AG_NONNULL bool added_is_empty(const struct added *a);

/* Files of the diffs that had no lines to read; the object's own. */
AG_NONNULL const struct unseen *added_unseen(const struct added *a);

/* Of the text's line (from 1). */
AG_NONNULL struct origin added_origin(const struct added *a, uint64_t line);

#endif
