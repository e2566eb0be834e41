/*
 * core.h - the broker's state and its life: absent, locked, open. The use
 * cases stand in the other headers of this folder and all take a `struct core`.
 * Floor: core. Depends on: store, crypt/keyring, privsep/filter, profile.
 *
 * Threads. Use cases marked "Writer" change the vault: they run as jobs of the
 * store's writer thread, inside its transaction, and are called by
 * core_write(). Those marked "Slow" derive keys: never on an HTTP thread. All
 * others may run on any thread.
 */
#ifndef AG_CORE_CORE_H
#define AG_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"
#include "store/store.h"

struct buf;
struct core;
struct filter;
struct paths;
struct profiles;
struct runner;
struct upstream;
struct proc_source;
struct span;

enum vault_state {
    VAULT_ABSENT, /* no vault.db yet: init makes one */
    VAULT_LOCKED, /* keys are not in memory */
    VAULT_OPEN,
};

/* From settings.ini, read by daemon/conf. Times in milliseconds. */
struct core_settings {
    int64_t idle_lock_ms;    /* auto-lock after this much quiet; 0: never */
    int64_t session_ms;      /* an operator's session stays approved */
    int64_t proof_ms;        /* grace of a fresh proof */
    int64_t task_ttl_ms;     /* when the caller names none */
    int64_t task_ttl_max_ms; /* hard maximum of a task and its tokens */
    int64_t wrap_ttl_max_ms;
    int64_t renew_overlap_ms; /* a renewed token's text before is good for */
    int64_t task_tokens_max; /* live tokens of one task, its first among them */
    bool rotation_by_broker; /* it does what is due, without cron */
    bool audit_strict;       /* every use durable before its answer */
    char marker[64];         /* "[redacted:%s]" with one %s, or none */
};

/*
 * The parts are borrowed and outlive the core. Opens the database if there is
 * one; keys come with core_unlock().
 * Errors: AG_EMODE, AG_ENEWER, AG_ECORRUPT, AG_EBUSY (another broker), AG_EIO.
 */
struct core_parts {
    const struct paths *paths;
    struct filter *filter;
    const struct proc_source *source; /* privsep/witness */
    struct profiles *profiles;
    struct upstream *upstream; /* refreshes logins; NULL: none is */
    struct runner *runner;     /* programs that rotate; NULL: none does */
    bool rotates; /* by a thread of its own: core_rotation_start() */
};
AG_CHECK AG_NONNULL enum ag_err core_new(const struct core_parts *parts,
                                         const struct core_settings *settings,
                                         struct core **ret);

/* Ends tasks, folds the use journal, wipes keys, closes the store. */
void core_free(struct core *core);
AG_DEFINE_CLEANUP(core, core_free)

AG_NONNULL enum vault_state core_state(struct core *core);
AG_NONNULL void core_set_settings(struct core *core,
                                  const struct core_settings *settings);

/*
 * Housekeeping: folds uses, ends what has expired, locks when idle. Call it
 * when *ret_next_ms (steady clock) has come, and after any change.
 */
AG_NONNULL void core_tick(struct core *core, int64_t *ret_next_ms);

/* The open vault is used: by that it does not lock when idle. Requests of the
 * proxy, proofs and unlocking say so themselves. Threads: any. */
AG_NONNULL void core_used(struct core *core);

/* The filter process is gone: streams have stopped; every task ends. */
AG_NONNULL void core_filter_died(struct core *core);

/*
 * A job for the writer thread. `run` is a Writer use case bound to its input;
 * it fills the job's own result. `done` is called once, after the commit or
 * the failure, and must not block; `err` is the outcome and err_text(err) inside
 * `done` its sentence. On the writer thread, or, when the vault is not open or
 * the queue is full, on the caller's before core_write() returns.
 */
struct core_job {
    enum ag_err (*run)(struct core *core, struct db_tx *tx,
                       struct core_job *job);
    void (*done)(struct core *core, struct core_job *job);
    enum ag_err err;
    struct core *core; /* these two are core's own */
    struct store_job store_job;
};

/* Puts in force what the filter was given since the last time; for threads that
 * may block. A value that was read from the store is not to be given away before
 * this, nor if it fails: what is new there may be printed at once. */
AG_CHECK AG_NONNULL enum ag_err core_hide(struct core *core);

/* Is there a value that is not in force yet? Asked after it was read, no answer
 * is too early. Threads: any. Blocks: no. */
AG_NONNULL bool core_must_hide(const struct core *core);

/* Hands the job over; `done` will be called whatever happens. */
AG_NONNULL void core_write(struct core *core, struct core_job *job);

/* The same and waits: for threads that may block (slow, handover). */
AG_CHECK AG_NONNULL enum ag_err core_write_wait(struct core *core,
                                                struct core_job *job);

/* Answers of GET /v1/health, GET /v1/status and GET /metrics. */
AG_CHECK AG_NONNULL enum ag_err core_health(struct core *core, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err
core_status(struct core *core, const struct call *call, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_metrics(struct core *core,
                                             struct buf *out);

#endif
