/*
 * answer.h - the head of an HTTP/1.1 answer, as our broker sends it.
 * Floor: cli. Depends on: base/span, base/err.
 *
 * Source: RFC 9112 sections 4 and 5, less what the broker never sends: no
 * folding, no chunks, no bare LF, no other version.
 */
#ifndef AG_CLI_ANSWER_H
#define AG_CLI_ANSWER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct answer_head {
    int status;
    size_t body_len;
    bool close; /* the connection ends after this answer */
};

/* Bytes of the head with its empty line, or 0 while it isn't whole. */
size_t answer_head_len(struct span received);

/* Parses a whole head. Errors: AG_ECORRUPT with a sentence; AG_ELIMIT when the
 * body is said to be longer than body_max. */
AG_CHECK AG_NONNULL enum ag_err answer_parse(struct span head, size_t body_max,
                                             struct answer_head *ret);

#endif
