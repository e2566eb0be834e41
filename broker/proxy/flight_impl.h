/*
 * flight_impl.h - what the parts of a flight share: flight_up.c has the
 * request's body, flight_down.c the answer, flight.c the whole.
 * Floor: proxy, and only this folder includes it.
 */
#ifndef AG_PROXY_FLIGHT_IMPL_H
#define AG_PROXY_FLIGHT_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "core/call.h"
#include "core/permit.h"
#include "proxy/backlog.h"
#include "proxy/decode.h"
#include "proxy/proxy.h"
#include "proxy/rebuild.h"
#include "upstream/upstream.h"

struct body_json;
struct flight_login;
struct flight_socket;
struct later;
struct matcher;
struct proxy_head;
struct redactor;

enum {
    /* A word that may yet be a placeholder is not sent; what is longer than one
     * can be is. */
    FLIGHT_WORD_MAX_BYTES = 512,
    FLIGHT_UP_BYTES = 64 * 1024,    /* of a request's body on its way */
    FLIGHT_DOWN_BYTES = 128 * 1024, /* of an answer's: more is not read */
    /* What the filter may let out at once on top: a line and a part of 64 KiB
     * each, and markers for what is shorter. */
    FLIGHT_DOWN_MAX_BYTES = 4 * FLIGHT_DOWN_BYTES,
};

struct proxy {
    struct core *core;
    struct upstream *upstream;
    struct later *later;
    struct sieves *sieves;
    struct shares *shares;
};

/*
 * One request. Three threads meet here: the client's (take, give), the
 * upstream's (events), and whoever cuts. Nothing of the client's is called
 * under the lock, nor is upstream_cancel().
 */
struct flight {
    struct proxy *proxy;
    struct proxy_client client;
    struct call call;
    struct permit_scan *scan; /* the client's thread only */
    struct matcher *filter;
    struct body_json *json;     /* NULL: the body passes through `up` */
    struct permit_meter *meter; /* NULL: bytes are not counted */
    /* What will be sent, until it is; the client's thread only. */
    struct permit permit;
    struct rebuilt rebuilt;
    struct upstream_request request;
    struct flight_login *login;   /* flight_login.h; NULL: none is concerned */
    struct flight_socket *socket; /* flight_socket.h; NULL: none is asked for */
    struct permit_sent sent;      /* these as of the permit */
    int64_t login_id;
    int64_t login_version;
    pthread_mutex_t lock;
    /* Under the lock: */
    struct upstream_call *out; /* NULL: not sent yet */
    size_t up_taken_bytes;
    uint8_t *up; /* FLIGHT_UP_BYTES, NULL without a body; from up_at: up_ready
                    bytes to be sent, then the held word */
    size_t up_at;
    size_t up_ready;
    size_t up_held;
    bool up_done;
    bool up_waits;   /* the upstream asked and got nothing */
    bool take_waits; /* the client could not give all */
    struct backlog down;
    bool down_waits;
    bool ended; /* the answer is whole, or `err` */
    bool cut;
    enum ag_err err;
    /* The upstream's thread only: */
    struct redactor *sieve;         /* from the head to the end of the text */
    struct decode *decode;          /* NULL: the answer is not encoded */
    struct decode_memory *decoding; /* the task's share, with the former */
    size_t decode_taken_bytes;      /* of the part that comes again */
    struct proxy_head *head;        /* until it is told */
    int status;
    bool swallows; /* this call's answer is not the client's */
    bool has_head;
    int64_t body_bytes; /* promised; or PROXY_BODY_CHUNKED */
    int64_t came_bytes; /* of the text, to the sieve */
    int64_t given_bytes;
};

/* The end of it, told to the client. */
AG_NONNULL void flight_fail(struct flight *f, enum ag_err err, const char *why);

/* What was permitted, rebuilt. Errors: those of rebuild(). */
AG_CHECK AG_NONNULL enum ag_err flight_prepare(struct flight *f,
                                               const struct request_ask *ask,
                                               int64_t body_bytes);

/* Sends it: of a body all, or as much as fits, was searched before. With a
 * login that is waited for it is sent later. */
AG_CHECK AG_NONNULL enum ag_err flight_launch(struct flight *f);

/* The decision on f->call's request, and what will be sent; not yet with
 * f->permit.in_body or .mint_id. Errors: those of permit_decide(). */
AG_CHECK AG_NONNULL enum ag_err
flight_decide(struct flight *f, const struct permit_ask *ask, bool may_block);

/* A body that was kept whole is: decides on it, and sends it; what goes wrong is
 * told. Blocks. */
AG_NONNULL void flight_send_kept(struct flight *f);

/* Sends it now. */
AG_CHECK AG_NONNULL enum ag_err flight_send(struct flight *f);

/* Was it sent? The call out, taken off; asks it to go on. */
AG_NONNULL bool flight_is_out(struct flight *f);
AG_NONNULL struct upstream_call *flight_take_out(struct flight *f);
AG_NONNULL void flight_resume(struct flight *f);

/* A placeholder in the body; for permit_scan_new(). Blocks. Errors: those of
 * permit_stray(). */
AG_CHECK AG_NONNULL enum ag_err flight_on_stray(void *arg, uint64_t id);

/* Can a placeholder have it? */
bool flight_is_word(uint8_t c);

/* upstream_events.on_send */
enum upstream_flow flight_on_send(void *ctx, uint8_t *into, size_t room,
                                  size_t *ret_len);

/* The others of them: flight_down.c. */
void flight_on_head(void *ctx, const struct upstream_head *head);
enum upstream_flow flight_on_body(void *ctx, struct span part);
void flight_on_turn(void *ctx);
void flight_on_end(void *ctx, enum ag_err err);

/* NULL is allowed. */
void flight_head_free(struct proxy_head *head);

#endif
