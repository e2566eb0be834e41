/*
 * toll.h - how many refusals a caller may cause: each is put on the record, so
 * one that tries on and on must not fill it.
 * Floor: caller. Depends on: base/err.
 */
#ifndef AG_CALLER_TOLL_H
#define AG_CALLER_TOLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct toll;

enum {
    TOLL_CALLERS_COUNT = 64, /* remembered; the oldest gives way */
};

AG_CHECK AG_NONNULL enum ag_err toll_new(struct toll **ret);
void toll_free(struct toll *t);
AG_DEFINE_CLEANUP(toll, toll_free)

/* Before a token is looked at: AG_ERATE when `caller` (a pid; 0: every TCP
 * caller) had `per_minute` refused within this minute. Threads: all safe. */
AG_CHECK AG_NONNULL enum ag_err toll_check(struct toll *t, int64_t caller,
                                           int64_t per_minute, int64_t now_ms);

/* Something was refused. */
AG_NONNULL void toll_add(struct toll *t, int64_t caller, int64_t now_ms);

#endif
