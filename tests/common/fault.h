/*
 * fault.h - calls that fail on demand. A test names the calls it wraps in its
 * `// WRAP:` line, defines the wrapper with FAULT_WRAPPER() and runs
 *
 *     for (n = 1;; n++) { fault_arm(n); err = op(); if (!fault_done()) break; }
 *
 * so that the first, second, third … of them fails, until none does.
 */
#ifndef AG_TESTS_FAULT_H
#define AG_TESTS_FAULT_H

#include <errno.h>
#include <stdbool.h>

#include "common/check.h"

static struct {
    unsigned countdown; /* 0: nothing fails */
    bool all_later;     /* the n-th and every one after it */
    bool fired;
    int error;
} fault;

static inline void
fault_arm(unsigned nth)
{
    fault.countdown = nth;
    fault.fired = false;
    fault.all_later = false;
    fault.error = EIO;
}

/* Disarms; did a call fail? */
static inline bool
fault_done(void)
{
    fault.countdown = 0;
    return fault.fired;
}

/* Asked by the wrappers: does this call fail? */
static inline bool
fault_now(void)
{
    if (fault.countdown == 0) {
        return false;
    }
    if (fault.countdown > 1) {
        fault.countdown--;
        return false;
    }
    if (!fault.all_later) {
        fault.countdown = 0;
    }
    fault.fired = true;
    errno = fault.error;
    return true;
}

/* __wrap_NAME: fails with `bad` when it is its turn, else calls the real one.
 * params and args are in parentheses. */
#define FAULT_WRAPPER(type, name, params, args, bad)                           \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        return fault_now() ? (bad) : __real_##name args;                       \
    }

#endif
