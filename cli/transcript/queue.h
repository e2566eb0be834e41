/*
 * queue.h - files that are to be looked at, each when it has been quiet for a
 * while.
 * Floor: cli. Depends on: base/err.
 */
#ifndef AG_CLI_TRANSCRIPT_QUEUE_H
#define AG_CLI_TRANSCRIPT_QUEUE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    QUEUE_MAX_COUNT = 4096, /* more: the trees are walked again instead */
    QUEUE_PATIENCE = 10, /* a file that is never quiet waits that much longer */
    QUEUE_AGAIN_MAX_MS = 30 * 1000, /* between tries of one that is in use */
};

struct queued {
    TAILQ_ENTRY(queued) link;
    int64_t since_ms; /* the first event */
    int64_t due_ms;
    int64_t again_ms; /* what the last try was put off by; 0: none was */
    char path[];
};

/* In place; zero but for quiet_ms. */
struct queue {
    int64_t quiet_ms;
    size_t count;
    TAILQ_HEAD(, queued) list;
};

AG_NONNULL void queue_init(struct queue *q, int64_t quiet_ms);
AG_NONNULL void queue_done(struct queue *q);
AG_DEFINE_CLEANUP_INPLACE(queue, queue_done)

/* Something happened to it. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err queue_note(struct queue *q, const char *path,
                                           int64_t now_ms);

/* It is in use: again, later each time. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err queue_again(struct queue *q, const char *path,
                                            int64_t now_ms);

/* The first that is due, which stays; or NULL. */
AG_NONNULL const char *queue_due(const struct queue *q, int64_t now_ms);

/* It was looked at; `path` may be the queue's own. */
AG_NONNULL void queue_drop(struct queue *q, const char *path);

/* When the next is due; -1: there is none. */
AG_NONNULL int64_t queue_next_ms(const struct queue *q);

#endif
