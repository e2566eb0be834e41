/*
 * rotate.h - the acts below `auth-guard rotate`: rules, programs, the journal.
 * Floor: cli. Depends on: acts.
 */
#ifndef AG_CLI_ROTATE_H
#define AG_CLI_ROTATE_H

#include "base/attr.h"
#include "base/err.h"

struct cli;

AG_CHECK AG_NONNULL enum ag_err rotate_rule(struct cli *cli, int argc,
                                            char **argv);
AG_CHECK AG_NONNULL enum ag_err rotate_program(struct cli *cli, int argc,
                                               char **argv);
AG_CHECK AG_NONNULL enum ag_err rotate_log(struct cli *cli, int argc,
                                           char **argv);

#endif
