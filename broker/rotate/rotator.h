/*
 * rotator.h - what makes, checks and revokes a credential: one interface for
 * every kind, so that the mechanism (core/rotation.h) knows none of them.
 * Floor: rotate. Depends on: jansson, base/secret, privsep/runner, upstream.
 *
 * The contract of an act, whoever implements it: it may be repeated, with the
 * same rotation's id, after its answer was lost, and then brings about the same
 * state without error. `undo` is told of values that may never have reached the
 * provider, and of none when the provider was to make the new one: it then
 * removes whatever this rotation has made there.
 */
#ifndef AG_ROTATE_ROTATOR_H
#define AG_ROTATE_ROTATOR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "rotate/program.h"

struct runner;
struct secret;
struct upstream;

enum {
    ROTATOR_CODE_BYTES = 64,
    ROTATOR_SHOWN_BYTES = 12,
};

enum rotator_act {
    ROTATOR_PREPARE, /* the new one works at the provider, the old one may too */
    ROTATOR_VERIFY,  /* the new one works: asked of the provider */
    ROTATOR_RETIRE,  /* the old one works no more */
    ROTATOR_UNDO,    /* the old one works, the new one no more */
};

enum rotator_outcome {
    ROTATOR_DONE,
    ROTATOR_REFUSED, /* for certain: nothing came of it */
    ROTATOR_LATER,   /* not now, and nothing came of it */
    ROTATOR_UNSURE,  /* not known: no answer, or one that can't be read */
};

struct rotator_call {
    enum rotator_act act;
    int64_t rotation_id;
    int64_t started_ms; /* wall clock: when this rotation began */
    const char *secret_name;
    const json_t *params;           /* of the rule, checked when it was set */
    const struct secret *old_value; /* NULL: it is gone */
    const struct secret *new_value; /* NULL: there is none yet */
    const struct secret *source;    /* of the parameter `source`: what the
                                       provider knows us by; NULL: there is none */
    /* Called once neither value is needed any more, so that they go while the
     * act still takes its time; NULL: they stay. */
    void (*forget)(void *forget_ctx);
    void *forget_ctx;
    struct runner *runner;         /* starts programs; NULL: there is none */
    struct upstream *upstream;     /* calls to services go by it */
    const struct program *program; /* on record, by program_name(); or NULL */
};

/* In place; {0} before. code says why, for the journal: [a-z0-9_.-]. One that has
 * a value in it, or ROTATOR_SHOWN_BYTES of one, is not believed: the act is then
 * ROTATOR_UNSURE, "garbage". */
struct rotator_answer {
    enum rotator_outcome outcome;
    char code[ROTATOR_CODE_BYTES];
    struct secret
        *value; /* the caller's; of a prepare whose provider makes it */
};

void rotator_answer_done(struct rotator_answer *answer);
AG_DEFINE_CLEANUP_INPLACE(rotator_answer, rotator_answer_done)

struct rotator {
    const char *name;

    /* The parameters of a rule, strictly: AG_EINVAL with a sentence. */
    enum ag_err (*check)(const json_t *params);

    /* Whether it can rotate the value there is, when a rule is set; NULL: any.
     * Errors: AG_EINVAL with a sentence. */
    enum ag_err (*suits)(const json_t *params, const struct secret *value);

    /* The new value, when it is ours to make: it is sealed before the provider
     * hears of it. NULL, or AG_ENOTFOUND: the provider makes it in `prepare`. */
    enum ag_err (*make)(const json_t *params, struct secret **ret);

    /* Instead of make(), when the new value has something of the one there is.
     * Errors: AG_EINVAL with a sentence: not from that value. */
    enum ag_err (*make_from)(const struct secret *old, struct secret **ret);

    /* The program on record that the acts need; NULL: none. Borrowed. */
    const char *(*program_name)(const json_t *params);

    /* The value it makes has no format: for secrets of kinds that have none. */
    bool makes_plain;

    /* The provider makes the new value and retires the old one at once, and core
     * asks it, by a login's refresh: there is no act, and nothing to undo. */
    bool refreshes;

    /* Blocks. NULL: there is nothing to do outside the vault. Errors: only what
     * is wrong with us (AG_ENOMEM, AG_EMEMLOCK): the act is then unsure. */
    enum ag_err (*act)(const struct rotator_call *call,
                       struct rotator_answer *ret);
};

/* Errors: AG_EINVAL with the list of those there are. */
AG_CHECK AG_NONNULL enum ag_err rotator_find(const char *name,
                                             const struct rotator **ret);

/* Has it no other parameters than those named, up to NULL? */
AG_NONNULL bool params_only(const json_t *params, const char *const *names);

const char *rotator_act_text(enum rotator_act act);

#endif
