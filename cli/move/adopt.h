/*
 * adopt.h - one file into the vault, from the checks to the last fsync.
 * Floor: cli. Depends on: the rest of move, profile, redact/strength.
 */
#ifndef AG_CLI_MOVE_ADOPT_H
#define AG_CLI_MOVE_ADOPT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "profile/load.h"

struct cli;
struct profiles;

struct adopt {
    struct cli *cli;
    const struct profiles *profiles;
    const char *profile; /* NULL: found by path */
    const char *name;    /* NULL: the profile's, or made from the path */
    bool opaque;         /* any bytes, no profile */
    bool dry_run;        /* everything is checked, nothing is changed */
};

/*
 * Moves `path`. *ret (the caller's) says what was done:
 * {path, name, profile, bytes, version, erased: [copies], left: [copies],
 *  warnings: [sentences], dry_run}.
 *
 * Errors: those of source_open(), locks_take() and the broker; AG_EFILE the
 *         content is not what the profile says, or holds no secret;
 *         AG_ECHANGED the file changed: nothing was moved. When the vault has
 *         the value but the file could not be erased the error says so, and
 *         the next run goes on (move/recover).
 */
AG_CHECK AG_NONNULL enum ag_err adopt_file(const struct adopt *a,
                                           const char *path, json_t **ret);

#endif
