/*
 * check.h - what the test programs share: cmocka with its headers, results
 * that say why, seeds and runs of property tests, calls that fail on demand.
 */
#ifndef AG_TESTS_CHECK_H
#define AG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/span.h"

/* The call must end with this result; prints the sentence if it did not. */
#define check_err(call, want)                                                  \
    do {                                                                       \
        enum ag_err check_got_ = (call);                                       \
        if (check_got_ != (want)) {                                            \
            fail_msg("%s: %s (%s), not %s", #call, err_code(check_got_),       \
                     err_text(check_got_), err_code(want));                    \
        }                                                                      \
    } while (0)

#define check_ok(call) check_err(call, AG_OK)

#define check_span(got, text)                                                  \
    do {                                                                       \
        struct span check_span_ = (got);                                       \
        if (!span_is(check_span_, text)) {                                     \
            fail_msg("%s: \"%.*s\", not \"%s\"", #got, (int)check_span_.len,   \
                     (const char *)check_span_.ptr, text);                     \
        }                                                                      \
    } while (0)

static inline uint64_t
check_env(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text == NULL ? fallback : strtoull(text, NULL, 10);
}

#endif
