/*
 * pass_impl.h - what the two files about passed requests share: pass.c has the
 * steps of one, passes.c the thread and all of them.
 * Floor: http, and only this folder includes it.
 */
#ifndef AG_HTTP_PASS_IMPL_H
#define AG_HTTP_PASS_IMPL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/pass.h"

struct MHD_Response;

enum {
    PASS_WHY_BYTES = 200,
};

enum pass_phase {
    PASS_HEAD,     /* not asked yet */
    PASS_DECIDING, /* with the thread that may block */
    PASS_BODY,     /* its body is read */
    PASS_SENT,     /* the answer is MHD's */
};

struct pass {
    TAILQ_ENTRY(pass) all;
    TAILQ_ENTRY(pass) queued;
    struct passes *owner;
    struct MHD_Connection *mhd;
    struct conn *conn;
    char *target;
    char *method;
    struct request_field fields[PASS_FIELDS_MAX_COUNT];
    size_t field_count;
    int64_t body_bytes;
    uint64_t dropped_bytes;
    /* MHD's thread only: */
    bool past_head; /* MHD reads the body now */
    bool taken;
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
    bool stopping;
    struct pass_list all;
    struct pass_list queue;
};

AG_NONNULL void pass_move(struct pass *pass, enum pass_phase phase);

/* Asks the answerer; what it says but AG_EBLOCKS is settled. */
AG_CHECK AG_NONNULL enum ag_err pass_ask(struct pass *pass, bool may_block);

/* Is there somebody at work for it? */
AG_NONNULL bool pass_is_answered(struct pass *pass);

/* To the thread that may block. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err passes_push(struct pass *pass);

#endif
