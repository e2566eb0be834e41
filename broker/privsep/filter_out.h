/*
 * filter_out.h - in the filter process: what one search lets out, gathered so
 * that it can be written after the set has been left.
 * Floor: privsep. Depends on: redact/sink.
 *
 * A stretch of the stream's own read buffer is kept by reference, everything
 * else (markers, what had been held) is copied.
 */
#ifndef AG_PRIVSEP_FILTER_OUT_H
#define AG_PRIVSEP_FILTER_OUT_H

#include <sys/uio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/sink.h"

struct fout_piece {
    size_t at;
    size_t len;
    bool is_copy; /* in copies[], else in the input */
};

struct fout {
    struct span input; /* stays where it is until fout_clear() */
    struct fout_piece *pieces;
    size_t piece_count;
    size_t piece_cap;
    uint8_t *copies;
    size_t copies_len;
    size_t copies_cap;
    size_t next_piece; /* written so far */
    size_t next_byte;
};

AG_NONNULL void fout_done(struct fout *o);

/* A sink that gathers. Errors: AG_ENOMEM. */
AG_NONNULL struct sink fout_sink(struct fout *o);

/* The next stretches to write, at most `cap`; 0: all is written. */
AG_NONNULL int fout_next(const struct fout *o, struct iovec *iov, int cap);
AG_NONNULL void fout_wrote(struct fout *o, size_t len);

/* Forgets everything; large buffers are given back. */
AG_NONNULL void fout_clear(struct fout *o, struct span input);

#endif
