/*
 * refresh_impl.h - what the files of the refresh share.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_REFRESH_IMPL_H
#define AG_CORE_REFRESH_IMPL_H

#include <pthread.h>

#include "core/core.h"
#include "core/refresh.h"
#include "profile/profile.h"
#include "rotate/oauth2.h"

struct secret;
struct upstream_call;

TAILQ_HEAD(refresh_waits, refresh_wait);

/* One login: rests -> calls -> stores -> rests. */
enum login_state {
    LOGIN_RESTS,
    LOGIN_CALLS,
    LOGIN_STORES,
};

/* Of the current version, as it was when the store had this epoch. */
struct login_facts {
    uint64_t epoch;
    int64_t version; /* 0: nothing is known */
    int64_t changed_ms;
    int64_t expires_ms; /* wall clock; INT64_MAX: it is not said */
    int64_t due_ms;
    bool can; /* there is something to refresh */
    bool needed;
    char code[OAUTH2_CODE_BYTES];
};

/* One call to the service, and its answer until the outcome is durable. The
 * login's state says whose it is: the upstream's thread while it calls, the
 * writer's while it stores. */
struct trip {
    struct upstream_call *out;
    const struct profile_refresh *refresh;
    enum file_format format;
    int64_t version;     /* refreshed from */
    struct secret *base; /* its value */
    struct secret *body;
    size_t sent;
    int status;
    char retry_after[32];
    struct secret *answer;
    size_t answer_bytes;
    bool is_too_long;
    bool has_answer; /* whole: it must not be lost */
    int64_t answered_ms;
    struct core_job job;
    struct oauth2_result result;
    bool retained; /* another version had come meanwhile */
};

struct login {
    LIST_ENTRY(login) link;
    struct refresher *owner;
    int64_t secret_id;
    enum login_state state;
    struct refresh_waits waits;
    struct login_facts facts;
    int64_t refreshed_ms;  /* steady clock; 0: never */
    int64_t forced_ms;     /* the same, after a 401 */
    unsigned forced_count; /* since it was quiet for long */
    bool is_forced;        /* the call under way is for a 401 */
    int64_t not_before_ms; /* steady clock: the pause after a failure */
    unsigned failures;
    struct trip trip;
};

struct refresher {
    struct core *core;
    pthread_mutex_t lock; /* all logins, but for a trip's parts */
    pthread_cond_t changed;
    LIST_HEAD(login_list, login) logins;
    size_t count;
    size_t ending_count; /* ends of calls that are being dealt with */
};

/* Reads the facts if they are not of now. Under the lock. Errors: AG_ENOTFOUND
 * it is not in the vault; AG_ELOCKED, … */
AG_CHECK AG_NONNULL enum ag_err login_look(struct login *l);

/* Sends the request: LOGIN_CALLS. Under the lock. */
AG_CHECK AG_NONNULL enum ag_err trip_start(struct login *l);
AG_NONNULL void trip_clear(struct trip *trip);

/* The answer, or its failure (`why`, when there is none), goes into the vault.
 * The state is LOGIN_STORES; not under the lock. */
AG_NONNULL void login_settle(struct login *l, enum ag_err why);

/* The outcome is known: told to all who wait. Not under the lock. */
AG_NONNULL void login_done(struct login *l, enum ag_err err);

/* The profile's way to read a stored value; NULL: it is no login. */
const struct profile_refresh *login_way(struct core *core,
                                        const struct secret_row *row,
                                        enum file_format *ret_format);

#endif
