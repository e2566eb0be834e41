/*
 * tasks.h - a task's life: started with grants, bound to a process tree, given
 * values, ended for good.
 * Floor: core. Depends on: store/tasks, core/tokens, core/tickets, profile.
 */
#ifndef AG_CORE_TASKS_H
#define AG_CORE_TASKS_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

enum {
    TASK_PROFILES_MAX_COUNT = 16,
    TASK_DELIVERIES_MAX_COUNT = 64, /* env, files, placeholders of one run */
    TASK_STREAMS_MAX_COUNT = 4,     /* stdout, stderr, a PTY, a log */
    TASK_GRANTS_MAX_COUNT = 64,
    TASK_PLACES_MAX_COUNT = 64, /* opened to an isolated task, each way */
};

struct authority_keys;
struct task_isolation;

struct task_grant_request {
    const char *secret;
    const char *verb;
    const char *field; /* or NULL */
    int64_t uses;      /* -1: unlimited */
};

struct task_env_request {
    const char *var;
    const char *ref; /* ag://NAME#POINTER */
};

struct task_file_request {
    const char *path;
    const char *ref;
};

/* A value that goes through the proxy; all but `ref` may be NULL. With
 * `upstream` where it may go is said here, without it is sealed already. */
struct task_proxy_request {
    const char *ref;
    const char *upstream; /* https://HOST[:PORT][/PATH] */
    const char *url_env;  /* gets the address to call instead */
    const char *key_env;  /* gets the placeholder */
    const char *header;   /* one of these four at most; none: Bearer */
    const char *query;
    const char *basic;
    const char *json; /* a pointer into the body */
    const char *format;
    int64_t uses;     /* requests in all, or -1 */
    const char *rate; /* policy/budget.h, or NULL */
    int64_t bytes;    /* of bodies in all, both ways; 0: no limit */
    bool inner;       /* the host is on this machine or its networks */
    bool optional;    /* requests without the value go out too */
};

/* How far a profile's value may travel at most. */
enum task_grade {
    TASK_GRADE_BEST, /* what profile and value allow, best first */
    TASK_GRADE_PROXY,
    TASK_GRADE_SIGN,
    TASK_GRADE_FILE,
    TASK_GRADE_ENV,
};

/* POST /v1/tasks. Texts may be NULL; arrays are borrowed. */
struct task_request {
    const char *name;
    const char *purpose;
    const char *repository;
    int64_t ttl_ms;              /* 0: the setting's */
    const char *const *profiles; /* "codex", or "codex=codex/work" */
    size_t profile_count;
    enum task_grade grade; /* of the profiles */
    const struct task_grant_request *grants;
    size_t grant_count;
    const struct task_env_request *env;
    size_t env_count;
    const struct task_file_request *files;
    size_t file_count;
    const struct task_proxy_request *proxies;
    size_t proxy_count;
    const char *const *allow; /* hosts without a credential: policy/allow.h */
    size_t allow_count;
    size_t stream_count;
    const struct task_isolation *isolation; /* NULL: nothing was said */
    struct authority_keys *keys;            /* of lead_keys(), or NULL */
};

/*
 * *ret: {id, token, accessor, expires_at, life, streams: [ticket…],
 * deliveries: [{kind, ticket, take?, var?, path?, profile?, …}], args: […],
 * urls: [{var, service, path}…], forward?, spill_key, hide?, hide_copies?}. The
 * caller's process becomes the root of the task's tree.
 * Errors: AG_ENOTFOUND, AG_EGRADE, AG_EHELD (names the holder), AG_EINVAL.
 * Writer.
 */
AG_CHECK AG_NONNULL enum ag_err
core_task_start(struct core *core, struct db_tx *tx, const struct call *call,
                const struct task_request *request, json_t **ret);

AG_CHECK AG_NONNULL enum ag_err
core_tasks_list(struct core *core, const struct call *call, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_task_show(struct core *core,
                                               const struct call *call,
                                               const char *id, json_t **ret);

/* DELETE /v1/tasks/{id}: tokens and leases revoked, the supervisor told to
 * kill. Writer. */
AG_CHECK AG_NONNULL enum ag_err core_task_end(struct core *core,
                                              struct db_tx *tx,
                                              const struct call *call,
                                              const char *id);

#endif
