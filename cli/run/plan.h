/*
 * plan.h - what `auth-guard run` was asked for: options checked, .env files
 * read, and the request for a task made of them.
 * Floor: cli/run. Depends on: args, run/dotenv, jansson.
 */
#ifndef AG_CLI_RUN_PLAN_H
#define AG_CLI_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "args.h"
#include "base/attr.h"
#include "base/err.h"

enum {
    PLAN_PLAIN_MAX_COUNT = 1024, /* plain variables of .env files */
    PLAN_DEPTH_MAX = 64,         /* directories upwards for a repository */
};

/* As the person wrote it. */
struct run_options {
    const char *name;
    const char *purpose;
    int64_t ttl_ms;
    const char *isolate; /* a preset's name, "" or NULL the default */
    const char *keep_home;
    struct arg_list ro;
    struct arg_list rw;
    struct arg_list hide;
    struct arg_list profiles;
    const char *grade; /* of the profiles; NULL: the best that can be had */
    struct arg_list env;
    struct arg_list env_files;
    struct arg_list files;
    struct arg_list grants;
    struct arg_list proxies;
    struct arg_list allow;
    char **command;    /* NULL-ended, at least one */
    const char *rules; /* default, all; NULL: known values alone */
    bool pty;
    bool no_pty;
    bool no_isolate;
    bool dry_run; /* nothing is made, either */
};

struct run_plan {
    const struct run_options *options;
    json_t *env;                       /* [{var, ref}…] for the broker */
    json_t *files;                     /* [{path, ref}…], paths absolute */
    json_t *proxies;                   /* [{ref, upstream, …}…] */
    char *plain[PLAN_PLAIN_MAX_COUNT]; /* "NAME=value" that need no vault */
    size_t plain_count;
};

/*
 * Checks the options and reads the .env files.
 * Ownership: `options` is borrowed; plan_free() releases the rest.
 * Errors: AG_EUSAGE, AG_EINVAL (a .env file, with its line), AG_ENOTFOUND.
 */
AG_CHECK AG_NONNULL enum ag_err plan_make(const struct run_options *options,
                                          struct run_plan **ret);
void plan_free(struct run_plan *plan);

static inline void
run_plan_cleanup(struct run_plan **slot)
{
    plan_free(*slot);
}

/* The work tree we stand in: the nearest directory above with a .git. */
AG_NONNULL bool plan_repository(char *out, size_t cap);

/* The body of POST /v1/tasks. Errors: AG_ENOMEM, AG_EUSAGE. */
AG_CHECK AG_NONNULL enum ag_err plan_body(const struct run_plan *plan,
                                          size_t stream_count, json_t **ret);

#endif
