/*
 * rotators.h - those there are, for rotator.c's table, and what two of them
 * share.
 * Floor: rotate, and only this folder includes it.
 */
#ifndef AG_ROTATE_ROTATORS_H
#define AG_ROTATE_ROTATORS_H

#include "rotate/rotator.h"

extern const struct rotator ROTATOR_RANDOM;         /* random.c */
extern const struct rotator ROTATOR_COMMAND;        /* command.c */
extern const struct rotator ROTATOR_AWS_ACCESS_KEY; /* aws_key.c */
extern const struct rotator ROTATOR_OAUTH2;         /* login.c */
extern const struct rotator ROTATOR_SSH;            /* ssh.c */
extern const struct rotator ROTATOR_POSTGRES;       /* postgres_role.c */

/* An act by the call's program, as `command` has it done: it gets the values
 * that the call has. `more` (NULL: nothing) are members that it is told besides;
 * with them it makes no value. Errors: as of rotator.h's act. */
AG_CHECK enum ag_err command_act(const struct rotator_call *call,
                                 const json_t *more,
                                 struct rotator_answer *ret);

/* The parameters `length`, `alphabet` and `require`; others are not looked at.
 * Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err random_check(const json_t *params);

/* A value by them. Errors: AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err random_make(const json_t *params,
                                            struct secret **ret);

#endif
