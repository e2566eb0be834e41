/*
 * minters.h - those there are, for minter.c's table.
 * Floor: rotate, and only this folder includes it.
 */
#ifndef AG_ROTATE_MINTERS_H
#define AG_ROTATE_MINTERS_H

#include "rotate/minter.h"

extern const struct minter MINTER_POSTGRES;   /* postgres.c */
extern const struct minter MINTER_GITHUB_APP; /* github_app.c */
extern const struct minter MINTER_AWS_STS;    /* aws_sts.c */

#endif
