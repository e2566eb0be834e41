/*
 * budget.h - how often a grant may be used, and how much may pass: pure
 * arithmetic, the clock is given.
 * Floor: policy. Depends on: base/span.
 */
#ifndef AG_POLICY_BUDGET_H
#define AG_POLICY_BUDGET_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    BUDGET_RATE_MAX_COUNT = 1000 * 1000,
};

/* 0: no limit. */
struct budget {
    int64_t rate_count; /* requests … */
    int64_t rate_ms; /* … in each period, the first of which begins with the
                           first request */
    int64_t bytes;   /* of bodies, both ways, in all */
};

/* {0} before. */
struct budget_spent {
    int64_t since_ms; /* of the period's first request */
    int64_t count;
    int64_t bytes;
};

/* "10/s", "600/m", "5/h" into rate_count and rate_ms. Errors: AG_EINVAL with a
 * sentence. */
AG_CHECK AG_NONNULL enum ag_err budget_read_rate(struct span text,
                                                 struct budget *ret);

/* May one more request go out? Changes nothing. Errors: AG_ERATE,
 * AG_EBYTESUSED. */
AG_CHECK AG_NONNULL enum ag_err budget_check(const struct budget *limit,
                                             const struct budget_spent *spent,
                                             int64_t now_ms);

/* It goes out. */
AG_NONNULL void budget_take(const struct budget *limit,
                            struct budget_spent *spent, int64_t now_ms);

/* It was taken at `taken_ms` and did not go out after all; of a period that is
 * over nothing need be given back. */
AG_NONNULL void budget_give_back(struct budget_spent *spent, int64_t taken_ms);

/* So much more has passed. Errors: AG_EBYTESUSED it is more than may. */
AG_CHECK AG_NONNULL enum ag_err budget_add(const struct budget *limit,
                                           struct budget_spent *spent,
                                           int64_t bytes);

#endif
