/*
 * watched.h - a running witness and the actors it looks at, for each test.
 */
#ifndef AG_TESTS_WATCHED_H
#define AG_TESTS_WATCHED_H

#include <semaphore.h>

#include "common/actor.h"
#include "privsep/spawn.h"
#include "privsep/witness.h"

struct watched {
    struct witness *witness;
    const struct proc_source *source;
    sem_t died;
};

static inline void
watched_death(void *arg)
{
    struct watched *f = arg;

    (void)sem_post(&f->died);
}

static inline int
watched_begin(void **state)
{
    static struct watched f;

    (void)sem_init(&f.died, 0, 0);
    check_ok(witness_start(watched_death, &f, &f.witness));
    f.source = witness_source(f.witness);
    actors_begin();
    *state = &f;
    return 0;
}

static inline int
watched_end(void **state)
{
    struct watched *f = *state;

    actors_end();
    witness_stop(f->witness);
    return 0;
}

static inline struct proc_facts
facts_of(struct watched *f, pid_t pid)
{
    struct proc_facts facts = {.sid = 0};

    check_ok(f->source->facts(f->source->ctx, pid, &facts));
    return facts;
}

/* The same, but who it is only: the facts are large for a stack frame. */
static __attribute__((noinline, unused)) struct proc_ref
ref_of(struct watched *f, pid_t pid)
{
    return facts_of(f, pid).self;
}

/* The members of a tree; asked again while the processes of this machine don't
 * hold still, which is an answer and no failure. */
static inline enum ag_err
tree_of(struct watched *f, struct proc_ref root, struct proc_ref *out,
        size_t cap, size_t *ret_count)
{
    enum ag_err err = AG_EUNTRACED;

    for (int i = 0; i < 1000 && err == AG_EUNTRACED; i++) {
        err = f->source->tree(f->source->ctx, root, out, cap, ret_count);
    }
    return err;
}

#endif
