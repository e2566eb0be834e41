/*
 * pushed.h - what a push brings to a remote: the lines that its new commits
 * add, and their messages.
 * Floor: cli. Depends on: hook/git, hook/added.
 */
#ifndef AG_CLI_HOOK_PUSHED_H
#define AG_CLI_HOOK_PUSHED_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct added;
struct buf;

/* What added.h reads, whatever the person has configured. For git, before and
 * behind the name of the command. */
#define PUSHED_DIFF_CONFIG                                                     \
    "-c", "core.quotePath=false", "-c", "diff.suppressBlankEmpty=false"
#define PUSHED_DIFF_OPTIONS                                                    \
    "-r", "-p", "-U0", "-M", "--no-color", "--no-ext-diff", "--no-textconv",   \
        "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=all"

enum {
    PUSHED_COMMITS_MAX_COUNT = 200000, /* a history; larger ones go in pieces */
    PUSHED_REFS_MAX_BYTES = 4 * 1024 * 1024,
};

/*
 * `refs_fd` (seekable) has what git tells a pre-push hook: "LOCAL-REF LOCAL-OID
 * REMOTE-REF REMOTE-OID" lines. Commits that a remote branch known here has are
 * left out; of a remote without a name (an address) all remotes' count.
 * Errors: AG_EINVAL other lines, or git failed; AG_ELIMIT; those of git_run().
 */
AG_CHECK AG_NONNULL enum ag_err pushed_gather(int refs_fd, const char *remote,
                                              const char *address,
                                              struct added *to);

/* Of one such line the objects: "OID\n" and "^OID\n" for `git rev-list --stdin`,
 * appended; nothing of a ref that is deleted. Errors: AG_EINVAL; AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err pushed_line(struct span line, struct buf *out);

#endif
