/*
 * filter_tell.h - a stream's hits: how they are counted, and when they are told
 * while it runs.
 * Floor: privsep. Depends on: privsep/filter_msg.
 *
 * Who is seen first, a value in a form, is told before the text that it was
 * found in is let out; whatever else within FTELL_MS. The stream's report has
 * FILTER_COUNTS_MAX_COUNT rows. What finds no room there is the rest: it is told
 * by itself, its rows then used anew, so that no value is lost, however many a
 * stream has, and no more is held than two reports.
 */
#ifndef AG_PRIVSEP_FILTER_TELL_H
#define AG_PRIVSEP_FILTER_TELL_H

#include "base/attr.h"
#include "privsep/filter_msg.h"

enum {
    FTELL_MS = 100,
    FTELL_SEEN_BITS = 8192, /* of the rest, by hash: one that is taken for
                             * another is told FTELL_MS later */
};

/* Called on the stream's thread; borrowed for the call. */
struct ftell_hooks {
    void *ctx;
    void (*hits)(void *ctx, const struct fmsg_end *so_far);
    /* Hits without a row in the above, since the last call. */
    void (*rest)(void *ctx, const struct fmsg_end *rest);
};

/* In place; {0} before. */
struct ftell {
    struct ftell_hooks hooks; /* of NULLs: nobody listens */
    struct fmsg_end end;      /* the report; its row and result are others' */
    struct fmsg_end rest;
    uint64_t seen[FTELL_SEEN_BITS / 64];
    uint64_t told_count; /* of the hits */
    int64_t tell_at_ms;  /* steady clock */
    bool has_new;
};

AG_NONNULL void ftell_hit(struct ftell *t, const struct redactor_hit *hit);

/* Tells what is due. Not under a lock that a commit waits for. */
AG_NONNULL void ftell_due(struct ftell *t);

/* For poll(): when something will be due; -1: nothing waits. */
AG_NONNULL int ftell_wait_ms(const struct ftell *t);

/* Before the report goes out: what it has no row for. */
AG_NONNULL void ftell_finish(struct ftell *t);

#endif
