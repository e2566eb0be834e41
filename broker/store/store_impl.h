/*
 * store_impl.h - the parts behind struct store, shared by store.c (work) and
 * unlock.c, rekey.c (life).
 * Floor: store. Depends on: store/store.
 *
 * For this room only.
 */
#ifndef AG_STORE_STORE_IMPL_H
#define AG_STORE_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store_db.h"

struct head;
struct uses;
struct writer;

struct store {
    struct db *db;
    struct writer *writer;
    struct head
        *head;      /* NULL while locked; of the thread that has the writer */
    bool wal_late;  /* a value was destroyed and may still be in the WAL */
    bool head_late; /* the last head could not be written */
    pthread_rwlock_t gate; /* of uses: users read, lock and unlock write */
    struct uses *uses;     /* NULL while locked */
    store_gone_fn gone;    /* may be NULL */
    void *gone_arg;
    atomic_bool open;
    atomic_uint_fast64_t used;
    atomic_uint_fast64_t folds;
    atomic_uint_fast64_t epoch; /* durable commits so far */
};

/* Opens or makes the database and starts the writer; locked. */
AG_CHECK AG_NONNULL enum ag_err store_start(const char *home, bool create,
                                            struct store **ret);

/* What follows a durable commit: the head. */
AG_NONNULL void store_committed(void *store);

/* Folds what waits, empties the WAL of what was destroyed (in vain while a
 * reader looks at it: the next tick tries again), writes and syncs the head. By whom has the writer. */
AG_CHECK AG_NONNULL enum ag_err store_settle(struct store *s);

#endif
