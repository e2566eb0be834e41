/*
 * shares.h - each task's part of the memory for decoding, as long as an answer
 * of it is decoded: one task can't take what others need.
 * Floor: proxy. Depends on: proxy/decode.
 */
#ifndef AG_PROXY_SHARES_H
#define AG_PROXY_SHARES_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct decode_memory;
struct shares;

enum {
    SHARES_TASK_BYTES = 24 * 1024 * 1024, /* two of the largest windows */
    SHARES_ALL_BYTES = 256 * 1024 * 1024, /* of ten such tasks at a time */
};

AG_CHECK AG_NONNULL enum ag_err shares_new(struct shares **ret);
/* All have been given back. */
void shares_free(struct shares *all);
AG_DEFINE_CLEANUP(shares, shares_free)

/* The task's, the same for all that ask at one time; to be given back when
 * what was taken of it is. Threads: all safe. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err shares_take(struct shares *all, int64_t task_id,
                                            struct decode_memory **ret);
/* NULL is allowed. */
void shares_give(struct shares *all, struct decode_memory *memory);

#endif
