/*
 * refresh.h - logins are refreshed by the broker: one call to the service at a
 * time for each login, whoever asks, and the new tokens are in the vault before
 * anybody may use them.
 * Floor: core. Depends on: rotate/oauth2, upstream/upstream, core/places.
 *
 * A login is refreshed before it ends (its profile says how long before; a
 * quarter of its life at most) and after the service refused the version that
 * was used. Everybody who asks meanwhile waits for the same outcome:
 * - fresh: a new version with its audit row, durable; all go on with it. Was
 *   another version put while the call ran, that one stays current and the
 *   service's is kept beside it;
 * - refused for good: the version is marked, nothing is called for it any more,
 *   all are told AG_ELOGIN at once, and so is who comes later, until there is
 *   another version;
 * - answered with tokens that can't be kept (too large, not of their grammar):
 *   the same as refused, with a sentence of its own, since the service takes the
 *   old refresh token for used;
 * - anything else: tried again after a pause that doubles, or as long as the
 *   service said. In it a token that has not ended goes on being used; without
 *   one AG_EREFRESH.
 * An answer that came but could not be stored (disk full, memory short, the
 * vault locked meanwhile) is kept in locked memory and stored before anything
 * else happens with that login; lost it is only with the process. A lock and a
 * stop wait for calls under way for a moment.
 *
 * The refresh token goes to the address that was sealed with the secret, and
 * nowhere else, whatever its profile says later; a user's own profile must be
 * trusted as it is. Inner addresses are called only where a place of the same
 * secret on that host says so.
 */
#ifndef AG_CORE_REFRESH_H
#define AG_CORE_REFRESH_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct core;
struct login;
struct refresher;
struct secret_row;

enum {
    REFRESH_LOGINS_MAX_COUNT = 4096,
    /* A login is not refreshed again so soon, whoever asks: a task must not
     * make the broker call out as it likes. */
    REFRESH_PAUSE_MS = 20 * 1000,
    /* After a 401 the pause doubles with each refresh for that cause, to this;
     * an hour without one, and it is the short one again. Whom a task calls may
     * answer 401 as often as the task likes. */
    REFRESH_FORCED_MAX_MS = 20 * 60 * 1000,
    REFRESH_FORCED_QUIET_MS = 60 * 60 * 1000,
    REFRESH_BACKOFF_MIN_MS = 1000,
    REFRESH_BACKOFF_MAX_MS = 5 * 60 * 1000,
    REFRESH_CALL_MS = 30 * 1000,
    REFRESH_DRAIN_MS = 5 * 1000,
};

enum refresh_cause {
    REFRESH_DUE,       /* about to be used: refreshed if it ends soon */
    REFRESH_REFUSED,   /* the service answered 401 to `version` */
    REFRESH_SCHEDULED, /* `version` is to be another, however long it lives */
};

struct refresh_want {
    int64_t secret_id;
    enum refresh_cause cause;
    int64_t version; /* 0: the current one */
};

enum refresh_say {
    REFRESH_GO,   /* the current version may be used, or is newer */
    REFRESH_WAIT, /* done() will be called */
    REFRESH_NONE, /* it can't be refreshed, or was just now */
};

/*
 * Who waits, in the caller's memory. done() is called at most once, on any
 * thread and under a lock of this module's: it must not block and not call
 * back. err_text(err) in it is the sentence. AG_OK: go on with the current
 * version.
 */
struct refresh_wait {
    void (*done)(struct refresh_wait *wait, enum ag_err err);
    TAILQ_ENTRY(refresh_wait) link; /* these are the module's own */
    enum refresh_cause cause;
    struct login *login; /* NULL: it does not wait */
};

/*
 * Errors: AG_ELOGIN, AG_EREFRESH; AG_EHOST no address is sealed with it;
 *         AG_EDENIED its profile is not trusted; AG_ELOCKED; AG_ENOMEM, …
 * Threads: any. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err refresh_ask(struct core *core,
                                            const struct refresh_want *want,
                                            struct refresh_wait *wait,
                                            enum refresh_say *ret);

/* It does not wait any more: done() is over, or will not be called. */
AG_NONNULL void refresh_forget(struct core *core, struct refresh_wait *wait);

/* ---- which login ---- */

/* The login of a task's whose value goes to that service, or 0. */
AG_NONNULL int64_t refresh_of_service(struct core *core, int64_t task_id,
                                      struct span service);

/* The one that refreshes at this host and path, or 0. */
AG_NONNULL int64_t refresh_at(struct core *core, int64_t task_id,
                              struct span authority, struct span path);

/*
 * Appends the answer that the service gives to a refresh, with the task's
 * placeholders as its tokens: {"access_token": …, "expires_in": …}. Members of
 * fields that the task has no placeholder for are left out.
 * Errors: AG_ENOTFOUND, AG_ELOCKED, AG_ELIMIT, AG_ENOMEM, AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err refresh_answer(struct core *core,
                                               int64_t task_id,
                                               int64_t secret_id,
                                               struct buf *out);

/* The same for a login that the service refused for good: {"error": CODE,
 * "error_description": …}, as the service says it. */
AG_CHECK AG_NONNULL enum ag_err
refresh_denial(struct core *core, int64_t secret_id, struct buf *out);

/* ---- what is known of it ---- */

/* Did the service refuse its current version for good? `detail` is the row's
 * description; *ret_code (borrowed from it) says why. */
AG_NONNULL bool refresh_is_needed(const struct secret_row *row,
                                  const json_t *detail, const char **ret_code);

/* ---- for core.c and lock.c ---- */

AG_CHECK AG_NONNULL enum ag_err refresher_new(struct core *core,
                                              struct refresher **ret);
/* Breaks off what is under way; nobody may ask or wait any more. To be called
 * while the store is there, refresher_free() when it is not. */
AG_NONNULL void refresher_stop(struct refresher *all);
void refresher_free(struct refresher *all);

/* Answers that still have to be stored. */
AG_NONNULL void refresher_tick(struct refresher *all);

/* Waits for calls under way, REFRESH_DRAIN_MS at most. */
AG_NONNULL void refresher_drain(struct refresher *all);

#endif
