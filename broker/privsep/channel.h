/*
 * channel.h - questions and answers between the broker and one of its helper
 * processes, over one SOCK_SEQPACKET socket: numbered, with descriptors, with
 * deadlines, and with notice of the other side's death.
 * Floor: privsep. Depends on: base/err, base/span, base/buf, base/fdx.
 *
 * Frame (one packet): mark 1 | kind 1 | op 2 | result 4 | id 8 | body n, all
 * little-endian; kind is ask, answer or event; result is an enum ag_err and
 * zero but in an answer; id is zero in an event. Both ends are the same
 * program, so the error numbers agree. The body of a failed answer is its
 * sentence.
 */
#ifndef AG_PRIVSEP_CHANNEL_H
#define AG_PRIVSEP_CHANNEL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fdx.h"
#include "base/span.h"

enum {
    CHANNEL_HEAD_BYTES = 16,
    CHANNEL_BODY_MAX_BYTES = 64 * 1024, /* well below the socket's buffer */
    CHANNEL_WAIT_MS = 5000, /* an answer later than that is a broken helper */
};

/* ---- the broker's end: any number of threads ---- */

struct channel;

/*
 * on_event: a message nobody asked for, e.g. the end of a stream; `body` is
 *           borrowed for the call.
 * on_death: once, when the helper closed its end or broke the protocol; every
 *           waiting and later question then fails with `dead_err`.
 * Both run on the channel's own thread and must neither block for long nor
 * call channel_ask() or channel_close(). Either may be NULL.
 */
struct channel_hooks {
    void *ctx;
    void (*on_event)(void *ctx, uint16_t op, struct span body);
    void (*on_death)(void *ctx);
    enum ag_err dead_err; /* AG_EFILTER for the filter */
};

/*
 * Takes over `sock` (closed also on error) and starts the thread that reads.
 * Errors: AG_ENOMEM, AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err
channel_open(int sock, const struct channel_hooks *hooks, struct channel **ret);

/* Ends the connection (the helper then exits), joins the thread. NULL is
 * allowed. No question may be under way. */
void channel_close(struct channel *c);
AG_DEFINE_CLEANUP(channel, channel_close)

/* Ends the connection alone: who waits is told dead_err, now and ever after,
 * and on_death is not called. Threads: safe. */
AG_NONNULL void channel_shutdown(struct channel *c);

/* One question. `fds` are borrowed: the helper gets copies. */
struct channel_question {
    uint16_t op;
    struct span body;
    const int *fds;
    size_t fd_count; /* at most FD_PASS_MAX_COUNT */
    int64_t wait_ms; /* 0: CHANNEL_WAIT_MS */
};

/*
 * Sends the question and waits for its answer, whose body is appended to
 * `answer` (NULL: it must be empty).
 * Errors: what the helper answered, with its sentence; AG_ELIMIT body too
 *         long; AG_ETIMEOUT; the channel's dead_err; AG_ECORRUPT an answer
 *         that does not fit.
 * Threads: safe. Blocks: up to wait_ms from the call, the sending included.
 */
AG_CHECK enum ag_err channel_ask(struct channel *c,
                                 const struct channel_question *question,
                                 struct buf *answer);

AG_NONNULL bool channel_is_alive(struct channel *c);

/* ---- the helper's end ---- */

enum channel_kind {
    CHANNEL_ASK = 1,
    CHANNEL_ANSWER = 2,
    CHANNEL_EVENT = 3,
};

struct channel_head {
    enum channel_kind kind;
    uint16_t op;
    enum ag_err result;
    uint64_t id;
};

/* One packet's head, strictly. Errors: AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err channel_decode(struct span packet,
                                               struct channel_head *ret_head,
                                               struct span *ret_body);

/* Room for one packet; too large for a stack frame, so static or on the heap.
 */
struct channel_packet {
    struct channel_head head;
    struct span body; /* into bytes[] */
    int fds[FD_PASS_MAX_COUNT];
    size_t fd_count; /* the receiver closes them, or takes them over */
    uint8_t bytes[CHANNEL_HEAD_BYTES + CHANNEL_BODY_MAX_BYTES];
};

/*
 * The next question. Blocks. Every body may carry a secret in the filter, so
 * the receiver wipes packet->bytes when done with it.
 * Errors: AG_ENOBROKER the other end is gone (exit); AG_EINVAL not a question
 *         (exit too: the broker is broken).
 */
AG_CHECK AG_NONNULL enum ag_err channel_next(int sock,
                                             struct channel_packet *packet);

/* Closes the descriptors that came with a packet and were not taken (-1). */
AG_NONNULL void channel_drop_fds(struct channel_packet *packet);

/* Answers question `id`: a body, or for result != AG_OK the kept sentence
 * (err_text). Threads: safe, a packet is sent whole. */
AG_CHECK enum ag_err channel_answer(int sock, uint64_t id, uint16_t op,
                                    enum ag_err result, struct span body);

/* Says something unasked. Threads: safe. */
AG_CHECK enum ag_err channel_tell(int sock, uint16_t op, struct span body);

#endif
