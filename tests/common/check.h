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
    check_result((call), (want), #call, __FILE__, __LINE__)

#define check_ok(call) check_err(call, AG_OK)

#define check_span(got, text)                                                  \
    check_text((got), (text), #got, __FILE__, __LINE__)

static inline void
check_result(enum ag_err got, enum ag_err want, const char *call,
             const char *file, int line)
{
    if (got != want) {
        print_error("%s: %s (%s), not %s\n", call, err_code(got), err_text(got),
                    err_code(want));
        _fail(file, line);
    }
}

static inline void
check_text(struct span got, const char *want, const char *call,
           const char *file, int line)
{
    if (!span_is(got, want)) {
        print_error("%s: \"%.*s\", not \"%s\"\n", call, (int)got.len,
                    (const char *)got.ptr, want);
        _fail(file, line);
    }
}

static inline uint64_t
check_env(const char *name, uint64_t fallback)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)

    return text == NULL ? fallback : strtoull(text, NULL, 10);
}

#endif
