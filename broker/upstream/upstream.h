/*
 * upstream.h - the broker's calls out: HTTP requests to services, streamed
 * both ways, many at once.
 * Floor: upstream. Depends on: upstream/guard, base/reactor, libcurl (its
 * OpenSSL build).
 *
 * A call runs on the thread that starts it, if that is a reactor's, with a
 * libcurl multi handle of that thread: who serves a client there waits for no
 * other thread. Calls from other threads share one of the upstream's own, which
 * comes with the first of them. The limits are over all threads together; a
 * connection stays with its thread.
 * HTTP/2 where the service offers it, else HTTP/1.1; one call at a time on a
 * connection, which is then kept for the next call of the same owner, never
 * for another's: no stream waits behind another task's, and whatever a service
 * ties to a connection stays with whom it was tied to. TLS 1.2 or newer, always
 * verified. Nothing is followed, remembered or read from elsewhere: no
 * redirects, cookies, caches, .netrc, proxies of the environment. Bodies pass
 * as they are (only chunking is taken off).
 *
 * A call holds some 200 KiB however much passes through it.
 *
 * Values in memory: fields marked secret lie in locked memory until the answer
 * begins. Copies that libcurl makes are wiped when it frees them: its send
 * buffer when the call ends, at the latest. Out of reach, until the connection
 * closes, is HTTP/2's compression table in nghttp2, which keeps every field but
 * `authorization`; all connections of a thread close after two minutes without a
 * call there, and the daemon's allocator overwrites what is freed (M_PERTURB).
 */
#ifndef AG_UPSTREAM_UPSTREAM_H
#define AG_UPSTREAM_UPSTREAM_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct upstream;
struct upstream_call;

/* clang-format off */
/*    name             default   min    max    what it bounds */
#define UPSTREAM_LIMITS(X)                                                                          \
    X(calls,               64,     1,   1024, "calls to services at one time")                      \
    X(calls_per_host,      32,     1,   1024, "of these to one host and port")                      \
    X(waiting,            256,     0,   4096, "calls that may wait for their turn; then busy")      \
    X(wait_s,              30,     1,   3600, "a call waits for its turn at most this long")        \
    X(connections,         64,     1,   1024, "connections kept, those at rest included")           \
    X(connect_s,           10,     1,    600, "a connection must be made this fast")                \
    X(first_byte_s,       120,     0,  86400, "an answer must begin this long after the request")   \
    X(idle_s,             300,     0,  86400, "an answer may be silent this long")                  \
    X(whole_s,              0,     0, 604800, "a call may take this long in all")

/* clang-format on */

struct upstream_limits {
#define UPSTREAM_LIMIT_FIELD(name, otherwise, min, max, what) int64_t name;
    UPSTREAM_LIMITS(UPSTREAM_LIMIT_FIELD)
#undef UPSTREAM_LIMIT_FIELD
};

static inline struct upstream_limits
upstream_limits_default(void)
{
#define UPSTREAM_LIMIT_DEFAULT(name, otherwise, min, max, what)                \
    .name = (otherwise),
    return (struct upstream_limits){UPSTREAM_LIMITS(UPSTREAM_LIMIT_DEFAULT)};
#undef UPSTREAM_LIMIT_DEFAULT
}

enum {
    UPSTREAM_METHOD_MAX_BYTES = 32,
    UPSTREAM_TARGET_MAX_BYTES = 16 * 1024,
    UPSTREAM_FIELDS_MAX_COUNT = 128,
    UPSTREAM_HEAD_MAX_BYTES = 64 * 1024, /* of a request's fields */
    UPSTREAM_ANSWER_FIELDS_MAX_COUNT = 256,
    UPSTREAM_ANSWER_HEAD_MAX_BYTES = 128 * 1024, /* with its trailers */
};

/* Body lengths that are not a length. */
enum {
    UPSTREAM_BODY_CHUNKED = -1, /* as long as it gets */
    UPSTREAM_BODY_NONE = -2,    /* none, and no Content-Length said */
};

enum upstream_flags {
    UPSTREAM_PLAIN = 1 << 0,   /* http, not https: the grant says so */
    UPSTREAM_INNER = 1 << 1,   /* the grant names this host as an inner one */
    UPSTREAM_UPGRADE = 1 << 2, /* after a 101 the bytes are the caller's */
    UPSTREAM_EXPECT = 1 << 3,  /* the body waits for 100, or for a second */
    UPSTREAM_DIAL = 1 << 4,    /* upstream_dial() sets it */
    UPSTREAM_APART = 1 << 5,   /* on the upstream's own thread: the call may
                                  outlive the reactor it is started on */
};

struct upstream_field {
    struct span name;
    struct span value;
    bool secret; /* of a request: keep it in locked memory */
};

/* 0: no limit. */
struct upstream_times {
    int64_t connect_ms;    /* name, connection, TLS */
    int64_t first_byte_ms; /* from the last byte sent to the first received */
    int64_t idle_ms;       /* between two bytes of the answer */
    int64_t whole_ms;      /* the call, from when its turn came */
};

struct upstream_request {
    struct span method;
    struct span host;   /* see guard_read_host() */
    uint16_t port;      /* 0: 443, or 80 with UPSTREAM_PLAIN */
    struct span target; /* path and query, sent byte for byte */
    const struct upstream_field *fields;
    size_t field_count;
    int64_t body_bytes;
    uint32_t owner; /* whose credential this is: see above */
    unsigned flags; /* enum upstream_flags */
    const struct upstream_times *times; /* NULL: those of the limits */
};

