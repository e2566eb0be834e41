/*
 * live_impl.h - what the files of the table of live tokens share.
 * Floor: core, and only live*.c include it.
 */
#ifndef AG_CORE_LIVE_IMPL_H
#define AG_CORE_LIVE_IMPL_H

#include <pthread.h>
#include <stddef.h>

#include "core/live.h"

enum {
    LIVE_BUCKETS_COUNT = 1024, /* a few times the tasks that run */
};

/* The tokens of one task; there while it has any. */
struct live_task {
    int64_t id;
    size_t count;
    struct live_token *tokens; /* chained by task_next */
    struct live_task *next;    /* in its bucket */
};

struct live_tokens {
    pthread_rwlock_t lock;
    struct live_token **slots;
    size_t slot_count; /* a power of two */
    size_t used;       /* tokens and tombstones */
    size_t count;      /* tokens */
    struct live_task *tasks[LIVE_BUCKETS_COUNT];
};

/* Where a token was that left. */
extern struct live_token live_tombstone;

/* These under the table's write lock; live_slot() also under its read lock. */

/* Makes room for one more in the slots, which may move. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err live_room(struct live_tokens *table);

AG_NONNULL void live_place(struct live_token **slots, size_t slot_count,
                           struct live_token *token);

/* NULL: none has that hash. */
AG_NONNULL struct live_token **live_slot(const struct live_tokens *table,
                                         const uint8_t *hash);

#endif
