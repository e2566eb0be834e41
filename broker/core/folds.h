/*
 * folds.h - rows of the record that repeat: of one caller the first few of a
 * kind have a row each, the rest of the minute is counted and becomes one row.
 * Floor: core. Depends on: store/audit.
 *
 * Who asks on and on, of the proxy or with a bad token, must not fill the
 * record. A caller is a task, or outside of them a uid: who forks gains nothing.
 * Counts are kept by kind and text (the host); of one caller FOLDS_TEXTS_COUNT,
 * what goes beyond is counted by its kind alone. With no room left for another
 * caller each of its rows is written: the record comes before its size.
 *
 * A count is durable when its minute is over, at its task's end and when the
 * vault locks; one that could not be written is kept and tried again. What
 * `kill -9` of the broker takes is the count: the row before the first that was
 * only counted says that there may be more ("more": "counted").
 */
#ifndef AG_CORE_FOLDS_H
#define AG_CORE_FOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"

struct core;
struct folds;

enum fold_kind {
    FOLD_REFUSED, /* policy.denied, by service or host */
    FOLD_TUNNEL,  /* tunnel.opened, by host */
    FOLD_CALLED,  /* host.called, by host */
    FOLD_HISTORY, /* a placeholder of an ended task in a text, by that task */
    FOLD_TOKEN,   /* token.refused, by code */
};

enum {
    FOLD_KINDS_COUNT = FOLD_TOKEN + 1,
    FOLD_TEXT_BYTES = 264, /* a host and its port; longer ones are cut */
    FOLDS_TEXTS_COUNT = 16,
    /* Rows of their own in a minute, of one kind in all and of one text. A
     * client that polls what it may not have makes fewer. */
    FOLDS_ROWS_PER_MINUTE = 120,
    FOLDS_CALLS_PER_MINUTE = 12, /* of one host: to it, or by tunnels */
};

enum fold_row {
    FOLD_ROW,
    FOLD_LAST_ROW, /* the next are counted */
    FOLD_COUNTED,  /* no row */
};

AG_CHECK AG_NONNULL enum ag_err folds_new(struct folds **ret);
void folds_free(struct folds *f);
AG_DEFINE_CLEANUP(folds, folds_free)

/* The caller's number here. */
AG_CHECK AG_NONNULL int64_t fold_caller(const struct call *call);

/* One more, at `now_ms` (steady clock): has it a row of its own? Threads: any.
 */
AG_CHECK AG_NONNULL enum fold_row folds_note(struct folds *f, int64_t caller,
                                             enum fold_kind kind,
                                             const char *text, int64_t now_ms);

/* The same for a call that may go out, now: with `audit = strict` each has its
 * row. */
AG_CHECK AG_NONNULL enum fold_row core_fold(struct core *core,
                                            const struct call *call,
                                            enum fold_kind kind,
                                            const char *text);

/* When the next count is due; INT64_MAX: there is none. */
AG_CHECK AG_NONNULL int64_t folds_next_ms(struct folds *f);

/* ---- onto the record ---- */

/* Counts whose minute is over at `now_ms`; INT64_MAX: all. The first returns at
 * once, the other when they are durable. Errors of the latter: the record's. */
AG_NONNULL void folds_write_due(struct core *core, int64_t now_ms);
AG_CHECK AG_NONNULL enum ag_err folds_write_wait(struct core *core,
                                                 int64_t now_ms);

/* All of one task's, which ends. Any thread, the writer's too. */
AG_NONNULL void folds_write_task(struct core *core, int64_t task_id);

/* ---- for fold_rows.c ---- */

enum {
    FOLD_BATCH_MAX_COUNT = 24, /* rows of one job: a task has fewer */
};

struct fold {
    size_t at; /* where it stands in the table */
    int64_t caller;
    enum fold_kind kind;
    int64_t count;
    char text[FOLD_TEXT_BYTES]; /* empty: of several */
};

struct fold_batch {
    size_t count;
    struct fold items[FOLD_BATCH_MAX_COUNT];
};

/* Takes counts that are due, of one caller (0: of all); folds_settle() must
 * follow, which says whether they are on the record. */
AG_NONNULL void folds_take(struct folds *f, int64_t caller, int64_t now_ms,
                           struct fold_batch *ret);
AG_NONNULL void folds_settle(struct folds *f, const struct fold_batch *batch,
                             bool written);

#endif
