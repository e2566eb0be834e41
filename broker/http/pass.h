/*
 * pass.h - requests below /p/ and /t/, which are passed on: their body streams
 * in, their answer streams out, and who answers is not this floor.
 * Floor: http. Depends on: http/conn, libmicrohttpd.
 *
 * They are read by the same strict layer as all others, but for the limit on
 * bodies and chunked bodies, and only on task.sock and 127.0.0.1. A connection
 * waits, suspended, while its body can't be taken or no answer is there; one
 * thread looks after those: whether their client is still there, and whether
 * the answerer still wants them.
 */
#ifndef AG_HTTP_PASS_H
#define AG_HTTP_PASS_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "http/conn.h"
#include "policy/request.h"

struct MHD_Connection;
struct pass;
struct passes;
struct peer;

enum {
    PASS_FIELDS_MAX_COUNT = HTTP_HEADERS_MAX_COUNT,
    PASS_BODY_CHUNKED = -1,
    PASS_BODY_NONE = -2,
    PASS_LOOK_MS = 200,              /* between two looks at the clients */
    PASS_STOP_MS = 500,              /* for refusals to go out at the end */
    PASS_DROP_MAX_BYTES = 64 * 1024, /* a refused body is read to here */
    PASS_SWITCHED_STATUS = 101,
};

enum {
    PASS_WAIT = 0,
    PASS_END = -1,
    PASS_BROKEN = -2,
};

/* A request's head, as it came; borrowed until begin() has returned anything
 * but AG_EBLOCKS. */
struct pass_head {
    struct span method;
    enum request_via via;
    struct span target; /* path and query, still encoded: /p/… or /t/…, also
                           where a client took us for its proxy */
    const struct request_field *fields;
    size_t field_count;
    int64_t body_bytes; /* or PASS_BODY_... */
    struct peer *peer;
};

/*
 * Who answers. For each request: begin() once, or a second time after
 * AG_EBLOCKS, then with may_block and on another thread. On AG_OK it has set
 * *ret and will call pass_answer() or pass_fail() some time; any other error is
 * the answer. Then take(), also when the answer is there already; taken() once,
 * when all of the body was; give(), and end() always, last, if there was an
 * AG_OK. A body that was cut short, or of which a part was dropped after
 * pass_fail(), has no taken(). After an answer of 101 take() and give() have the
 * connection's bytes, on a thread for all such, and left() comes when the client
 * sends no more (pass_switch.c). cut() comes from any thread at any time between.
 */
struct pass_app {
    void *ctx;
    enum ag_err (*begin)(void *ctx, struct pass *pass,
                         const struct pass_head *head, bool may_block,
                         void **ret);
    /* How much of the body it took; for less than all it calls pass_wake(). */
    size_t (*take)(void *state, struct span part);
    void (*taken)(void *state);
    void (*left)(void *state);
    /* Bytes of the answer, or PASS_...; after PASS_WAIT it calls pass_wake(). */
    ssize_t (*give)(void *state, uint8_t *into, size_t room);
    /* Is the request still wanted (its task, the vault)? */
    bool (*wanted)(void *state);
    /* The client is gone, or the broker stops: pass_fail(), PASS_BROKEN. */
    void (*cut)(void *state);
    void (*end)(void *state);
};

struct pass_answer {
    int status;
    int64_t body_bytes; /* or PASS_BODY_CHUNKED */
    const struct request_field *fields;
    size_t field_count;
    /* All of the body, in memory for wipe_free(), which it takes; give() is not
     * asked then. Or NULL. */
    uint8_t *whole;
    size_t whole_len;
};

/* From any thread, once for a request. A second one is passed over. Errors:
 * AG_ENOMEM; the request has failed then. */
AG_NONNULL void pass_answer(struct pass *pass,
                            const struct pass_answer *answer);
AG_NONNULL void pass_fail(struct pass *pass, enum ag_err err, const char *why);
AG_NONNULL void pass_wake(struct pass *pass);

/* ---- for the server ---- */

AG_CHECK AG_NONNULL enum ag_err passes_new(const struct pass_app *app,
                                           struct passes **ret);
/* None may be left. NULL is allowed. */
void passes_free(struct passes *all);

/* Is this target one to pass on? */
AG_NONNULL bool pass_is_target(const struct conn *conn, const char *target);

/* The request whose target was just read. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err pass_new(struct passes *all,
                                         struct MHD_Connection *mhd,
                                         struct conn *conn, const char *target,
                                         struct pass **ret);

/* MHD's access handler; `body` may be NULL. False: close the connection. */
bool pass_step(struct pass *pass, const char *method, const char *body,
               size_t *body_len);

/* The status it was answered with, 0 if it was not. */
AG_NONNULL int pass_status(const struct pass *pass);

/* MHD is done with it. */
void pass_free(struct pass *pass);

/* The broker stops: no more are begun, those under way are cut. */
AG_NONNULL void passes_stop(struct passes *all);

/* After passes_stop(): waits until all have gone, PASS_STOP_MS at most. */
AG_NONNULL void passes_drain(struct passes *all);

/* After passes_stop(): waits until MHD may be stopped, which ends the rest. */
AG_NONNULL void passes_settle(struct passes *all);

#endif
