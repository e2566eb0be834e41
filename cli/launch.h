/*
 * launch.h - starts the broker as gpg-agent is started: when somebody needs it.
 * Floor: cli. Depends on: cli, client, base/fsx.
 */
#ifndef AG_CLI_LAUNCH_H
#define AG_CLI_LAUNCH_H

#include "base/attr.h"
#include "base/err.h"

struct cli;

enum {
    LAUNCH_READY_MS = 10 * 1000, /* a cold start on a busy machine */
};

/*
 * Connects cli->client to the broker; if none answers, starts `auth-guardd` in
 * a session of its own (found beside this program, in ../libexec/auth-guard, or
 * by PATH) and waits until it does. Its words go to run/broker.log.
 * Errors: AG_ENOTFOUND no such program; AG_ETIMEOUT, or AG_ENOBROKER with the
 *         last line of its log when it gave up; those of client_open().
 */
AG_CHECK AG_NONNULL enum ag_err launch_broker(struct cli *cli);

#endif
