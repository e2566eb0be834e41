/*
 * scrub.h - the filter for one text after another: known values (redactor.h;
 * prints_filter.h where only their fingerprints are at hand), then unknown
 * secrets (rule_filter.h), either of which may be left out.
 * Floor: redact. Depends on: redact/redactor, redact/prints_filter,
 * redact/rule_filter.
 *
 * Borders. Who feeds several pieces of one text can mark where each ends, and
 * is told when all before the border has come out: what comes out later belongs
 * to the next piece. A marker belongs to the piece in which what it stands for
 * begins. With nothing to take out each piece comes out as it went in.
 */
#ifndef AG_REDACT_SCRUB_H
#define AG_REDACT_SCRUB_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/prints_filter.h"
#include "redact/redactor.h"
#include "redact/rule_filter.h"
#include "redact/sink.h"

struct scrub;

struct scrub_terms {
    struct redactor_options options; /* hits of both */
    bool is_known;                   /* values of a set are looked for */
    const struct prints *prints;     /* NULL, or known values in its stead */
    /* Its options are not looked at. No set: no rules. */
    struct rule_filter_terms rules;
    /* A hole that goes on behind a border leaves its marker there again. */
    bool repeats;
    /* A border has been passed; NULL: there will be none. */
    enum ag_err (*on_border)(void *ctx);
    void *border_ctx;
};

enum scrub_depth {
    SCRUB_ALL,
    SCRUB_KNOWN, /* without the rules */
};

/*
 * Ownership: `terms` and *next are copied; the marker, the prints, the rules'
 *            set, next's ctx and what the callbacks are given is borrowed.
 * Errors: those of redactor_new(), prints_filter_new() and rule_filter_new().
 * Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err scrub_new(const struct scrub_terms *terms,
                                          const struct sink *next,
                                          struct scrub **ret);
void scrub_free(struct scrub *s);
AG_DEFINE_CLEANUP(scrub, scrub_free)

/*
 * The set to use from now on, looked at within feed, idle, finish and restart;
 * needed before the first of these if values are looked for. NULL: none.
 * Errors: as redactor_use().
 */
AG_CHECK enum ag_err scrub_use(struct scrub *s, const struct matcher *set);

/* Another text begins; the one before need not have been finished. With the
 * first it is not needed. Errors: as redactor_use(); AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err scrub_restart(struct scrub *s,
                                              enum scrub_depth depth);

/* As in redactor.h and rule_filter.h. finish also finishes the next sink. */
AG_CHECK AG_NONNULL enum ag_err scrub_feed(struct scrub *s, struct span part);
AG_CHECK AG_NONNULL enum ag_err scrub_border(struct scrub *s);
AG_CHECK AG_NONNULL enum ag_err scrub_settle(struct scrub *s);
AG_CHECK AG_NONNULL enum ag_err scrub_idle(struct scrub *s);
AG_CHECK AG_NONNULL enum ag_err scrub_idle_whole(struct scrub *s);
AG_CHECK AG_NONNULL enum ag_err scrub_finish(struct scrub *s);

/* Is anything held that scrub_idle() could let out? */
AG_NONNULL bool scrub_is_holding(const struct scrub *s);

#endif
