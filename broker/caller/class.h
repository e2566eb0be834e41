/*
 * class.h - the decision of DESIGN.md 3.2: facts, tables and the token shown
 * give one class; first match wins.
 * Floor: caller. Depends on: caller/peer, caller/tree, caller/session.
 */
#ifndef AG_CALLER_CLASS_H
#define AG_CALLER_CLASS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct peer;
struct sessions;
struct tree;

enum caller_class {
    CALLER_OTHER,     /* another uid, or nothing could be established */
    CALLER_NEIGHBOUR, /* this uid, nothing more */
    CALLER_SERVICE,   /* shows a role token */
    CALLER_OPERATOR,  /* in an approved session */
    CALLER_PROOF,     /* operator with fresh proof */
    CALLER_TASK,      /* in a task's tree: never any of the above */
    CALLER_CLASS_COUNT,
};

/* For a route's row: which classes may. An operator with proof is one. */
enum caller_mask {
    CALLER_MAY_NONE = 0,
    CALLER_MAY_NEIGHBOUR = 1 << CALLER_NEIGHBOUR,
    CALLER_MAY_SERVICE = 1 << CALLER_SERVICE,
    CALLER_MAY_PROOF = 1 << CALLER_PROOF,
    CALLER_MAY_OPERATOR = 1 << CALLER_OPERATOR | 1 << CALLER_PROOF,
    CALLER_MAY_TASK = 1 << CALLER_TASK,
    /* Health, status, unlock: everybody of this uid but a task. */
    CALLER_MAY_OUTSIDE =
        1 << CALLER_NEIGHBOUR | 1 << CALLER_SERVICE | CALLER_MAY_OPERATOR,
    CALLER_MAY_ALL = CALLER_MAY_OUTSIDE | 1 << CALLER_TASK,
};

static inline bool
caller_may(enum caller_class class, unsigned int mask)
{
    return (mask >> class & 1u) != 0;
}

/* "other", "neighbour", … for logs and the record. Static. */
const char *caller_class_name(enum caller_class class);

/* What the valid token of this request is; core/ has looked it up. */
enum caller_token {
    CALLER_TOKEN_NONE, /* none, or one that is no good */
    CALLER_TOKEN_TASK,
    CALLER_TOKEN_TASK_UNBOUND, /* the operator freed it from its tree */
    CALLER_TOKEN_ROLE,
};

struct caller_question {
    const struct peer *peer;
    struct tree *tree;
    struct sessions *sessions;
    uid_t own_uid; /* the uid that is served; 0 only for a broker of root's */
    enum caller_token token;
    int64_t token_task_id; /* of a task token, else 0 */
    int64_t now_ms;        /* clock_steady_ms() */
};

struct caller_answer {
    enum caller_class class;
    int64_t task_id; /* with CALLER_TASK: the tree it is in, or an unbound
                        token's task; else 0 */
    enum ag_err why; /* AG_OK, or why it is CALLER_OTHER: AG_EDENIED another
                        uid, AG_EPROCESS its process is gone, AG_EUNTRACED not
                        established */
};

/*
 * 1. another uid, a dead connector, nothing established     other
 * 2. a proper descendant of a task's root                    task (that one)
 * 3. an unbound task token                                   task (the token's)
 * 4. a role token                                            service
 * 5. an approved session on a Unix socket, proof or not      operator / proof
 * 6. the rest                                                neighbour
 *
 * A bound token shown from outside its tree changes nothing here: whoever
 * checks the token compares its task with `task_id` and revokes.
 * Over TCP a peer that was not traced is `other`, but for an unbound token,
 * which asks for no process (a container, a port forward); one that was found
 * outside every tree is at most a neighbour or a service.
 * Threads: safe. Blocks: no (one poll of the pidfd).
 */
AG_NONNULL struct caller_answer caller_decide(const struct caller_question *q);

#endif
