/*
 * git.h - git, asked by its plumbing.
 * Floor: cli. Depends on: base.
 *
 * `git` is the one in PATH: within a hook the one that runs it. What it says on
 * stderr goes to ours. Threads: one. Blocks: until git has ended.
 */
#ifndef AG_CLI_HOOK_GIT_H
#define AG_CLI_HOOK_GIT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

typedef enum ag_err git_part_fn(void *ctx, struct span part);

enum {
    GIT_WORDS_MAX_COUNT = 32, /* of one command */
};

struct git_call {
    const char *const *words; /* behind "git", NULL-ended */
    int stdin_fd;             /* -1: /dev/null */
    bool quiet;               /* its stderr is dropped */
};

/*
 * `part` hears its output as it comes.
 * Errors: AG_ENOTFOUND no git; AG_EINVAL git failed, with a sentence; those of
 *         `part`, after which git is not heard any more.
 */
AG_CHECK enum ag_err git_run(const struct git_call *call, git_part_fn *part,
                             void *ctx);

/* Its output, less the newline at its end. Errors: as git_run(). */
AG_CHECK AG_NONNULL enum ag_err git_answer(const struct git_call *call,
                                           struct buf *out);

/* Runs a program with our environment and descriptors, but for stdin (-1:
 * ours), and waits: its exit code, 128 + signal when it was killed. Errors:
 * what it could not be started for. */
AG_CHECK AG_NONNULL enum ag_err git_program(char *const *words, int stdin_fd,
                                            int *ret_code);

#endif
