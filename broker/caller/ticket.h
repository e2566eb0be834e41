/*
 * ticket.h - single-use tickets: what the API gives out and fd.sock takes, so
 * that a descriptor is joined with a decision made elsewhere.
 * Floor: caller. Depends on: base/proc, libsodium.
 *
 * `agx_` and 43 base62 digits of 256 random bits. Only a hash is kept; it is
 * compared in constant time. A ticket is good for 30 s and for one use; one
 * marked reusable (write-back and placeholders of a watched delivery) is bound to the
 * connection that used it first and stays good as long as its task.
 */
#ifndef AG_CALLER_TICKET_H
#define AG_CALLER_TICKET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"
#include "base/span.h"

struct tickets;

enum {
    TICKET_TEXT_BYTES = 4 + 43 + 1, /* with its NUL */
    TICKET_MAX_COUNT = 4096,        /* waiting at one time, all tasks */
    TICKET_FIRST_USE_MS = 30 * 1000,
};

enum ticket_kind {
    TICKET_LIFE,    /* the lifeline of a task */
    TICKET_STREAM,  /* one stream to the filter */
    TICKET_DELIVER, /* a value into a descriptor */
    TICKET_TAKE,    /* a file into the vault: adopt, or write-back */
};

/* What a ticket stands for; numbers are core's own and not looked into. */
struct ticket {
    enum ticket_kind kind;
    bool reusable;           /* of a watched delivery */
    int64_t task_id;         /* 0: none (adopt, redact) */
    int64_t lease_id;        /* TICKET_DELIVER */
    int64_t subject_id;      /* secret, move, … by kind */
    uint32_t version;        /* of the secret; 0: none */
    struct proc_ref process; /* who may show it: the one that asked */
};

AG_CHECK AG_NONNULL enum ag_err tickets_new(struct tickets **ret);
void tickets_free(struct tickets *t);
AG_DEFINE_CLEANUP(tickets, tickets_free)

/*
 * Threads: every function here is safe. Times are clock_steady_ms().
 * Errors: AG_ELIMIT too many are waiting; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err tickets_issue(struct tickets *t,
                                              const struct ticket *what,
                                              int64_t now_ms,
                                              char out[TICKET_TEXT_BYTES]);

/* A ticket as it is shown. */
struct ticket_shown {
    struct span text;
    enum ticket_kind kind;
    struct proc_ref by;
    uint64_t connection_id; /* any number never used for two of them; not 0 */
    int64_t now_ms;
};

/*
 * Redeems it.
 * Errors: AG_ETICKET unknown, used, too old, of another kind, or shown by
 *         another process or connection; nothing says which.
 */
AG_CHECK AG_NONNULL enum ag_err tickets_redeem(struct tickets *t,
                                               const struct ticket_shown *shown,
                                               struct ticket *ret);

/* Drops a task's tickets (it ended), or all (lock). */
AG_NONNULL void tickets_drop_task(struct tickets *t, int64_t task_id);
AG_NONNULL void tickets_drop_all(struct tickets *t);

AG_NONNULL size_t tickets_count(struct tickets *t);

#endif
