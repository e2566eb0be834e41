/*
 * db.h - the database file: how it is opened, its connections, and the two
 * handles every table function takes.
 * Floor: store. Depends on: base/fsx, crypt/keyring, SQLite.
 *
 * One writer connection, used by the writer thread only (struct db_tx), and a
 * pool of read connections (struct db_read), each with its own prepared
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

struct db;
struct db_read;
struct db_tx;

enum {
    DB_APPLICATION_ID = 0x41475631, /* "AGV1" */
    DB_READERS_MAX_COUNT = 16, /* more readers at once wait, then AG_EBUSY */
    DB_BUSY_MS = 5000,         /* SQLite's own wait for a lock */
};

/* Ends the snapshot and gives the connection back. NULL is allowed. */
void db_read_close(struct db_read *r);
AG_DEFINE_CLEANUP(db_read, db_read_close)

/* The job's own view: sees what the job has written. Borrowed from tx. */
AG_NONNULL struct db_read *db_tx_read(struct db_tx *tx);

/* The time of this job, one value for all its rows. */
AG_NONNULL int64_t db_tx_now_ms(const struct db_tx *tx);

#endif
