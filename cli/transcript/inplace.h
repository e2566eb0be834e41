/*
 * inplace.h - `redact --in-place`: every transcript below what was named, and
 * what is said of each.
 * Floor: cli. Depends on: cli, transcript/walk, transcript/treat.
 *
 * The report, with --json and in a --report file:
 *   {"files": [{"file", "state": "changed"|"found"|"left", "hits", "counts",
 *    "code"?, "why"?, "wiped"?}, …], "checked", "changed", "found", "left",
 *    "binary", "unreadable", "swept", "hits", "dry_run"}
 * Files in which nothing is are counted only.
 */
#ifndef AG_CLI_TRANSCRIPT_INPLACE_H
#define AG_CLI_TRANSCRIPT_INPLACE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli.h"
#include "transcript/keep.h"
#include "transcript/passage.h"

struct inplace {
    struct cli *cli;
    struct passage *passage;
    bool dry_run;
    /* Each file is told of at once, as one line with --json, and not kept. What
     * is in use, or gone, is no news. */
    bool follows;

    struct keep keep;
    bool again; /* the last file was in use, and may be tried again */

    /* What was done so far; made by inplace_begin(). */
    json_t *files;
    int64_t checked_count;
    int64_t changed_count;
    int64_t found_count;
    int64_t left_count;
    int64_t binary_count;
    int64_t unreadable_count;
    int64_t swept_count;
    int64_t hits;
    enum ag_err left_err; /* of the first that was left */
    const char *caveat;
};

AG_NONNULL void inplace_done(struct inplace *p);
AG_DEFINE_CLEANUP_INPLACE(inplace, inplace_done)

/* Before the first file. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err inplace_begin(struct inplace *p);

/* One file or directory; says what is done as it goes. Errors: those of
 * walk_path() and passage_run(). Begins by itself. */
AG_CHECK AG_NONNULL enum ag_err inplace_path(struct inplace *p,
                                             const char *path);

/* One entry, as struct walk calls it; `arg` is the inplace. */
AG_CHECK AG_NONNULL enum ag_err
inplace_file(void *arg, int dir_fd, const char *name, const char *path);

/* The object above; the caller's. NULL: no memory. */
AG_CHECK AG_NONNULL json_t *inplace_report(const struct inplace *p);

/* The last words; or the report, with --json. Errors: those of out_json(). */
AG_CHECK AG_NONNULL enum ag_err inplace_tell(const struct inplace *p);

/*
 * inplace_tell(), and what it comes to. The exit code is 1 after a dry
 * run that found something.
 * Errors: why the first file was left, with the number of them.
 */
AG_CHECK AG_NONNULL enum ag_err inplace_end(struct inplace *p);

#endif
