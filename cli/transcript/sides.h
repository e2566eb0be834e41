/*
 * sides.h - the files that SQLite keeps beside a database: its log, the log's
 * index, its journal.
 * Floor: cli. Depends on: transcript/sqlite, transcript/confine,
 * transcript/swap, move/erase.
 */
#ifndef AG_CLI_TRANSCRIPT_SIDES_H
#define AG_CLI_TRANSCRIPT_SIDES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Is `name` such a file, of a database that lies there? */
AG_NONNULL bool sides_is_one(int dir_fd, const char *name);

/*
 * Is there a log or journal beside the database, with something that is not in
 * it, or may not be?
 * Errors: AG_EFILE one of them is no regular file.
 */
AG_CHECK AG_NONNULL enum ag_err sides_pending(int dir_fd, const char *name,
                                              bool *ret);

/*
 * Brings what is in them into the database, as whoever opens it next would; what
 * they held is overwritten. `dir` is the directory's path. Nobody may hold a
 * lease of the database, nor this process a descriptor.
 * *ret_wiped: false if their blocks could not be written.
 * Errors: those of sqlite_err(); AG_EFILE the journal names another file.
 */
AG_CHECK AG_NONNULL enum ag_err sides_settle(int dir_fd, const char *dir,
                                             const char *name, bool *ret_wiped);

/* Takes them away; there is nothing in them that the database needs, and nobody
 * has it open. Errors: those of erase_file(). */
AG_CHECK AG_NONNULL enum ag_err sides_erase(int dir_fd, const char *name,
                                            bool *ret_wiped);

#endif
