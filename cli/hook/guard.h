/*
 * guard.h - a text that is about to leave is looked through, and who sends it
 * is told what to mend.
 * Floor: cli. Depends on: hook/search, hook/added.
 *
 * With a vault that can't be asked (locked, or the caller is nobody who may
 * ask) rules alone are used and the person is told, unless must_know.
 */
#ifndef AG_CLI_HOOK_GUARD_H
#define AG_CLI_HOOK_GUARD_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct added;
struct cli;

struct guard_terms {
    bool must_know;     /* refuse where values can't be looked for */
    bool is_silent;     /* on values that can't: it was said a moment ago */
    const char *done;   /* "nothing was committed" */
    const char *mend;   /* how what is found gets out of there: a sentence */
    const char *anyway; /* how one goes on that knows better, of what rules
                           find; a sentence */
};

/* Errors: AG_EFOUND after each find was told on stderr; those of search_open()
 * and search_text(). */
AG_CHECK AG_NONNULL enum ag_err guard_added(struct cli *cli,
                                            const struct guard_terms *terms,
                                            struct added *added);

#endif
