#include "caller/class.h"

#include "base/proc.h"
#include "caller/peer.h"
#include "caller/session.h"
#include "caller/tree.h"

static const char *const NAMES[CALLER_CLASS_COUNT] = {
    [CALLER_OTHER] = "other",          [CALLER_NEIGHBOUR] = "neighbour",
    [CALLER_SERVICE] = "service",      [CALLER_OPERATOR] = "operator",
    [CALLER_PROOF] = "operator+proof", [CALLER_TASK] = "task",
};

const char *caller_class_name(enum caller_class class)
{
    return NAMES[class];
}

static struct caller_answer answer(enum caller_class class)
{
    return (struct caller_answer){.class = class};
}

static struct caller_answer
task(int64_t task_id)
{
    return (struct caller_answer){.class = CALLER_TASK, .task_id = task_id};
}

static struct caller_answer
other(enum ag_err why)
{
    return (struct caller_answer){.class = CALLER_OTHER, .why = why};
}

/* In no task's tree, of our uid, alive. */
static struct caller_answer
decide_outside(const struct caller_question *q, const struct proc_facts *facts)
{
    if (q->token == CALLER_TOKEN_TASK_UNBOUND) {
        return task(q->token_task_id);
    }
    if (q->token == CALLER_TOKEN_ROLE) {
        return answer(CALLER_SERVICE);
    }
    /* Over TCP nobody is an operator: a browser or a port forward is near. */
    if (facts == NULL || peer_transport(q->peer) != PEER_UNIX ||
        sessions_until(q->sessions, facts, q->now_ms) == 0) {
        return answer(CALLER_NEIGHBOUR);
    }
    return answer(sessions_proof_until(q->sessions, facts, q->now_ms) != 0
                      ? CALLER_PROOF
                      : CALLER_OPERATOR);
}

struct caller_answer
caller_decide(const struct caller_question *q)
{
    const struct proc_facts *facts = peer_facts(q->peer);
    uid_t uid = peer_uid(q->peer);
    int64_t task_id;

    if (facts == NULL && peer_transport(q->peer) == PEER_TCP &&
        q->token == CALLER_TOKEN_TASK_UNBOUND) {
        return task(q->token_task_id);
    }
    if (uid == (uid_t)-1) {
        return other(AG_EUNTRACED);
    }
    if (uid != q->own_uid) {
        return other(AG_EDENIED);
    }
    if (peer_check(q->peer) != AG_OK) {
        return other(AG_EPROCESS);
    }
    if (facts == NULL) {
        /* Only a TCP peer that is outside every tree has a uid but no facts. */
        return peer_transport(q->peer) == PEER_TCP ? decide_outside(q, NULL)
                                                   : other(AG_EUNTRACED);
    }
    /* A process may run as another uid than its connection was made with. */
    if (facts->uid != q->own_uid) {
        return other(AG_EDENIED);
    }
    task_id = tree_task_of(q->tree, facts);
    return task_id != 0 ? task(task_id) : decide_outside(q, facts);
}
