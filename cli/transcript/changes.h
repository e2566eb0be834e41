/*
 * changes.h - which texts of a database become which, and making it so.
 * Floor: cli. Depends on: transcript/columns, libsodium.
 *
 * A text is known again by its keyed hash, wherever it stands: rows that
 * referred to one another by it do so afterwards.
 */
#ifndef AG_CLI_TRANSCRIPT_CHANGES_H
#define AG_CLI_TRANSCRIPT_CHANGES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "transcript/columns.h"

enum {
    CHANGES_MAX_BYTES = 512 * 1024 * 1024, /* of new texts, together */
};

struct changes;

/* Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err changes_new(struct changes **ret);
void changes_free(struct changes *c);
AG_DEFINE_CLEANUP(changes, changes_free)

/* Both are copied, or kept as a hash. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err changes_add(struct changes *c, struct span old,
                                            struct span text);

/*
 * In the columns that are marked; then the full text indexes are made anew.
 * After an error the database is good for nothing.
 * Errors: AG_EFILE the schema would change, or an index can't be made anew;
 *         those of sqlite_err().
 */
AG_CHECK AG_NONNULL enum ag_err changes_apply(struct changes *c, sqlite3 *db,
                                              const struct columns *columns);

#endif
