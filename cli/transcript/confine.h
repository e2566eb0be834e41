/*
 * confine.h - a connection to one database that touches no file but its own.
 * Floor: cli. Depends on: transcript/sqlite.
 *
 * A journal may name a super-journal, any path at all: SQLite opens it, follows
 * the names in it and unlinks it (sqlite.org/fileformat2.html, 3). Whoever wrote
 * the journal may not choose what we delete. The library's usual file system is
 * registered once more, with those steps refused before anything is rolled back.
 */
#ifndef AG_CLI_TRANSCRIPT_CONFINE_H
#define AG_CLI_TRANSCRIPT_CONFINE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/sqlite.h"

struct confine {
    sqlite3_vfs vfs;   /* first: the library hands its address back */
    sqlite3_vfs *real; /* NULL: not begun */
    const char *path;  /* borrowed; the database, as the library calls it */
    bool refused;      /* another file was asked for */
};

/*
 * Registers it under CONFINE_NAME, for sqlite_open_through(). `c` stays where
 * it is until confine_done(), which comes after the connection is shut.
 * Errors: AG_ENOMEM. Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err confine_init(struct confine *c,
                                             const char *path);
AG_NONNULL void confine_done(struct confine *c);
AG_DEFINE_CLEANUP_INPLACE(confine, confine_done)

extern const char CONFINE_NAME[];

#endif
