/*
 * task.h - the broker's answer to POST /v1/tasks, decoded once.
 * Floor: cli/run. Depends on: jansson, profile/expand.
 */
#ifndef AG_CLI_RUN_TASK_H
#define AG_CLI_RUN_TASK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    TASK_DELIVERIES_MAX = 64,
    TASK_FILES_MAX = TASK_DELIVERIES_MAX + 1, /* and the roots to trust */
    TASK_PATH_BYTES = 2048,
    TASK_DIR_BYTES = 80,
};

enum delivery_kind {
    DELIVERY_ENV,   /* `var` gets the value */
    DELIVERY_FILE,  /* a private file, found by `var` or `link` */
    DELIVERY_TRUST, /* the roots to trust: no value, and none of the broker's */
};

/* Texts are borrowed from the answer, but for `link` and `dir`. */
struct delivery {
    enum delivery_kind kind;
    const char *secret; /* its name, or NULL */
    const char *ticket;
    const char *take; /* ticket of write-backs, or NULL: not followed */
    bool proxied;     /* placeholders, not values */
    const char *var;  /* or NULL */
    bool var_names_dir;
    const char *name; /* of the file */
    mode_t mode;
    char dir[TASK_DIR_BYTES];   /* below the jail, by profile and link */
    char link[TASK_PATH_BYTES]; /* where a link is placed, or "" */
};

struct task {
    json_t *answer;
    const char *id;
    const char *token;
    const char *life;
    const char *spill_key; /* base64, or NULL */
    const char *streams[4];
    size_t stream_count;
    struct delivery deliveries[TASK_FILES_MAX];
    size_t delivery_count;
    size_t file_count;
};

/*
 * Ownership: takes `answer` over, also on error; task_free() releases it.
 * Errors: AG_ECORRUPT when the answer lacks something; those of expand_path().
 */
AG_CHECK AG_NONNULL enum ag_err task_decode(json_t *answer, struct task **ret);
void task_free(struct task *t);
AG_DEFINE_CLEANUP(task, task_free)

#endif
