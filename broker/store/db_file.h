/*
 * db_file.h - the vault's files before SQLite touches them: whose they are, who
 * may read them, and whether this program knows the format.
 * Floor: store. Depends on: base/fsx.
 *
 * For this room only.
 */
#ifndef AG_STORE_DB_FILE_H
#define AG_STORE_DB_FILE_H

#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"

/* vault.db and what lies beside it: private regular files of ours with one name
 * each. Errors: AG_EMODE with file and fix; AG_ENOTFOUND no vault.db. */
AG_CHECK AG_NONNULL enum ag_err db_check_files(int dir_fd, struct stat *ret_db);

/*
 * An empty vault.db in WAL mode where there is none, made under another name
 * and renamed, so that a crash leaves either nothing or a whole file. What an
 * earlier file of that name left beside it goes first: SQLite would take an old
 * WAL for the new file's.
 */
AG_CHECK AG_NONNULL enum ag_err db_make_file(const char *home, int dir_fd);

/* The file's own header. One still in the WAL is looked at by migrate_check().
 * Errors: AG_ENEWER, AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err db_check_header(int dir_fd);

#endif
