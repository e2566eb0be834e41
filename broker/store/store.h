/*
 * store.h - the vault as the use cases see it: opened locked, unlocked with a
 * keyring, read on any thread, changed on one.
 * Floor: store. Depends on: crypt/keyring, store/db, store/writer, store/head,
 * store/uses.
 *
 * Life: store_create() or store_open() -> locked; store_unlock() -> open;
 * store_lock() -> locked; store_close(). While locked only slots can be read
 * (meta.h); everything else answers AG_ELOCKED.
 *
 * Changes are jobs: a function that runs on the one writer thread inside a
 * savepoint of the current group's transaction. The rules of a job:
 *  1. It does everything that can fail in the database first, then
 *     audit_append(), and touches the broker's memory only as its last step.
 *  2. A row that was changed and is not followed by an audit_append() in the
 *     same job makes the job fail (AG_EINTERNAL): what is not on the record did
 *     not happen.
 *  3. Returning an error undoes all it did in the database, and nothing else.
 *  4. It never blocks, and never calls store_do().
 * One durable commit serves all jobs that wait; then each done() is called, on
 * the writer thread, with what run() returned, or with the commit's error for
 * every job of the group, after the rebuild callback has run (memory may then
 * be ahead of the database).
 */
#ifndef AG_STORE_STORE_H
#define AG_STORE_STORE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct db_read;
struct db_tx;
struct keyring;
struct slot_row;
struct store;
struct use;

enum {
    VAULT_ID_BYTES = 16,
    STORE_QUEUE_MAX_COUNT = 4096, /* jobs waiting: more is AG_EBUSY */
    STORE_WHY_BYTES = 160,        /* the sentence kept with a failed job */
};

typedef enum ag_err (*store_run_fn)(struct db_tx *tx, void *arg);
typedef void (*store_done_fn)(void *arg, enum ag_err err);

/*
 * One change, caller's memory, which must stay until done() has begun; done()
 * may free it. err_text(err) inside done() gives the sentence run() raised.
 * done may be NULL (then the memory must stay until the store is closed).
 */
struct store_job {
    store_run_fn run;
    store_done_fn done;
    void *arg;
    /* The writer's own: */
    struct store_job *next;
    enum ag_err err;
    /* Its own transaction, nobody else's job beside it. */
    bool alone;
    char why[STORE_WHY_BYTES]; /* the writer's own */
};

/* Is there a vault in `home`? AG_OK, AG_ENOVAULT, AG_EMODE, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err store_exists(const char *home);

/*
 * Makes a vault in the private directory `home`: schema, data keys wrapped
 * under `keyring` (which is open and gives the vault its id), the slots given,
 * whose ids must be 1, 2, … since their blobs are bound to them, the first
 * audit row and the sealed head. The store is then open, as after
 * store_unlock().
 * Ownership: `keyring` is borrowed until store_lock() or store_close() has
 *            returned (or store_rekey() replaced it).
 * Errors:    AG_EEXISTS, AG_EMODE, AG_EBUSY (another broker), AG_EIO,
 *            AG_ENOSPACE, AG_ENOMEM. A half-made vault is AG_ENOVAULT to
 *            store_exists() and may be made again.
 */
AG_CHECK AG_NONNULL enum ag_err
store_create(const char *home, struct keyring *keyring, struct slot_row *slots,
             size_t slot_count, struct store **ret);

/*
 * Opens the vault, locked; starts the writer thread.
 * Errors: AG_ENOVAULT; AG_EBUSY another process has it; AG_EMODE with the file
 *         and the fix; AG_ENEWER untouched; AG_ECORRUPT; AG_EIO; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err store_open(const char *home,
                                           struct store **ret);

/* Locks, stops the writer, checkpoints, closes. NULL is allowed. No other
 * thread may be inside a call. */
void store_close(struct store *s);
AG_DEFINE_CLEANUP(store, store_close)

/* What the unlock found and put right. */
struct store_found {
    uint64_t audit_seq;       /* of the newest row */
    uint64_t uses_folded;     /* uses left over in the journal */
    uint64_t uses_torn_count; /* records cut by a crash, or changed */
    uint64_t uses_lost_count; /* numbers missing between the records */
};

