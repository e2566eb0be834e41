#include "policy/budget.h"

#include "base/parse.h"

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
};

static int64_t
period_of(struct span unit)
{
    return span_is(unit, "s")   ? SECOND_MS
           : span_is(unit, "m") ? MINUTE_MS
           : span_is(unit, "h") ? HOUR_MS
                                : 0;
}

enum ag_err
budget_read_rate(struct span text, struct budget *ret)
{
    size_t at = span_find(text, '/');
    int64_t period_ms = period_of(span_sub(text, at + 1, text.len));
    uint64_t count = 0;
    enum ag_err err =
        parse_u64(span_sub(text, 0, at), BUDGET_RATE_MAX_COUNT, &count);

    if (err != AG_OK || count == 0 || period_ms == 0) {
        return err_why(AG_EINVAL,
                       "a rate is N/s, N/m or N/h, with N from 1 to %d",
                       BUDGET_RATE_MAX_COUNT);
    }
    ret->rate_count = (int64_t)count;
    ret->rate_ms = period_ms;
    return AG_OK;
}

static bool
is_over(const struct budget *limit, const struct budget_spent *spent,
        int64_t now_ms)
{
    return spent->count == 0 || now_ms - spent->since_ms >= limit->rate_ms;
}

enum ag_err
budget_check(const struct budget *limit, const struct budget_spent *spent,
             int64_t now_ms)
{
    if (limit->bytes > 0 && spent->bytes >= limit->bytes) {
        return AG_EBYTESUSED;
    }
    return limit->rate_count > 0 && !is_over(limit, spent, now_ms) &&
                   spent->count >= limit->rate_count
               ? AG_ERATE
               : AG_OK;
}

void
budget_take(const struct budget *limit, struct budget_spent *spent,
            int64_t now_ms)
{
    if (is_over(limit, spent, now_ms)) {
        spent->since_ms = now_ms;
        spent->count = 0;
    }
    spent->count++;
}

void
budget_give_back(struct budget_spent *spent, int64_t taken_ms)
{
    if (spent->count > 0 && taken_ms >= spent->since_ms) {
        spent->count--;
    }
}

enum ag_err
budget_add(const struct budget *limit, struct budget_spent *spent,
           int64_t bytes)
{
    if (__builtin_add_overflow(spent->bytes, bytes, &spent->bytes)) {
        spent->bytes = INT64_MAX;
    }
    return limit->bytes > 0 && spent->bytes > limit->bytes ? AG_EBYTESUSED
                                                           : AG_OK;
}
