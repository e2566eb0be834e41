/*
 * main.c - auth-guardd: which of its processes this is to be.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "daemon/ours.h"
#include "daemon/run.h"
#include "privsep/filter.h"
#include "privsep/runner.h"
#include "privsep/spawn.h"
#include "privsep/witness.h"

static const char USAGE[] =
    "usage: auth-guardd [--version | --help]\n"
    "\n"
    "The broker: runs in the foreground, logs to stderr, and is started by\n"
    "`auth-guard unlock` or by systemd. SIGTERM ends it, SIGHUP reads\n"
    "settings.ini again. See auth-guard(1).\n";

static int
run_broker(void)
{
    enum ag_err err = daemon_run();

    if (err != AG_OK) {
        (void)fprintf(stderr, "auth-guardd: %s\n", err_text(err));
    }
    return err_exit(err);
}

static int
run_filter(void)
{
    const struct filter_ours *ours = NULL;
    enum ag_err err = ours_open(&ours);

    return err == AG_OK ? filter_main(SPAWN_CHANNEL_FD, ours) : err_exit(err);
}

int
main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : NULL;

    if (argc == 1) {
        return run_broker();
    }
    if (what != NULL && strcmp(what, spawn_argument(SPAWN_FILTER)) == 0) {
        return run_filter();
    }
    if (what != NULL && strcmp(what, spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    if (what != NULL && strcmp(what, spawn_argument(SPAWN_RUNNER)) == 0) {
        return runner_main(SPAWN_CHANNEL_FD);
    }
    if (what != NULL && strcmp(what, "--version") == 0) {
        (void)printf("auth-guardd %s\n", AG_VERSION);
        return 0;
    }
    if (what != NULL && strcmp(what, "--help") == 0) {
        (void)fputs(USAGE, stdout);
        return 0;
    }
    (void)fputs(USAGE, stderr);
    return err_exit(AG_EUSAGE);
}
