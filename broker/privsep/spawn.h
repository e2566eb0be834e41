/*
 * spawn.h - starts the helper processes: this very program executed anew, on
 * one inherited socket, with nothing else of the broker's.
 * Floor: privsep. Depends on: privsep/channel.
 *
 * The child gets /proc/self/exe with argv {"auth-guardd", "--filter"},
 * "--witness" or "--runner": descriptor 3 is its end of the channel, 0 and 1
 * are /dev/null, 2 is inherited, everything from 4 up is closed, the
 * environment is empty, the directory is /, signals are at their defaults, the
 * session is its own. main() hands over at once:
 *
 *     if (argc == 2 && strcmp(argv[1], "--witness") == 0) {
 *         return witness_main(SPAWN_CHANNEL_FD);
 *     }
 *
 * A helper begins with confine_begin() (privsep/confine.h). It ends when its
 * channel ends, and by SIGKILL when the thread that started it ends (not the
 * runner: it has others to kill): so start helpers on the main thread, before
 * any key is in memory and before any other thread.
 */
#ifndef AG_PRIVSEP_SPAWN_H
#define AG_PRIVSEP_SPAWN_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct channel;
struct channel_hooks;
struct helper;

enum {
    SPAWN_CHANNEL_FD = 3,
};

enum spawn_kind {
    SPAWN_FILTER,
    SPAWN_WITNESS,
    SPAWN_RUNNER,
};

/* The argument that names the kind: "--filter", …. Static. */
const char *spawn_argument(enum spawn_kind kind);

/*
 * Errors: AG_EIO (no /proc, exec failed), AG_ENOMEM. `hooks` is copied.
 */
AG_CHECK AG_NONNULL enum ag_err spawn_helper(enum spawn_kind kind,
                                             const struct channel_hooks *hooks,
                                             struct helper **ret);

/* Borrowed; valid until helper_stop(). */
AG_NONNULL struct channel *helper_channel(struct helper *h);
AG_NONNULL pid_t helper_pid(const struct helper *h);

/* Closes the channel, waits 500 ms for the helper to leave, then kills it and
 * reaps it. NULL is allowed. */
void helper_stop(struct helper *h);
AG_DEFINE_CLEANUP(helper, helper_stop)

#endif
