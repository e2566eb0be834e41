/*
 * minter.h - what makes a credential at a provider when a task first needs it,
 * and revokes it when the task has ended: one interface for every kind, so that
 * the mechanism (core/mint.h) knows none of them.
 * Floor: rotate. Depends on: jansson, base/secret, rotate/rotator.
 *
 * A secret is minted when a rule says by which minter, with which parameters,
 * and from which other secret (the source: an app's key, a database owner's
 * password). What a minter makes is good for one task. Acts are named by a
 * handle that the mechanism makes and has on record before the provider hears
 * of it, so that a revoke finds what a lost answer left there.
 */
#ifndef AG_ROTATE_MINTER_H
#define AG_ROTATE_MINTER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "rotate/rotator.h"

struct secret;
struct upstream;

enum {
    MINT_HANDLE_BYTES = 64, /* with its NUL */
};

enum minter_act {
    MINTER_MINT,   /* may be repeated with its handle: then one value works */
    MINTER_RENEW,  /* `value` works until expires_ms; only if it `renews` */
    MINTER_REVOKE, /* what the handle names works no more; none there: done,
                      and MINTER_NONE_THERE */
};

/* The code of a revoke that found nothing by its handle. */
#define MINTER_NONE_THERE "none_there"

struct minter_call {
    enum minter_act act;
    const char *handle;   /* [a-z0-9_], begins with a letter, no other's, nor
                           that of a copy of the vault; at most
                           MINT_HANDLE_BYTES - 1, which PostgreSQL takes for
                           a role and AWS for a session */
    const json_t *params; /* of the rule, checked when it was set */
    const struct secret *source; /* what the provider knows us by */
    const struct secret *value;  /* to be revoked, or renewed; NULL: it was
                                   never heard of, or is gone */
    int64_t expires_ms; /* wall clock: when it must end at the latest */
    int64_t begun_ms;   /* wall clock: of a mint, when it came on record */
    int64_t now_ms;     /* wall clock */
    struct upstream *upstream; /* calls to services go by it */
};

/* In place; {0} before. What ROTATOR_DONE, REFUSED, LATER and UNSURE say is in
 * rotator.h; of a revoke, UNSURE and LATER are tried again. */
struct minter_answer {
    enum rotator_outcome outcome;
    char code[ROTATOR_CODE_BYTES]; /* why, for the record: [a-z0-9_.-] */
    struct secret *value;          /* of a mint: the caller's */
    int64_t expires_ms; /* of a mint, a renewal: when it ends there; 0: as
                           told */
};

void minter_answer_done(struct minter_answer *answer);
AG_DEFINE_CLEANUP_INPLACE(minter_answer, minter_answer_done)

struct minter {
    const char *name;

    /* Can it be revoked without its value, by its handle alone? If not, one
     * whose answer was lost is on record until it ends by itself. */
    bool revokes_by_handle;

    /* Can the end of one be moved (MINTER_RENEW)? If not, a task that still
     * needs one near its end gets another. */
    bool renews;

    /* Is there something of it left at the provider after its end? Then a
     * revoke is tried until it succeeds; else until it ends by itself. */
    bool lingers;

    /* Does each end by itself only? Then there is nothing to try when its task
     * ends: it is on record until then. */
    bool ends_alone;

    /* What it makes works for so long at least, whatever it was asked for: as
     * long as one whose answer was lost is on record. */
    int64_t life_least_ms;

    /* A making whose answer was lost may still bring about something so long
     * after it came on record: before that MINTER_NONE_THERE is not the end. 0:
     * what there is can't be found by a handle. */
    int64_t settled_ms;

    /* The parameters of a rule, strictly: AG_EINVAL with a sentence. */
    enum ag_err (*check)(const json_t *params);

    /* Whether what the source says now is of the kind it takes, when a rule is
     * set. Errors: AG_EINVAL with a sentence; AG_ENOMEM, AG_EMEMLOCK. */
    enum ag_err (*suits)(const json_t *params, const struct secret *source);

    /* Blocks. Errors: only what is wrong with us (AG_ENOMEM, AG_EMEMLOCK): the
     * act is then unsure. */
    enum ag_err (*act)(const struct minter_call *call,
                       struct minter_answer *ret);
};

/* What they keep open between acts is closed: all, or what was idle for long.
 * Threads: any. */
void minters_rest(bool all);

/* Errors: AG_EINVAL with the list of those there are. */
AG_CHECK AG_NONNULL enum ag_err minter_find(const char *name,
                                            const struct minter **ret);

#endif