/*
 * Opens the data keys with `keyring`, compares the record with the sealed head
 * and folds what the use journal holds.
 * Ownership: `keyring` is borrowed until store_lock() or store_close() has
 *            returned.
 * Errors: AG_ECORRUPT a key, the newest audit rows or the vault id do not
 *         verify; AG_EROLLBACK the record is older than the head, differs from
 *         it, or the head is missing (the sentence says which); AG_EIO, …
 *         The store then stays locked.
 */
AG_CHECK AG_NONNULL enum ag_err
store_unlock(struct store *s, struct keyring *keyring, struct store_found *ret);

/*
 * The operator's way out of AG_EROLLBACK after a deliberate restore: writes a
 * new head for what is there and puts that on the record. Needs fresh proof,
 * which the caller has checked. The store must be locked; then call
 * store_unlock().
 */
AG_CHECK AG_NONNULL enum ag_err store_accept_rollback(struct store *s,
                                                      struct keyring *keyring);

/* Finishes the waiting jobs, folds the uses, syncs the head, wipes the data
 * keys. Jobs submitted later are AG_ELOCKED. Waits for open readers: no thread
 * may keep a db_read while it calls this. */
AG_NONNULL void store_lock(struct store *s);

AG_NONNULL bool store_is_open(const struct store *s);
AG_NONNULL void store_vault_id(const struct store *s,
                               uint8_t out[VAULT_ID_BYTES]);
AG_NONNULL int store_dir_fd(const struct store *s);

/* Called on the writer thread when a group's commit failed, before the done()
 * callbacks of that group. Set once, before the first job. */
void store_on_rebuild(struct store *s, void (*rebuild)(void *arg), void *arg);

/* Called after a durable commit, by whom has the writer and before the done()
 * callbacks: the value of this version (its row's id) was destroyed, or went
 * back to its file. Must not block for long. Set once, before the first job. */
typedef void (*store_gone_fn)(void *arg, int64_t version_id);
void store_on_gone(struct store *s, store_gone_fn gone, void *arg);

/* Queues a job. Errors: AG_EBUSY queue full, AG_ELOCKED; run() and done() are
 * then not called. Threads: any, also from done(). Never blocks. */
AG_CHECK AG_NONNULL enum ag_err store_submit(struct store *s,
                                             struct store_job *job);

/* The same, waits for the commit, and gives its result with the sentence.
 * Never from the writer thread. */
AG_CHECK enum ag_err store_do(struct store *s, store_run_fn run, void *arg);

/*
 * A read connection with a snapshot of this moment. Cheap (microseconds): take
 * one per request, or one for several reads that must agree. Release it before
 * anything that waits.
 * Errors: AG_ELOCKED, AG_EBUSY (more readers than DB_READERS_MAX_COUNT, or a
 *         rekey or lock is under way).
 */
AG_CHECK AG_NONNULL enum ag_err store_read(struct store *s,
                                           struct db_read **ret);

/* A use, on the journal before this returns (uses.h). Threads: any. */
AG_CHECK AG_NONNULL enum ag_err store_use(struct store *s,
                                          const struct use *use);

/* Folds the uses and syncs the head now (lock, stop, audit = strict). Blocks
 * for one commit. */
AG_CHECK AG_NONNULL enum ag_err store_flush(struct store *s);

/*
 * New root key: every data key re-wrapped under `fresh`, fresh keys for names,
 * metadata, audit and head from here on, names resealed and their look-up
 * hashes made anew, the slots replaced by `slots` (ids from slots_next_id() on,
 * ascending), all live tokens and roles ended (END_REKEY: their hash key is
 * gone), one transaction. AG_ECONFLICT while moves are open (their digests are
 * keyed too). On AG_OK the
 * store uses `fresh` and the old keyring may be freed; on error nothing changed
 * and the old one stays in use. Blocks. The broker's token table is stale
 * afterwards: the caller ends the tasks first and reloads.
 */
AG_CHECK AG_NONNULL enum ag_err store_rekey(struct store *s,
                                            struct keyring *fresh,
                                            struct slot_row *slots,
                                            size_t slot_count);

/* Grows with every durable commit but those that fold uses: what was read before
 * is still so while it stands, but for counts of uses. Threads: any; no lock. */
AG_NONNULL uint64_t store_epoch(const struct store *s);

/* Sizes for status and metrics. */
struct store_stats {
    uint64_t commits;
    uint64_t jobs;
    uint64_t largest_group;
    uint64_t commit_failures;
    uint64_t folds;
    uint64_t uses;
    size_t queue_count;
};

AG_NONNULL void store_stats(struct store *s, struct store_stats *ret);

#endif
