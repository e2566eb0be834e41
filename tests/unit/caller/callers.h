/*
 * callers.h - actors that connect, a witness that knows them, and the tables
 * by which they are classed, for each test.
 */
#ifndef AG_TESTS_CALLERS_H
#define AG_TESTS_CALLERS_H

#include "caller/class.h"
#include "caller/peer.h"
#include "caller/session.h"
#include "caller/tree.h"
#include "common/actor.h"
#include "privsep/spawn.h"
#include "privsep/witness.h"

enum {
    TASK = 7,
    OTHER_TASK = 8,
    NOW = 1000,
    LATER = 2000,
    NAMES_COUNT = 100,
};

struct callers {
    struct witness *witness;
    const struct proc_source *source;
    struct tree *tree;
    struct sessions *sessions;
    int unix_name;
    int unix_listener;
    int tcp_listener;
    uint16_t port;
};

static inline int
callers_begin(void **state)
{
    static struct callers f;

    check_ok(witness_start(NULL, NULL, &f.witness));
    f.source = witness_source(f.witness);
    check_ok(tree_new(&f.tree));
    check_ok(sessions_new(&f.sessions));
    /* A name of its own: an actor may hold the last one as it dies. */
    f.unix_name = getpid() * NAMES_COUNT + (f.unix_name + 1) % NAMES_COUNT;
    f.unix_listener = actor_listen_unix(f.unix_name);
    f.tcp_listener = actor_listen_tcp(AF_INET, &f.port);
    actors_begin();
    *state = &f;
    return 0;
}

static inline int
callers_end(void **state)
{
    struct callers *f = *state;

    actors_end();
    (void)close(f->tcp_listener);
    (void)close(f->unix_listener);
    sessions_free(f->sessions);
    tree_free(f->tree);
    witness_stop(f->witness);
    return 0;
}

/* ---- what the tests are made of ---- */

static inline struct proc_facts
facts_of(struct callers *f, size_t actor)
{
    struct proc_facts facts = {.sid = 0};

    check_ok(f->source->facts(f->source->ctx, actors.pid[actor], &facts));
    return facts;
}

/* Whoever is first in the queue of the Unix socket. */
static inline struct peer *
accept_peer(struct callers *f)
{
    struct peer *p = NULL;
    int sock = accept4(f->unix_listener, NULL, NULL, SOCK_CLOEXEC);

    assert_true(sock >= 0);
    check_ok(peer_from_unix(sock, f->source, &p));
    (void)close(sock);
    return p;
}

static inline struct peer *
connect_actor(struct callers *f, size_t actor)
{
    assert_true(actor_do(actor, ACT_CONNECT_UNIX, f->unix_name) >= 0);
    return accept_peer(f);
}

static inline struct caller_answer
decide(struct callers *f, const struct peer *p, enum caller_token token)
{
    const struct caller_question question = {
        .peer = p,
        .tree = f->tree,
        .sessions = f->sessions,
        .own_uid = geteuid(),
        .token = token,
        .token_task_id = token == CALLER_TOKEN_NONE ? 0 : OTHER_TASK,
        .now_ms = NOW,
    };

    return caller_decide(&question);
}

static inline void
check_class(struct callers *f, const struct peer *p, enum caller_class want)
{
    struct caller_answer answer = decide(f, p, CALLER_TOKEN_NONE);

    assert_string_equal(caller_class_name(answer.class),
                        caller_class_name(want));
    assert_int_equal(answer.task_id, want == CALLER_TASK ? TASK : 0);
}

/* Connects, decides, lets go. */
static inline void
check_actor(struct callers *f, size_t actor, enum caller_class want)
{
    AG_AUTO(peer) struct peer *p = connect_actor(f, actor);

    check_class(f, p, want);
}

/* Approves the session of this test program, and proves for `actor`. */
static inline void
approve(struct callers *f, size_t actor)
{
    struct proc_facts who = facts_of(f, actor);

    check_ok(sessions_approve(f->sessions, &who, NOW, LATER));
}

/* Actor 0 leads a session that is approved and has a task: it is its root. */
static inline void
start_operator_with_task(struct callers *f)
{
    actor_start(0);
    assert_true(actor_do(0, ACT_SETSID, 0) > 0);
    assert_int_equal(actor_do(0, ACT_SUBREAPER, 0), 0);
    approve(f, 0);
    check_ok(tree_add(f->tree, facts_of(f, 0).self, TASK));
}

#endif
