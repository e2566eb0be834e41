/*
 * db.h - the database file: how it is opened, its connections, and the two
 * handles every table function takes.
 * Floor: store. Depends on: base/fsx, store/conn, store/migrate.
 *
 * One writer connection, used by the writer thread only (struct db_tx, tx.h),
 * and a pool of read connections (struct db_read), each with its own prepared
 * statements. WAL, synchronous=FULL, foreign keys, secure_delete on,
 * trusted_schema off, cell_size_check on. Only sealed blobs and numbers are
 * ever bound to a statement, so SQLite's memory, pages, WAL and shm hold no
 * plaintext.
 */
#ifndef AG_STORE_DB_H
#define AG_STORE_DB_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct conn;
struct db;
struct db_read;
struct db_tx;
struct keyring;
struct keys;

enum {
    DB_APPLICATION_ID = 0x41475631, /* "AGV1" */
    DB_READERS_MAX_COUNT = 16,      /* one per thread that serves, and spare */
    DB_BUSY_MS = 5000,              /* SQLite's own wait for a lock */
    DB_VAULT_ID_BYTES = 16,
};

/* ---- for the use cases ------------------------------------------------- */

/* Ends the snapshot and gives the connection back. NULL is allowed. */
void db_read_close(struct db_read *r);
AG_DEFINE_CLEANUP(db_read, db_read_close)

/* The job's own view: sees what the job has written. Borrowed from tx. */
AG_NONNULL struct db_read *db_tx_read(struct db_tx *tx);

/* The time of this job, one value for all its rows. */
AG_NONNULL int64_t db_tx_now_ms(const struct db_tx *tx);

/* What this job has changed so far, and changes yet, is undone at its end,
 * though it ends well: it was only to be seen what would come of it. */
AG_NONNULL void db_tx_discard(struct db_tx *tx);

/* ---- for this room ------------------------------------------------------ */

/* Is there a vault? Nothing is made. AG_ENOVAULT, AG_ENEWER, AG_EMODE, … */
AG_CHECK AG_NONNULL enum ag_err db_probe(const char *home);

/*
 * Opens the file in `home`, taking vault.lock; runs missing migrations. With
 * `create` an absent or empty file becomes a database with the schema and no
 * rows, and anything else is AG_EEXISTS.
 * Errors: AG_ENOVAULT, AG_EEXISTS, AG_EBUSY, AG_EMODE, AG_ENEWER, AG_ECORRUPT,
 *         AG_EIO, AG_ENOSPACE, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err db_open(const char *home, bool create,
                                        struct db **ret);
/* No reader may be out. NULL is allowed. */
void db_close(struct db *db);
AG_DEFINE_CLEANUP(db, db_close)

AG_NONNULL int db_dir_fd(const struct db *db);
AG_NONNULL struct db_tx *db_writer(struct db *db);

/* A pooled connection with a snapshot. Errors: AG_ELOCKED without keys (unless
 * `locked_too`), AG_EBUSY while paused or when all are in use. */
AG_CHECK AG_NONNULL enum ag_err db_read_open(struct db *db, bool locked_too,
                                             struct db_read **ret);

/* Lets no reader in, and waits until all are out; then db_keys_set(). */
AG_NONNULL void db_readers_pause(struct db *db);
AG_NONNULL void db_readers_resume(struct db *db);

/* Keys and keyring of an open vault, both NULL when locked; only while no
 * reader is out, by the thread that owns the writer. The keys become the db's;
 * the former ones are returned and the caller's. */
AG_CHECK struct keys *db_keys_swap(struct db *db, struct keys *keys,
                                   struct keyring *ring);

/* NULL while locked. */
AG_NONNULL const struct keys *db_keys(const struct db_read *r);
AG_NONNULL struct keyring *db_ring(const struct db_read *r);
AG_NONNULL const uint8_t *db_vault_id(const struct db_read *r);
AG_NONNULL void db_vault_id_set(struct db *db,
                                const uint8_t id[DB_VAULT_ID_BYTES]);
AG_NONNULL struct conn *db_conn(struct db_read *r);

/* Moves the WAL into the file and empties it; never waits. Did it? (A reader
 * may be in the way.) */
AG_CHECK AG_NONNULL bool db_checkpoint(struct db *db);

/* Gives back the pages kept by the writer's connection and by those not in use.
 * On the writer thread. */
AG_NONNULL void db_shed(struct db *db);

#endif
