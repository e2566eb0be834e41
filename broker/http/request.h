/*
 * request.h - one request as a handler sees it: who asks, the decoded path,
 * query and body, and the reply it fills. MHD is not visible here.
 * Floor: http. Depends on: core/call, core/core, wire/emit, base/buf.
 */
#ifndef AG_HTTP_REQUEST_H
#define AG_HTTP_REQUEST_H

#include <stdatomic.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/call.h"
#include "core/core.h"
#include "core/mint.h"
#include "http/conn.h"
#include "http/problem.h"

struct MHD_Connection;
struct authority_keys;
struct core;
struct db_tx;
struct dispatch;
struct route;
struct secret;
struct server;

enum {
    REQUEST_PARAMS_MAX_COUNT = 1, /* no path has more; a request stays below
                                     1 KiB, what malloc() gives cheaply */
    REQUEST_PARAM_BYTES = 256,    /* NAME_MAX_BYTES and a NUL */
};

enum request_phase {
    REQUEST_BODY,    /* being received */
    REQUEST_AT_WORK, /* suspended: on the writer's or a work thread */
    REQUEST_READY,   /* the reply is there */
};

struct reply {
    int status;          /* 200 unless set */
    const char *type;    /* static; application/json unless set */
    char allow_text[64]; /* with 405: the Allow header */
    struct buf body;     /* BUF_WIPE */
    bool close;          /* of the connection, after it */
};

struct request {
    struct core_job job; /* first: the writer gives it back */
    struct server *server;
    struct dispatch *dispatch;
    struct MHD_Connection *mhd;
    struct conn *conn;
    const struct route *route; /* NULL until routed */
    struct core *core;
    struct db_tx *tx; /* on the writer thread only */
    struct call call;
    bool admitted; /* `call` is to be given back */
    /* Atomic: READY is published by one thread and seen by another. */
    _Atomic(enum request_phase) phase;
    struct request *next; /* of a work queue */
    /* Of one that goes on as a writer's job: what may have to be waited for
     * first, with `mint`; NULL: nothing. */
    enum ag_err (*await)(struct request *rq, bool *ret_waits);
    struct mint_wait mint;
    void (*step)(struct request *rq); /* what a work thread is to do */
    char id[REQUEST_ID_BYTES];
    char param[REQUEST_PARAMS_MAX_COUNT][REQUEST_PARAM_BYTES];
    void *query;                 /* the struct of route->query, or NULL */
    void *body;                  /* the struct of route->body, or NULL */
    struct authority_keys *keys; /* of a task's start: h_task_prepare()'s */
    struct buf raw_body;
    struct reply reply;
};

/* A handler: AG_OK with the reply filled, or the failure. */
typedef enum ag_err (*handler_fn)(struct request *rq);

/* Fills the reply with a tree and drops it, also on error. NULL is {}. */
AG_CHECK enum ag_err reply_json(struct request *rq, json_t *tree);

/*
 * The common end of handlers: `err` unchanged, or *tree, which the same call
 * may have filled (hence the pointer), as the reply. *tree is dropped.
 */
AG_CHECK AG_NONNULL enum ag_err reply_with(struct request *rq, enum ag_err err,
                                           json_t **tree);

/* {name, version, value, encoding}, written by hand: the hottest answer. Without
 * a name (NULL) only the last two. */
AG_CHECK enum ag_err reply_value(struct request *rq, const char *name,
                                 int64_t version, const struct secret *value);

/* 204 without a body. */
AG_CHECK AG_NONNULL enum ag_err reply_none(struct request *rq, enum ag_err err);

/* Replaces whatever is there by problem+json; err_text() is the detail. */
AG_NONNULL void reply_problem(struct request *rq, enum ag_err err,
                              const char *detail);

AG_CHECK AG_NONNULL enum ag_err request_new(struct server *server,
                                            struct request **ret);
void request_free(struct request *rq);

#endif
