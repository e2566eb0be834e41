/*
 * decode.h - the content codings of an answer, undone as it streams: gzip,
 * deflate, zstd, or two of them one over the other.
 * Floor: proxy. Depends on: base/span, base/wipealloc, zlib, libzstd.
 *
 * Formats: RFC 1950 to 1952, RFC 8878; names: RFC 9110 section 8.4.1. "deflate"
 * is zlib's form by name, raw DEFLATE by the habit of some services: the first
 * byte tells. gzip members and zstd frames may follow one another. A zstd frame
 * wants a window of 8 MiB at most (RFC 9659).
 *
 * What was decoded stays in the libraries' windows: all their memory is wiped
 * when it is freed, at the latest by decode_free().
 */
#ifndef AG_PROXY_DECODE_H
#define AG_PROXY_DECODE_H

#include <stdatomic.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct decode;

enum {
    DECODE_CHAIN_MAX_COUNT = 2,
    /* Longer than this an answer must not be a thousand times what came:
     * DEFLATE makes 1032 times of nothing but zeros, zstd any number. */
    DECODE_FREE_BYTES = 1024 * 1024,
    DECODE_RATIO_MAX = 1000,
    DECODE_WINDOW_LOG_MAX = 23, /* 8 MiB; gzip takes 80 KiB in all */
};

enum decode_coding {
    DECODE_GZIP,
    DECODE_DEFLATE,
    DECODE_ZSTD,
};

/* In the order in which they were applied. */
struct decode_codings {
    enum decode_coding at[DECODE_CHAIN_MAX_COUNT];
    size_t count;
};

/* What the decoders that share it have taken, and may; it outlives them. */
struct decode_memory {
    atomic_size_t used_bytes;
    size_t max_bytes;
    struct decode_memory
        *of; /* what it is a part of, itself not one; or NULL */
};

/*
 * Adds the codings of a Content-Encoding's value; "identity" is none.
 * Errors: AG_EENCODED one that can't be undone, or too many.
 */
AG_CHECK AG_NONNULL enum ag_err decode_read_codings(struct span list,
                                                    struct decode_codings *all);

/*
 * Nothing is set up before the first byte comes.
 * Ownership: *ret is the caller's; memory is borrowed. Errors: AG_ENOMEM.
 * Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err decode_new(const struct decode_codings *codings,
                                           struct decode_memory *memory,
                                           struct decode **ret);
/* NULL is allowed. */
void decode_free(struct decode *d);
AG_DEFINE_CLEANUP(decode, decode_free)

/*
 * Takes from the start of *in, and gives up to 16 KiB of what was encoded,
 * *ret, valid until the next call. An empty *ret: all of *in was taken, and
 * more of it must come first. After an error only decode_free() is left.
 * Errors: AG_EENCODED it is not what it says, something stands behind its end,
 * it grows too much, its window is too large; AG_ENOMEM, also when the decoders
 * have all that they may.
 */
AG_CHECK AG_NONNULL enum ag_err decode_next(struct decode *d, struct span *in,
                                            struct span *ret);

/* The answer has ended, and everything was taken. Nothing at all is whole.
 * Errors: AG_EENCODED it breaks off within what is encoded. */
AG_CHECK AG_NONNULL enum ag_err decode_finish(const struct decode *d);

#endif
