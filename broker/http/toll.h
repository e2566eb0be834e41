/*
 * toll.h - how many refused tokens a process may show: each refusal is put on
 * the record, so one that tries on and on must not fill it.
 * Floor: http. Depends on: base/err.
 */
#ifndef AG_HTTP_TOLL_H
#define AG_HTTP_TOLL_H

#include <sys/types.h>

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct toll;

AG_CHECK AG_NONNULL enum ag_err toll_new(struct toll **ret);
void toll_free(struct toll *t);
AG_DEFINE_CLEANUP(toll, toll_free)

/* Before a token is looked at: AG_ERATE when `pid` (0: every TCP caller) had
 * `per_minute` refused within this minute. Threads: safe. */
AG_CHECK AG_NONNULL enum ag_err toll_check(struct toll *t, pid_t pid,
                                           int64_t per_minute, int64_t now_ms);

/* A token was refused. */
AG_NONNULL void toll_add(struct toll *t, pid_t pid, int64_t now_ms);

#endif
