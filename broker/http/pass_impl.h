/*
 * pass_impl.h - what the files about passed requests share: pass.c has the steps
 * of one, pass_head.c its head, passes.c the thread and all of them.
 * Floor: http, and only this folder includes it.
 */
#ifndef AG_HTTP_PASS_IMPL_H
#define AG_HTTP_PASS_IMPL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/pass.h"

struct MHD_Response;
struct pass_switch;

#define PASS_STOPS "the broker is stopping"

enum {
    PASS_WHY_BYTES = 200,
};

enum pass_phase {
    PASS_HEAD,     /* not asked yet */
    PASS_DECIDING, /* asked, maybe by the thread that may block; not resumed */
    PASS_BODY,     /* its body is read */
    PASS_SENT,     /* the answer is MHD's */
    PASS_SWITCHED, /* a 101 is out: the thread of those has the connection */
    PASS_CLOSED,   /* it has given it back */
};

struct pass {
    TAILQ_ENTRY(pass) all;
    TAILQ_ENTRY(pass) queued;
    struct passes *owner;
    bool was_cut; /* under the lock of `owner` */
    struct MHD_Connection *mhd;
    struct conn *conn;
    char *target;
    char *method;
    struct request_field *fields; /* once it is begun */
    size_t field_count;
    int64_t body_bytes;
    /* MHD's thread only: */
    bool past_head; /* MHD reads the body now */
    bool taken;
    bool dropped; /* some of the body reached nobody */
    int status;
    void *state; /* the answerer's; NULL: it refused */
    /* Over all below, and over who suspends and resumes. */
    pthread_mutex_t lock;
    enum pass_phase phase;
    bool suspended;
    bool woken;
    bool settled; /* `response` or `err` is there */
    struct MHD_Response *response;
    enum ag_err err;
    char why[PASS_WHY_BYTES];
};

TAILQ_HEAD(pass_list, pass);

struct passes {
    struct pass_app app;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t more;
    pthread_t thread;
    bool has_thread;
    bool stopping; /* the thread */
    bool rests;    /* the thread: there was nothing for a whole look */
    uint64_t new_count;
    struct pass_list all;
    struct pass_list queue;
    struct pass_switch *_Atomic switched; /* pass_switch.c; from the first on */
    /* Not suspended any more, but MHD is still to be told: it may not be stopped
     * before. */
    atomic_size_t resuming_count;
    atomic_bool stops; /* no more are begun, and those under way are cut */
};

/* Fields and length, borrowed from MHD: pass_head.c. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err pass_read_head(struct pass *pass);

/* A token of the broker's goes no further (proxy/rebuild.h), and does not stay
 * in memory. */
AG_NONNULL void pass_wipe_tokens(struct pass *pass);

AG_NONNULL void pass_move(struct pass *pass, enum pass_phase phase);

/* Asks the answerer; false (AG_EBLOCKS): ask again with may_block. Else it is
 * settled, or under way. */
AG_CHECK AG_NONNULL bool pass_ask(struct pass *pass, bool may_block);

/* After pass_ask(), whoever asked: the pass is not the caller's any more. */
AG_NONNULL void pass_decided(struct pass *pass);

/* Is it suspended, or about to be? MHD may not be stopped then. */
AG_NONNULL bool pass_is_held(struct pass *pass);

/* Is its connection that of another protocol now? */
AG_NONNULL bool pass_is_switched(struct pass *pass);

/* Is there somebody at work for it? */
AG_NONNULL bool pass_is_answered(struct pass *pass);

/* An answer of 101. NULL: no memory. */
struct MHD_Response *pass_switch_response(struct pass *pass);

/* Somebody woke one of them. NULL is allowed. */
void pass_switch_wake(struct pass_switch *all);

/* None may be left. NULL is allowed. */
void pass_switch_free(struct pass_switch *all);

/* To the thread that may block. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err passes_push(struct pass *pass);

#endif
