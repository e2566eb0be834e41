/*
 * runner_exec.h - the runner's hands: reads, hashes and starts a program, and
 * sees to its end.
 * Floor: privsep, for runner.c alone.
 */
#ifndef AG_PRIVSEP_RUNNER_EXEC_H
#define AG_PRIVSEP_RUNNER_EXEC_H

#include "privsep/runner.h"

/* A sealed copy of the file. Errors: AG_ECHANGED, AG_ENOTFOUND, AG_EDENIED,
 * AG_EFILE no regular file, or too large; AG_EIO, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
runner_load(const char *path, const uint8_t hash[RUNNER_HASH_BYTES],
            int *ret_fd);

/* Starts the copy and waits for its end; job->path is its name alone. The end
 * of the channel ends it as its time does.
 * Errors: AG_EIO, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err runner_exec(int program_fd, int channel_fd,
                                            const struct runner_job *job,
                                            struct runner_result *ret,
                                            struct buf *output);

#endif
