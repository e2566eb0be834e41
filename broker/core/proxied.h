/*
 * proxied.h - what a running task may send through the proxy: the secrets, and
 * where each may go; fixed when the task starts.
 * Floor: core. Depends on: policy/places, policy/request.
 *
 * The number in a placeholder says whose it is: task (32 bits), delivery (8),
 * field of a document (8). A task that has ended is so found by its row.
 */
#ifndef AG_CORE_PROXIED_H
#define AG_CORE_PROXIED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "policy/allow.h"
#include "policy/budget.h"
#include "policy/grant.h"
#include "policy/places.h"

struct authority;
struct matcher;
struct turned;

enum {
    PROXIED_FILE_MAX_BYTES = 128 * 1024, /* a stored value; a JWT may grow */
};

struct proxied_item {
    int64_t secret_id;
    int64_t grant_id; /* row of the store */
    int64_t uses;     /* as in the grant */
    char name[NAME_MAX_BYTES + 1];
    char field[GRANT_FIELD_BYTES];
    struct places places;
    bool is_minted; /* each task has a value of its own: not from the shelf */
    struct budget budget;
    struct budget_spent spent;           /* under `lock` */
    atomic_int_fast64_t used_version_id; /* whose lease is on record, durable */
    int64_t filtered_version;            /* under `lock`: what `filter` has */
};

struct proxied {
    atomic_int refs;
    pthread_mutex_t lock;
    struct matcher *filter; /* under `lock`; NULL: none yet */
    struct allow *allow;    /* hosts without a credential */
    size_t allow_count;
    struct authority *authority; /* of interception; NULL: none is needed */
    struct turned *turned;       /* under `lock`: hosts it was refused */
    size_t count;
    struct proxied_item items[];
};

/* `count` items, zeroed, to be filled before anybody else sees it. */
AG_CHECK AG_NONNULL enum ag_err proxied_new(size_t count, struct proxied **ret);
AG_NONNULL struct proxied *proxied_share(struct proxied *set);
void proxied_release(struct proxied *set);
AG_DEFINE_CLEANUP(proxied, proxied_release)

/* A host that `--allow` would have permitted was refused. Threads: any. */
AG_NONNULL void proxied_turn_away(struct proxied *set, const char *host);

/* The items' grants have rows now: grant_id was an index into `ids`. */
AG_NONNULL void proxied_bind(struct proxied *set, const int64_t *ids);

/* The numbers. Errors: AG_ELIMIT a task beyond 32 bits. */
AG_CHECK AG_NONNULL enum ag_err proxied_id(int64_t task_id, size_t delivery,
                                           uint64_t *ret);

static inline int64_t
proxied_id_task(uint64_t id)
{
    return (int64_t)(id >> 16);
}

static inline size_t
proxied_id_delivery(uint64_t id)
{
    return (size_t)(id >> 8 & 0xff);
}

static inline size_t
proxied_id_part(uint64_t id)
{
    return (size_t)(id & 0xff);
}

#endif
