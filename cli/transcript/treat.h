/*
 * treat.h - one transcript where it lies: looked through, and only if something
 * is found written anew and swapped.
 * Floor: cli. Depends on: transcript/swap, transcript/packed, transcript/kind,
 * transcript/keep, transcript/database.
 */
#ifndef AG_CLI_TRANSCRIPT_TREAT_H
#define AG_CLI_TRANSCRIPT_TREAT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/passage.h"

enum {
    TREAT_WHY_BYTES = 512,
};

enum treat_state {
    TREAT_CLEAN,   /* nothing in it */
    TREAT_FOUND,   /* only looked at; `why`, if it could not be changed now */
    TREAT_CHANGED, /* what was in it is taken out */
    TREAT_LEFT,    /* as it was: `err` and `why` say the reason */
    TREAT_BINARY,  /* no text, or no regular file: not looked into */
};

struct keep;

struct treat {
    struct passage *passage;
    struct keep *keep; /* asked of each file in which something is; or NULL */
    bool look_only;
};

struct treat_result {
    enum treat_state state;
    enum ag_err err;
    char why[TREAT_WHY_BYTES];
    json_t *counts;     /* {NAME: n}, the caller's; NULL: nothing was found */
    int64_t hits;       /* their sum */
    bool not_wiped;     /* changed, but the old blocks could not be written */
    const char *caveat; /* erase_caveat() of a changed file; or NULL */
};

/* Forgets the counts. */
AG_NONNULL void treat_result_done(struct treat_result *r);
AG_DEFINE_CLEANUP_INPLACE(treat_result, treat_result_done)

/*
 * `name` in dir_fd; `path` is what people and the report call it. What is wrong
 * with the one file is part of *ret.
 * Errors: those of passage_run(): the filter is gone, nothing more can be done.
 */
AG_CHECK AG_NONNULL enum ag_err treat_file(const struct treat *t, int dir_fd,
                                           const char *name, const char *path,
                                           struct treat_result *ret);

#endif
