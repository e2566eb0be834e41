/*
 * database.h - one SQLite database where it lies: looked through, and only if
 * something is found written anew and swapped.
 * Floor: cli. Depends on: transcript/treat, transcript/image, transcript/sides,
 * transcript/values.
 *
 * What a writer that was killed left in its log or journal is brought in first,
 * as the next to open it would have done. Then the file is held (swap.h), changed
 * in memory and written as a new one; the files beside it, in which nothing is
 * any more, are overwritten before the names change places, so that no log of
 * the old database is ever read into the new.
 */
#ifndef AG_CLI_TRANSCRIPT_DATABASE_H
#define AG_CLI_TRANSCRIPT_DATABASE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/swap.h"
#include "transcript/treat.h"

/*
 * `s` is open, and holds the file if `held`; else it is only looked at, as its
 * other readers do. Nothing is written when it is only looked at; SQLite may make
 * the index of a log that lies there.
 * Errors: those of sides_settle(), values_pass(), image_write() and
 *         swap_commit().
 */
AG_CHECK AG_NONNULL enum ag_err database_treat(const struct treat *t,
                                               const char *path, struct swap *s,
                                               bool held,
                                               struct treat_result *ret);

#endif
