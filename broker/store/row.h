/*
 * row.h - the row engine: one way to write, read and check a row of any table.
 * Floor: store. Depends on: store/tables, store/tx, crypt/seal, libsodium.
 *
 * Writing seals the body, puts a keyed tag over the whole row, and marks the
 * row for the record. Reading checks the tag and opens the body; what does not
 * verify is AG_ECORRUPT with table and row in the sentence.
 *
 * Tag: key id u32le | BLAKE2b-128, keyed with KEY_ROW, over vault id 16 | table
 * u8 | id i64le | the numbers i64le | each blob (the sealed body is the last)
 * as length u64le and bytes. A sealed body is key id u32le | seal.h blob.
 */
#ifndef AG_STORE_ROW_H
#define AG_STORE_ROW_H

#include "base/buf.h"
#include "crypt/seal.h"
#include "store/pack.h"
#include "store/tables.h"
#include "store/tx.h"

/* A row in clear. Blobs are borrowed: from the caller when writing, from the
 * query's current row when reading. */
struct row {
    int64_t id;
    int64_t ints[ROW_INTS_MAX];
    struct span blobs[ROW_BLOBS_MAX];
    struct buf body; /* packed (pack.h), in clear */
    uint8_t tag[TAG_BYTES];
};

AG_NONNULL void row_init(struct row *row);
AG_NONNULL void row_done(struct row *row);
AG_DEFINE_CLEANUP_INPLACE(row, row_done)

/* The id a new row gets. A table's newest row is never removed, so ids are never
 * used again and a sealed blob of an old row fits no new one. */
AG_CHECK AG_NONNULL enum ag_err
row_next_id(struct db_tx *tx, const struct table *t, int64_t *ret);

/* Inserts the row, or replaces what may change of the one with its id. */
AG_CHECK AG_NONNULL enum ag_err
row_write(struct db_tx *tx, const struct table *t, struct row *row);

/* Takes the row away, also from the digest, and puts that on the record. It is
 * there and not the newest of its table (shed.h sees to that). */
AG_CHECK AG_NONNULL enum ag_err row_remove(struct db_tx *tx,
                                           const struct table *t, int64_t id);

/* The current row of a query whose columns are COLS() of the table. */
AG_CHECK AG_NONNULL enum ag_err row_read(struct db_read *r,
                                         const struct table *t, struct query *q,
                                         struct row *ret);

/*
 * By id, with the query that holds its blobs:
 *   AG_AUTO(query) struct query q = {0};
 *   err = row_get(r, t, id, &q, &row);
 * Errors: AG_ENOTFOUND; AG_ECORRUPT; AG_ELOCKED.
 */
AG_CHECK AG_NONNULL enum ag_err row_get(struct db_read *r,
                                        const struct table *t, int64_t id,
                                        struct query *q, struct row *ret);

/* The same by a hash that `sql` (COLS() of the table, one parameter) looks up. */
AG_CHECK AG_NONNULL enum ag_err row_find(struct db_read *r,
                                         const struct table *t, const char *sql,
                                         struct span hash, struct query *q,
                                         struct row *ret);

/* What a table's rows are for its callers: a file's decode() fills its own struct
 * (`to`), or tells them one by one. The row is borrowed for the call. */
typedef enum ag_err (*row_take_fn)(const struct row *row, void *to);

/* The one row with that id, or whose hash `sql` looks up, into `to`. Errors:
 * AG_ENOTFOUND; AG_ECORRUPT; AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err row_one(struct db_read *r, enum table_id table,
                                        int64_t id, row_take_fn take, void *to);
AG_CHECK AG_NONNULL enum ag_err row_by_hash(struct db_read *r,
                                            enum table_id table,
                                            const char *sql, struct span hash,
                                            row_take_fn take, void *to);

/* Every row that `ask` (COLS() of the table) gives, checked and opened, to `take`,
 * whose error ends the walk and is returned. */
struct rows_walk {
    enum table_id table;
    struct ask ask;
    row_take_fn take;
    void *arg;
};

AG_CHECK AG_NONNULL enum ag_err rows_each(struct db_read *r,
                                          const struct rows_walk *walk);

/* The first of those alone. Errors: AG_ENOTFOUND there is none. */
AG_CHECK AG_NONNULL enum ag_err rows_first(struct db_read *r,
                                           const struct rows_walk *walk);

/* Defines, after the file's decode(), a rows_walk's take() and its argument:
 * the row as a `type`, handed on to the caller's function. `own` is the type's
 * AG_AUTO(), or nothing when there is nothing to free. */
#define ROWS_TAKE(own, type, each_fn)                                          \
    struct taking {                                                            \
        each_fn each;                                                          \
        void *arg;                                                             \
    };                                                                         \
    static enum ag_err take(const struct row *row, void *arg)                  \
    {                                                                          \
        const struct taking *to = arg;                                         \
        own struct type found = {0};                                           \
        enum ag_err err = decode(row, &found);                                 \
                                                                               \
        return err != AG_OK ? err : to->each(&found, to->arg);                 \
    }

/* Any sealed metadata: key id u32le | blob, appended to `out`; and back. */
AG_CHECK AG_NONNULL enum ag_err row_seal(struct db_read *r,
                                         const struct seal_at *at,
                                         struct span plain, struct buf *out);
AG_CHECK AG_NONNULL enum ag_err row_unseal(struct db_read *r,
                                           const struct seal_at *at,
                                           struct span sealed, struct buf *out);

/* XORs the row's part into the digest of the small tables: a hash of table, id
 * and tag under the tag's key, which never leaves memory, so that rows can't be
 * chosen to cancel out. */
AG_CHECK AG_NONNULL enum ag_err row_digest(struct db_read *r,
                                           const struct table *t, int64_t id,
                                           struct span tag,
                                           uint8_t digest[TX_DIGEST_BYTES]);

/* Is the file's tag right? For audit_check, which wants no body. */
AG_CHECK AG_NONNULL enum ag_err row_check(struct db_read *r,
                                          const struct table *t,
                                          struct query *q, int64_t *ret_id,
                                          struct span *ret_tag);

#endif
