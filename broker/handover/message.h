/*
 * message.h - what is said over fd.sock, as bytes: requests decoded strictly,
 * answers and events made.
 * Floor: handover. Depends on: wire/msg, wire/emit, privsep/filter.
 */
#ifndef AG_HANDOVER_MESSAGE_H
#define AG_HANDOVER_MESSAGE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

enum {
    MESSAGE_MAX_BYTES = 8 * 1024,
    MESSAGE_TICKET_MAX_BYTES = 128, /* longer can't be one */
};

enum message_op {
    MESSAGE_LIFE,
    MESSAGE_STREAM,
    MESSAGE_DELIVER,
    MESSAGE_TAKE,
    MESSAGE_END,
    MESSAGE_OP_COUNT,
};

/* Who can read what a stream brings (privsep/filter.h). */
enum message_audience {
    MESSAGE_OPERATOR,
    MESSAGE_TASK,
    MESSAGE_AUDIENCE_COUNT,
};

/* What a stream writes: privsep/filter_copy.h. */
enum message_output {
    MESSAGE_TEXT,
    MESSAGE_PLACES,
    MESSAGE_OUTPUT_COUNT,
};

/* Asks for a receipt of a stream (core/receipts.h). */
struct message_receipt {
    char *subject;
    int names; /* enum receipt_names */
};

struct message {
    int op;                          /* enum message_op */
    int audience;                    /* MESSAGE_STREAM: enum message_audience */
    char *ticket;                    /* NULL with MESSAGE_END only */
    int64_t exit_code;               /* MESSAGE_END: 0..255, else -1 */
    int rules;                       /* MESSAGE_STREAM: enum filter_rules */
    int output;                      /* MESSAGE_STREAM: enum message_output */
    int format;                      /* MESSAGE_STREAM: enum format */
    struct message_receipt *receipt; /* MESSAGE_STREAM: NULL: none is wanted */
};

/*
 * Decodes one request that came with `fd_count` descriptors. On AG_OK the
 * caller calls message_done().
 * Errors: AG_EINVAL with a sentence: no such message, or not with these
 *         members, or not with so many descriptors; AG_ELIMIT; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err
message_decode(struct span text, size_t fd_count, struct message *ret);
AG_NONNULL void message_done(struct message *m);
AG_DEFINE_CLEANUP_INPLACE(message, message_done)

/* {"ok":false,"code":…,"detail":…}: the code and kept sentence of `err`. */
AG_CHECK AG_NONNULL enum ag_err message_put_refusal(struct buf *out,
                                                    enum ag_err err);

/* {"event":"end","reason":…}. */
AG_CHECK AG_NONNULL enum ag_err message_put_end(struct buf *out,
                                                const char *reason);

#endif