/* Where upstream_dial() goes. */
struct upstream_target {
    struct span host;
    uint16_t port; /* never 0 */
    uint32_t owner;
    bool inner; /* as UPSTREAM_INNER */
};

enum upstream_flow {
    UPSTREAM_GO,
    UPSTREAM_WAIT, /* nothing taken or given; upstream_resume() asks anew */
};

/* The beginning of an answer. Fields are in the service's order, with every
 * repetition; for HTTP/2 names are lower case. */
struct upstream_head {
    int status;
    const struct upstream_field *fields;
    size_t field_count;
};

/*
 * What a call tells and asks, all on the call's thread, one at a time there, so
 * none may block, and never within upstream_start() or another event; what they lend is borrowed until they return. Order: on_send
 * as long as there is a body; on_head once; on_body; on_trailers at most once;
 * on_end once, the last; on_turn behind any of them but the last. An interim
 * answer (100, 103) is not told.
 */
struct upstream_events {
    /* Fills `into`, sets *ret_len; UPSTREAM_GO with 0 is the end of the body.
     * May be NULL if there is no body and no upgrade. */
    enum upstream_flow (*on_send)(void *ctx, uint8_t *into, size_t room,
                                  size_t *ret_len);
    void (*on_head)(void *ctx, const struct upstream_head *head);
    enum upstream_flow (*on_body)(void *ctx, struct span part);
    /* May be NULL. */
    void (*on_trailers)(void *ctx, const struct upstream_field *fields,
                        size_t count);
    /* May be NULL. All that had arrived was read, and some of it was told: who
     * only passes on that there is something does it here, once. Not told
     * after on_end. */
    void (*on_turn)(void *ctx);
    /* Of upstream_dial(): a connected socket, non-blocking, taken over. */
    void (*on_dialed)(void *ctx, int fd);
    /* AG_OK: the answer is whole. err_text(err) names the host; see
     * upstream_start() for the errors. */
    void (*on_end)(void *ctx, enum ag_err err);
};

/*
 * `ca_file` has the roots to trust, NULL for the system's. Call before the
 * process has threads and before it confines itself: libcurl is set up, and
 * variables that would steer it, OpenSSL or the resolver are taken out of the
 * environment.
 * Errors: AG_ENOMEM, AG_EUNSUPPORTED (a libcurl without OpenSSL or HTTP/2),
 *         AG_ENOTFOUND `ca_file` can't be read.
 */
AG_CHECK enum ag_err upstream_new(const struct upstream_limits *limits,
                                  const char *ca_file, struct upstream **ret);

/* Every call must have been given to upstream_cancel() before, and each reactor
 * whose thread started one be freed, which wants the same of its calls but those
 * that are UPSTREAM_APART. NULL allowed. */
void upstream_free(struct upstream *u);
AG_DEFINE_CLEANUP(upstream, upstream_free)

/* For calls that start from now on. Threads: safe. */
AG_NONNULL void upstream_set_limits(struct upstream *u,
                                    const struct upstream_limits *limits);

/*
 * Starts a call. *ret is set before the first event. Fields that are decided
 * here are refused in `fields`: Host, Content-Length, Transfer-Encoding,
 * Connection, Expect, Trailer, Keep-Alive, Proxy-*, TE but for "trailers", and
 * Upgrade without UPSTREAM_UPGRADE.
 *
 * With UPSTREAM_UPGRADE the request is HTTP/1.1 with `Connection: Upgrade`;
 * after a 101 on_send and on_body carry the raw bytes, before it on_send is not
 * asked. Any other answer is an ordinary one.
 *
 * Ownership: inputs are borrowed for the call; `events` and `ctx` must live
 *            until upstream_cancel(). The caller gives *ret to upstream_cancel()
 *            in the end, also after on_end.
 * Errors:    AG_EINVAL   the request is not one (with a sentence);
 *            AG_EADDRESS the host is an address that may not be called;
 *            AG_ELIMIT   too many fields, or too long;
 *            AG_EBUSY    too many calls wait already;
 *            AG_EMEMLOCK, AG_ENOMEM.
 *            By on_end, besides: AG_EADDRESS the name stands for no address
 *            that may be called; AG_EUNREACHABLE no address, no connection;
 *            AG_EUPTLS; AG_EUPSTREAM; AG_EUPTIME; AG_EBUSY its turn did not
 *            come; AG_EINVAL on_send ended before the length said.
 * Threads:   safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err
upstream_start(struct upstream *u, const struct upstream_request *request,
               const struct upstream_events *events, void *ctx,
               struct upstream_call **ret);

/*
 * A connection alone, under the same guard, limits and times: on_dialed, then
 * on_end; or on_end with what went wrong. Its bytes are the caller's.
 * Errors, threads, ownership: as upstream_start().
 */
AG_CHECK AG_NONNULL enum ag_err
upstream_dial(struct upstream *u, const struct upstream_target *target,
              const struct upstream_events *events, void *ctx,
              struct upstream_call **ret);

/* After UPSTREAM_WAIT: asks on_send, on_body again. Never lost, may be early.
 * Threads: any, also within an event. */
AG_NONNULL void upstream_resume(struct upstream_call *call);

/*
 * Ends the call if it has not ended, and gives it back. When it returns no
 * event of the call runs or will: it waits for one that does, so it must not be
 * called with a lock that an event takes; within an event of this call it does
 * not wait. NULL is allowed. Threads: any.
 */
void upstream_cancel(struct upstream_call *call);

#endif
