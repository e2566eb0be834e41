/*
 * answer.h - the head and trailers of an answer, line by line as libcurl gives
 * them.
 * Floor: upstream. Depends on: upstream/upstream, base/buf.
 */
#ifndef AG_UPSTREAM_ANSWER_H
#define AG_UPSTREAM_ANSWER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "upstream/upstream.h"

enum answer_state {
    ANSWER_NONE,    /* no line yet, or only interim answers */
    ANSWER_LINES,   /* within a head */
    ANSWER_HEAD,    /* the final head is whole */
    ANSWER_TRAILER, /* lines came after it */
};

/* Fields are read freely and written only by answer_*. */
struct answer {
    enum answer_state state;
    bool upgrade; /* a 101 is a final answer */
    int status;
    struct buf text;

    struct answer_at {
        uint32_t name;
        uint32_t name_len;
        uint32_t value;
        uint32_t value_len;
    } * at;

    size_t count;
    size_t cap;
    struct upstream_field *fields; /* made when asked for */
};

AG_NONNULL void answer_init(struct answer *a, bool upgrade);
AG_NONNULL void answer_done(struct answer *a);
AG_DEFINE_CLEANUP_INPLACE(answer, answer_done)

/*
 * One line, with or without its line end. After the final head, which a->state
 * shows, lines are trailers.
 * Errors: AG_EUPSTREAM not a line of HTTP (a second head, a folded line, no
 *         name, a control byte), or more than the limits of upstream.h; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err answer_line(struct answer *a, struct span line);

/* The fields so far. Borrowed until the next answer_ call. Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err answer_fields(struct answer *a,
                                              struct upstream_head *ret);

/* Forgets the fields, after the head was told. */
AG_NONNULL void answer_forget(struct answer *a);

#endif
