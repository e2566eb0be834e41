/*
 * expand.h - path templates of profiles: home, variables, patterns.
 * Floor: profile. Depends on: base/buf.
 *
 * Grammar: `~` at the start, then `/`; `${VAR}` and `${VAR:-DEFAULT}` anywhere
 * (DEFAULT is itself a template, at most EXPAND_DEPTH_MAX deep); `*` in a
 * segment matches any run without `/`, none that starts with a dot unless the
 * pattern does. A variable that is unset, empty or not absolute counts as
 * unset; a template that needs one without a default gives nothing.
 */
#ifndef AG_PROFILE_EXPAND_H
#define AG_PROFILE_EXPAND_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    EXPAND_DEPTH_MAX = 4,
    EXPAND_MAX_BYTES = 4096, /* PATH_MAX */
};

/* Where names come from, so that tests and other homes need no setenv. */
struct expand_env {
    const char *home;
    /* NULL when unset; NULL function: no variable is set. */
    const char *(*get)(void *arg, const char *name);
    void *arg;
};

/* HOME and getenv of this process. */
struct expand_env expand_env_process(void);

enum expand_flags {
    EXPAND_USUAL = 0,
    EXPAND_DEFAULTS = 1, /* as if no variable were set */
};

/*
 * The path a template stands for, appended to `out`. Patterns stay in it.
 * Errors: AG_ENOTFOUND a variable without default is unset; AG_EINVAL the
 *         template is malformed or the result is not absolute; AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err expand_path(const char *tmpl,
                                            const struct expand_env *env,
                                            enum expand_flags flags,
                                            struct buf *out);

/* Grammar only: the loader's check. */
AG_CHECK AG_NONNULL enum ag_err expand_check(const char *tmpl);

/* Does the text match, `*` being any run of bytes? */
bool glob_match_span(struct span pattern, struct span text);

/* Does one segment, or a whole path segment by segment, match? */
AG_NONNULL bool glob_match(const char *pattern, const char *text);
AG_NONNULL bool glob_match_path(const char *pattern, const char *path);

#endif
