/*
 * mint.h - credentials made when a task first needs them: by whose rule, for
 * whom, and their end at the provider, however the task ends.
 * Floor: core. Depends on: rotate/minter, store/minted, core/values.
 *
 * A secret that has a mint rule has no value of its own: each task that is given
 * it gets a version made for that task alone, at its first use. Its life is a
 * row (store/minted.h): `minting` is durable before the provider hears of it;
 * when the task ends, in the same transaction, it is `revoking`, and stays that
 * until the provider has done it or it has ended by itself. So whatever dies in
 * between, the next start finds what is to be revoked.
 *
 * Calls to providers are made by threads of their own, MINT_THREADS_COUNT at
 * most, begun when there is something to do: one of each task and secret at a
 * time, whoever asks; all who ask meanwhile wait for the same outcome.
 */
#ifndef AG_CORE_MINT_H
#define AG_CORE_MINT_H

#include <sys/queue.h>

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct call;
struct core;
struct db_read;
struct db_tx;
struct get_request;
struct minted_row;
struct minting;
struct mints;
struct secret_row;

enum {
    MINT_THREADS_COUNT = 4, /* calls to providers at a time */
    MINT_TTL_DEFAULT_S = 3600,
    MINT_TTL_LEAST_S = 10,
    MINT_TTL_MOST_S = 30 * 24 * 3600,
    MINT_PAUSE_MIN_MS = 1000,           /* after a failure; doubles … */
    MINT_PAUSE_MAX_MS = 10 * 60 * 1000, /* … to this */
    MINT_DRAIN_MS = 3000,               /* that a lock waits for revokes */
    MINT_OVER_MS = 60 * 1000, /* what may outlive its task, if not revoked */
    MINT_LIST_MAX_COUNT = 100,
};

/* ---- rules ---- */

struct mint_rule_request {
    const char *name;
    const char *minter;
    const char *source; /* a reference: what the provider knows us by */
    int64_t ttl_s;
    json_t *params; /* an object; each minter takes its own */
};

/* Makes the secret if there is none; a rule that is there is replaced, and does
 * not change what was made by it. Fresh proof is the route's to demand: by it the
 * source's value goes where the parameters say. Writer.
 * Errors: AG_EINVAL with a sentence; AG_ECONFLICT it has a value of its own;
 *         AG_ENOTFOUND the source. */
AG_CHECK AG_NONNULL enum ag_err
core_mint_rule_set(struct core *core, struct db_tx *tx, const struct call *call,
                   const struct mint_rule_request *request, json_t **ret);

AG_CHECK AG_NONNULL enum ag_err
core_mint_rule_show(struct core *core, const char *name, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_mint_rule_list(struct core *core,
                                                    json_t **ret);

/* Nothing is made by it any more; what was made lives on with its tasks. Writer.
 * Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err core_mint_rule_remove(struct core *core,
                                                      struct db_tx *tx,
                                                      const struct call *call,
                                                      const char *name);

/* What was made and may still work, newest first. */
AG_CHECK AG_NONNULL enum ag_err core_mint_list(struct core *core, json_t **ret);

/* Has it a mint rule? By the row alone. */
AG_NONNULL bool mint_has_rule(const struct secret_row *row);

/* By which minter, as its description says; NULL: it has no rule. */
const char *mint_minter_of(const json_t *detail);

/* AG_ECONFLICT with a sentence while something made of it is not revoked. */
AG_CHECK AG_NONNULL enum ag_err mint_none_open(struct db_read *r,
                                               const struct secret_row *row);

/* ---- use ---- */

enum mint_say {
    MINT_GO,   /* the task has it; or there is nothing to make */
    MINT_WAIT, /* done() will be called */
};

/*
 * Who waits, in the caller's memory. done() is called at most once, on any
 * thread and under a lock of this module's: it must not block and not call
 * back. err_text(err) in it is the sentence. AG_OK: the task has it.
 */
struct mint_wait {
    void (*done)(struct mint_wait *wait, enum ag_err err);
    TAILQ_ENTRY(mint_wait) link; /* these are the module's own */
    struct minting *on;          /* NULL: it does not wait */
};

/* Is there one for this task, good for a while yet? Else it is made.
 * Errors: AG_EMINT a try failed a moment ago; AG_ELOCKED, AG_ENOMEM, …
 * Threads: any. Blocks: no. */
AG_CHECK AG_NONNULL enum ag_err mint_ask(struct core *core, int64_t task_id,
                                         int64_t secret_id,
                                         struct mint_wait *wait,
                                         enum mint_say *ret);

/* Is there one for this task, good for a while yet, or none to be made at all?
 * Errors: AG_ENOTFOUND it is to be made. Threads: any. Blocks: no. */
AG_CHECK AG_NONNULL enum ag_err mint_there(struct core *core, int64_t task_id,
                                           int64_t secret_id);

/* It does not wait any more: done() is over, or will not be called. */
AG_NONNULL void mint_forget(struct core *core, struct mint_wait *wait);

/* The same, blocking: for threads that may. */
AG_CHECK AG_NONNULL enum ag_err mint_get(struct core *core, int64_t task_id,
                                         int64_t secret_id);

/* For a reading in clear: asks if this call may read it. Anything that is wrong
 * with the call is the reading's own to say. */
AG_CHECK AG_NONNULL enum ag_err
mint_ask_reading(struct core *core, const struct call *call,
                 const struct get_request *request, struct mint_wait *wait,
                 enum mint_say *ret);

/* The version that a task has of a secret with a rule.
 * Errors: AG_ENOTFOUND with a sentence. */
AG_CHECK AG_NONNULL enum ag_err mint_version(struct db_read *r,
                                             const struct secret_row *row,
                                             int64_t task_id, int64_t *ret);

/*
 * What a minter made as this version leaked: it is revoked now, and its task's
 * next use makes another. Waits for the try, MINT_DRAIN_MS at most; *ret is the
 * row after it, to be done with by minted_row_done(). What fails is tried again
 * as after a task's end. call NULL: the broker itself. Blocks.
 * Errors: AG_ENOTFOUND no such credential may still work.
 */
AG_CHECK enum ag_err mint_leaked(struct core *core, const struct call *call,
                                 int64_t secret_id, int64_t version,
                                 struct minted_row *ret);

/* The row of what was minted as this version and may still work; 0: there is
 * none. */
AG_CHECK AG_NONNULL enum ag_err mint_open_of(struct db_read *r,
                                             int64_t secret_id, int64_t version,
                                             int64_t *ret_row_id);

/* ---- for core.c, lock.c, unlock.c, tasks.c ---- */

AG_CHECK AG_NONNULL enum ag_err mints_new(struct core *core,
                                          struct mints **ret);
/* Waits for calls under way; nobody may ask or wait any more. To be called while
 * the store is there. */
AG_NONNULL void mints_stop(struct mints *all);
void mints_free(struct mints *all);

/* All that a task was given by minters is to be revoked. Writer; the caller puts
 * a row on the record after it. */
AG_CHECK AG_NONNULL enum ag_err mints_end_task(struct core *core,
                                               struct db_tx *tx, int64_t id);

/* The vault is open: what is left of others' days is looked for. */
AG_NONNULL void mints_open(struct mints *all);

/* Housekeeping: what is due. */
AG_NONNULL void mints_tick(struct mints *all);

/* Waits for revokes under way, MINT_DRAIN_MS at most; the rest stays on record.
 * Sessions with providers are closed. */
AG_NONNULL void mints_drain(struct mints *all);

#endif
