/*
 * runner.h - the process that starts the programs that an operator has put on
 * record: it holds nothing, values pass it on descriptors.
 * Floor: privsep. Depends on: privsep/channel, privsep/spawn, libsodium.
 *
 * A program is read once, hashed, and executed from that very copy (a sealed
 * memfd), so what runs is what was hashed. It gets: argv {name of the file,
 * act}; an environment of PATH, LC_ALL and a HOME that is not there; the
 * directory /; a session of its own; no new privileges; signals at their
 * defaults; standard input with what it is told, standard output read, standard
 * error nowhere; descriptors 3 and 4 to read the old and the new value, 5 to
 * write one, each /dev/null where there is none. When it ends, when its time is
 * up and when the broker dies, it is killed with all it has started; these live
 * on only where the runner itself is killed.
 */
#ifndef AG_PRIVSEP_RUNNER_H
#define AG_PRIVSEP_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct runner;

enum {
    RUNNER_OLD_FD = 3, /* as the program sees them */
    RUNNER_NEW_FD = 4,
    RUNNER_OUT_FD = 5,
    RUNNER_FDS_COUNT = 3,
    RUNNER_HASH_BYTES = 32,              /* SHA-256 */
    RUNNER_PROGRAM_MAX_BYTES = 16 << 20, /* a copy of it is in memory */
    RUNNER_INPUT_MAX_BYTES = 2 * 1024,   /* a pipe takes it at once */
    RUNNER_OUTPUT_MAX_BYTES = 4 * 1024,  /* one small object */
    RUNNER_PATH_MAX_BYTES = 1024,
};

/* The helper's main: serves until the channel ends. Returns an exit code. */
int runner_main(int channel_fd);

/* Errors: AG_EIO, AG_ENOMEM. See spawn.h for when. */
AG_CHECK AG_NONNULL enum ag_err runner_start(struct runner **ret);
void runner_stop(struct runner *r);
AG_DEFINE_CLEANUP(runner, runner_stop)

/* Ends it, and it kills the program it runs with all that has started: who
 * waits in runner_run() is told AG_EUNSUPPORTED, now and ever after. At the
 * broker's end. NULL is allowed. */
void runner_abort(struct runner *r);

/* Kills the program that runs, with all it has started, and starts none until
 * it is called with false. Blocks until that is done. NULL is allowed. */
void runner_hold(struct runner *r, bool held);

AG_NONNULL bool runner_is_alive(struct runner *r);

struct runner_job {
    const char *path; /* absolute */
    const uint8_t *hash;
    const char *act; /* argv[1] */
    int64_t limit_ms;
    struct span input;
    int old_fd; /* borrowed; -1: none */
    int new_fd;
    int out_fd;
};

struct runner_result {
    int status; /* exit code; negative: the signal that killed it */
    bool timed_out;
    bool cut_off; /* by runner_hold() */
};

/*
 * Runs it to its end. Its standard output, cut at RUNNER_OUTPUT_MAX_BYTES, is
 * appended. The limit counts from the call: what the runner comes to only
 * after that is not started.
 * Errors: AG_ECHANGED it is not what was hashed; AG_ENOTFOUND, AG_EDENIED,
 *         AG_EFILE there is no such program; AG_ELOCKED runner_hold() (nothing
 *         was started in these); AG_EUNSUPPORTED the runner is gone,
 *         AG_ETIMEOUT, AG_EIO, AG_ENOMEM: it may have run. Threads: safe; one
 *         runs at a time.
 */
AG_CHECK AG_NONNULL enum ag_err runner_run(struct runner *r,
                                           const struct runner_job *job,
                                           struct runner_result *ret,
                                           struct buf *output);

#endif
