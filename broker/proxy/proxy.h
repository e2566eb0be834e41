/*
 * proxy.h - the reverse proxy: requests of tasks go out with the value in the
 * placeholder's stead, answers come back through the filter.
 * Floor: proxy. Depends on: core/permit, upstream/upstream, redact/redactor.
 *
 * The HTTP side is not seen here: the daemon ties struct proxy_client to it.
 *
 * A request is rebuilt, never sent as it came (rebuild.h). Its body passes
 * through in parts, searched for placeholders; a word that may still become one
 * is held back, and nothing at all is sent before 64 KiB of it, or all, was
 * searched. The answer passes through in parts too, let out at the ends of
 * lines, with no value of the task's in it (answer.h). Neither is ever whole
 * in memory. The same for messages of a WebSocket (reframe.h).
 */
#ifndef AG_PROXY_PROXY_H
#define AG_PROXY_PROXY_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/request.h"

struct core;
struct flight;
struct peer;
struct proxy;
struct upstream;

enum {
    PROXY_BODY_CHUNKED = -1,
    PROXY_BODY_NONE = -2,
    PROXY_FIELDS_MAX_COUNT = 64,
};

/* What flight_give() says besides a length. */
enum {
    PROXY_WAIT = 0,
    PROXY_END = -1,
    PROXY_BROKEN = -2,
};

/* Texts are borrowed until flight_end(), the rest for the call. */
struct proxy_request {
    struct span method;
    enum request_via via;
    struct span target; /* /p/SERVICE/… or /t/TASK/SERVICE/… */
    const struct request_field *fields;
    size_t field_count;
    int64_t body_bytes;
    struct peer *peer;
};

struct proxy_answer {
    int status;
    int64_t body_bytes; /* or PROXY_BODY_CHUNKED */
    const struct request_field *fields;
    size_t field_count;
    /* All of the body, if it is here, in memory for wipe_free(): the client's.
     * flight_give() then has nothing more. Or NULL. */
    uint8_t *whole;
    size_t whole_len;
};

/* Whose request it is. Called from the upstream's thread, or within a call of
 * the flight's own; they must not call back. */
struct proxy_client {
    void (*answer)(void *arg, const struct proxy_answer *answer);
    void (*fail)(void *arg, enum ag_err err, const char *why);
    void (*wake)(void *arg);
    void *arg;
};

/* Both are borrowed and outlive the proxy. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
proxy_new(struct core *core, struct upstream *upstream, struct proxy **ret);
void proxy_free(struct proxy *proxy);
AG_DEFINE_CLEANUP(proxy, proxy_free)

/*
 * Decides, rebuilds, starts. Without may_block AG_EBLOCKS means: nothing was
 * done, ask again with it.
 * Ownership: *ret is the caller's, flight_end().
 * Errors: those of permit_decide() and upstream_start(); AG_EINVAL the target.
 */
AG_CHECK AG_NONNULL enum ag_err
flight_begin(struct proxy *proxy, const struct proxy_request *request,
             bool may_block, const struct proxy_client *client,
             struct flight **ret);

/* How much of the body it took. A placeholder in it fails the flight; blocks
 * for the record then. Threads: one at a time, with flight_taken(). */
AG_NONNULL size_t flight_take(struct flight *flight, struct span part);
AG_NONNULL void flight_taken(struct flight *flight);

/* After an answer of 101 the client's bytes go to flight_take(), and what
 * flight_give() has is raw. Called when the client sends no more. */
AG_NONNULL void flight_left(struct flight *flight);

/* Bytes of the answer's body. Threads: one at a time. */
AG_NONNULL ssize_t flight_give(struct flight *flight, uint8_t *into,
                               size_t room);

/* Does its task run, is the vault open? Threads: any. */
AG_NONNULL bool flight_wanted(struct flight *flight);

/* Breaks it off. Threads: any. */
AG_NONNULL void flight_cut(struct flight *flight);
void flight_end(struct flight *flight);

#endif
