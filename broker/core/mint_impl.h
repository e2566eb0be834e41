/*
 * mint_impl.h - what the files of minting share.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_MINT_IMPL_H
#define AG_CORE_MINT_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/core.h"
#include "core/mint.h"
#include "rotate/minter.h"
#include "store/minted.h"
#include "store/secrets.h"

struct secret;
struct task_row;

/* What a rule says: a member of the secret's sealed description, and copied to
 * each row that was made by it. In place; {0} before. */
struct mint_rule {
    json_t *tree; /* all of it */
    const struct minter *minter;
    const char *source;
    int64_t ttl_ms;
    const json_t *params;
};

void mint_rule_done(struct mint_rule *rule);
AG_DEFINE_CLEANUP_INPLACE(mint_rule, mint_rule_done)

/* Errors: AG_ENOTFOUND it has none; AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err mint_rule_of(const struct secret_row *row,
                                             struct mint_rule *ret);
/* From a row's plan. Errors: AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err mint_rule_read(const char *plan,
                                               struct mint_rule *ret);

/* The value that a rule's source names. Errors: AG_ENOTFOUND, … */
AG_CHECK AG_NONNULL enum ag_err mint_source(struct core *core,
                                            struct db_read *r,
                                            const struct mint_rule *rule,
                                            struct secret **ret);

/* Nothing is made with a source that is on hold; what there is is renewed and
 * revoked all the same. Errors: AG_EONHOLD, which a task may read; AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err
mint_source_held(struct core *core, struct db_read *r,
                 const struct secret_row *minted, const struct mint_rule *rule);

TAILQ_HEAD(mint_waits, mint_wait);

enum minting_kind {
    MINTING_MAKE, /* for a task that waits */
    MINTING_TEND, /* a row that is due: renewed or revoked */
};

/* One piece of work: queued, then under way. */
struct minting {
    struct core_job job; /* the first: the jobs find it by this */
    TAILQ_ENTRY(minting) link;
    struct mints *all;
    enum minting_kind kind;
    int64_t task_id;
    int64_t secret_id;
    int64_t row_id; /* of MINTING_TEND */
    struct mint_waits waits;

    /* the thread's that does it */
    struct minted_row row;
    struct secret_row secret;
    struct mint_rule rule;
    struct secret *source;
    struct secret *value;
    bool has_act;  /* act is to be called, then the end */
    bool is_idle;  /* MINTING_TEND: there was nothing to be done now */
    bool too_soon; /* it was made or renewed, and ended or is about to */
    enum minter_act act;
    int64_t asked_ms; /* the end that was asked for */
    struct minter_answer answer;
};

TAILQ_HEAD(minting_list, minting);

/* After failures of a secret's: none is made before. */
struct mint_pause {
    LIST_ENTRY(mint_pause) link;
    int64_t secret_id;
    unsigned failures;
    int64_t until_ms; /* steady clock */
};

struct mints {
    struct core *core;
    pthread_mutex_t lock;   /* all below but the wake job */
    pthread_cond_t work;    /* for threads */
    pthread_cond_t changed; /* for who drains */
    struct minting_list queue;
    struct minting_list busy;
    LIST_HEAD(mint_pauses, mint_pause) pauses;
    pthread_t threads[MINT_THREADS_COUNT];
    size_t thread_count;
    size_t idle_count;
    bool stopping;
    bool scan_wanted; /* rows may be due */
    bool scanning;
    int64_t next_due_ms; /* wall clock; INT64_MAX: never */
    int64_t scanned_ms;  /* wall clock: the last time */
    atomic_bool is_used; /* there is, or was, a row that is open */
    struct core_job wake;
    atomic_bool wake_waits;
};

/* Does the work: blocks. *ret_why of AG_EMINT is kept for this thread. */
AG_CHECK AG_NONNULL enum ag_err minting_run(struct minting *m);
void minting_free(struct minting *m);

/* Codes of a row that waits for its end, since there is nothing to try. */
#define MINTED_NEVER_KNOWN "never_known"    /* and can't be named without */
#define MINTED_ENDS_ALONE  "ends_by_itself" /* no such provider revokes */

#define MINTED_MAY_COME "may_yet_come" /* its making's answer was lost */

/* Of an end that the provider told and that was not believed. */
#define MINTED_ENDS_LATER "ends_later_than_asked"
#define MINTED_ENDS_SOON  "ends_too_soon"

/* What is to be done with a row that is due; nothing: has_act stays false, and
 * what it comes to without an act stands in m->answer. */
AG_CHECK AG_NONNULL enum ag_err
minting_choose(struct core *core, struct minting *m, struct db_read *r);

/* Under the lock: what is being made for this task, queued or under way; or
 * NULL. */
AG_NONNULL struct minting *mints_making(struct mints *all, int64_t task_id,
                                        int64_t secret_id);

/* Under the lock: NULL, there was no failure. */
AG_NONNULL struct mint_pause *mints_pause_of(struct mints *all,
                                             int64_t secret_id);

/* NULL: there is no memory. */
AG_NONNULL struct minting *minting_new(struct mints *all,
                                       enum minting_kind kind);

/* Under the lock: the queue is not empty. */
AG_NONNULL void mints_call_thread(struct mints *all);

/* Is another at work at this task and secret? Under no lock. */
AG_NONNULL bool mints_makes(struct mints *all, int64_t task_id,
                            int64_t secret_id);

/* Is this row good for who asks now? */
AG_NONNULL bool minted_is_good(const struct minted_row *row,
                               const struct mint_rule *rule, int64_t now_ms);

/* The end to ask for: it must not outlive its task for long, if nobody comes to
 * revoke it. */
AG_NONNULL int64_t mint_expiry(const struct minting *m,
                               const struct task_row *task, int64_t now_ms);

/* Renewed before its end, while its task goes on; else revoked at its end. */
AG_NONNULL int64_t mint_due(const struct minting *m,
                            const struct task_row *task, int64_t now_ms);

/* The end that was answered, made one that can be: m->answer.expires_ms is no
 * later than the one asked for, m->answer.code says when it was told otherwise,
 * and m->too_soon when it was told to be (nearly) over. */
AG_NONNULL void mint_believe(struct minting *m, int64_t now_ms);

/* A revoke found nothing: when is that to be looked at once more, since its making
 * may still be under way at the provider? 0: it is the end. */
AG_NONNULL int64_t mint_settled(const struct minting *m, int64_t now_ms);

/* Looks for what is due, and waits until that row (0: all) was tried,
 * MINT_DRAIN_MS at most. */
AG_NONNULL void mints_settle(struct mints *all, int64_t row_id);

int64_t mint_pause_ms(int64_t attempts);

#endif
