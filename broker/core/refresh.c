#include "core/refresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/refresh_impl.h"
#include "core/state.h"
#include "upstream/upstream.h"

/* ---- its life ---- */

enum ag_err
refresher_new(struct core *core, struct refresher **ret)
{
    struct refresher *all = calloc(1, sizeof(*all));
    pthread_condattr_t attr;

    if (all == NULL) {
        return AG_ENOMEM;
    }
    all->core = core;
    LIST_INIT(&all->logins);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_cond_init(&all->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = all;
    return AG_OK;
}

void
refresher_free(struct refresher *all)
{
    struct login *l = NULL;

    if (all == NULL) {
        return;
    }
    while ((l = LIST_FIRST(&all->logins)) != NULL) {
        AG_ASSERT(TAILQ_EMPTY(&l->waits));
        LIST_REMOVE(l, link);
        trip_clear(&l->trip);
        free(l);
    }
    (void)pthread_cond_destroy(&all->changed);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* Under the lock: the login's entry, made when it is asked for first. */
static struct login *
login_for(struct refresher *all, int64_t secret_id)
{
    struct login *l = NULL;

    LIST_FOREACH(l, &all->logins, link)
    {
        if (l->secret_id == secret_id) {
            return l;
        }
    }
    if (all->count == REFRESH_LOGINS_MAX_COUNT ||
        (l = calloc(1, sizeof(*l))) == NULL) {
        return NULL;
    }
    l->owner = all;
    l->secret_id = secret_id;
    TAILQ_INIT(&l->waits);
    LIST_INSERT_HEAD(&all->logins, l, link);
    all->count++;
    return l;
}

/* ---- asking ---- */

static bool
has_ended(const struct login *l)
{
    return clock_wall_ms() >= l->facts.expires_ms;
}

static enum ag_err
say_needed(const struct login_facts *facts)
{
    if (strcmp(facts->code, OAUTH2_UNUSABLE) == 0) {
        return err_why(AG_ELOGIN,
                       "the service answered a refresh with what can't be "
                       "kept, and takes the login for refreshed; log in anew "
                       "with its tool outside of a task, then: auth-guard "
                       "adopt");
    }
    return err_why(AG_ELOGIN,
                   "the service refused this login for good (%s); log in anew "
                   "with its tool outside of a task, then: auth-guard adopt",
                   facts->code);
}

/* A failure while the old token is good is none of who only wants to use it. */
static enum ag_err
verdict(const struct login *l, enum refresh_cause cause, enum ag_err err)
{
    return err != AG_ELOGIN && cause == REFRESH_DUE && !has_ended(l) ? AG_OK
                                                                     : err;
}

static enum ag_err
say_paused(const struct login *l, int64_t now_ms)
{
    return err_why(AG_EREFRESH,
                   "the login could not be refreshed; the next try is in "
                   "%lld s",
                   (long long)((l->not_before_ms - now_ms + 999) / 1000));
}

static int64_t
forced_pause_ms(const struct login *l, int64_t now_ms)
{
    int64_t ms = REFRESH_PAUSE_MS;

    for (unsigned i = 0; i < l->forced_count && ms < REFRESH_FORCED_MAX_MS &&
                         now_ms - l->forced_ms < REFRESH_FORCED_QUIET_MS;
         i++) {
        ms *= 2;
    }
    return ms < REFRESH_FORCED_MAX_MS ? ms : REFRESH_FORCED_MAX_MS;
}

/* Does this cause ask for a refresh of the version that is current? */
static enum refresh_say
needs(const struct login *l, const struct refresh_want *want, int64_t now_ms)
{
    int64_t pause_ms = want->cause == REFRESH_REFUSED
                           ? forced_pause_ms(l, now_ms)
                           : REFRESH_PAUSE_MS;
    bool just_now = l->refreshed_ms != 0 && now_ms - l->refreshed_ms < pause_ms;

    if (!l->facts.can) {
        return REFRESH_NONE;
    }
    if (want->cause == REFRESH_SCHEDULED) {
        return want->version != l->facts.version ? REFRESH_GO : REFRESH_WAIT;
    }
    if (want->cause == REFRESH_REFUSED) {
        return want->version != 0 && want->version != l->facts.version
                   ? REFRESH_GO
               : just_now ? REFRESH_NONE
                          : REFRESH_WAIT;
    }
    return clock_wall_ms() < l->facts.due_ms || just_now ? REFRESH_GO
                                                         : REFRESH_WAIT;
}

static void
pause_more(struct login *l, int64_t asked_ms)
{
    unsigned shift = l->failures < 16 ? l->failures : 16;
    int64_t ms = (int64_t)REFRESH_BACKOFF_MIN_MS << shift;

    ms = ms < REFRESH_BACKOFF_MAX_MS ? ms : REFRESH_BACKOFF_MAX_MS;
    ms = ms * 3 / 4 + randombytes_uniform((uint32_t)(ms / 2 + 1));
    l->failures++;
    l->not_before_ms = clock_steady_ms() + (ms > asked_ms ? ms : asked_ms);
}

/* Under the lock, in LOGIN_RESTS: what is to be done; *ret_settle: an answer
 * has to be stored first. */
static enum ag_err
begin(struct login *l, const struct refresh_want *want, enum refresh_say *ret,
      bool *ret_settle)
{
    int64_t now_ms = clock_steady_ms();
    enum ag_err err = AG_OK;

    *ret = needs(l, want, now_ms);
    if (*ret != REFRESH_WAIT) {
        return AG_OK;
    }
    if (l->facts.needed && !l->trip.has_answer) {
        return say_needed(&l->facts);
    }
    if (now_ms < l->not_before_ms) {
        *ret = REFRESH_GO;
        return verdict(l, want->cause, say_paused(l, now_ms));
    }
    if (l->trip.has_answer) {
        l->state = LOGIN_STORES;
        *ret_settle = true;
        return AG_OK;
    }
    l->is_forced = want->cause == REFRESH_REFUSED;
    err = trip_start(l);
    if (err != AG_OK) {
        pause_more(l, 0);
        *ret = REFRESH_GO;
        err = verdict(l, want->cause, err);
    }
    return err;
}

static enum ag_err
ask(struct login *l, const struct refresh_want *want, struct refresh_wait *wait,
    enum refresh_say *ret, bool *ret_settle)
{
    enum refresh_say say = REFRESH_WAIT;
    enum ag_err err = login_look(l);

    if (err != AG_OK) {
        return err;
    }
    if (l->state == LOGIN_RESTS) {
        err = begin(l, want, &say, ret_settle);
    } else {
        say = needs(l, want, clock_steady_ms());
    }
    if (err != AG_OK) {
        return err;
    }
    if (say == REFRESH_WAIT) {
        wait->cause = want->cause;
        wait->login = l;
        TAILQ_INSERT_TAIL(&l->waits, wait, link);
    }
    *ret = say;
    return AG_OK;
}

enum ag_err
refresh_ask(struct core *core, const struct refresh_want *want,
            struct refresh_wait *wait, enum refresh_say *ret)
{
    struct refresher *all = core->refresher;
    struct login *l = NULL;
    bool settle = false;
    enum ag_err err = core_need_open(core);

    wait->login = NULL;
    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&all->lock);
    l = login_for(all, want->secret_id);
    err = l != NULL ? ask(l, want, wait, ret, &settle) : AG_ENOMEM;
    (void)pthread_mutex_unlock(&all->lock);
    if (settle) {
        login_settle(l, AG_OK);
    }
    return err;
}

void
refresh_forget(struct core *core, struct refresh_wait *wait)
{
    struct refresher *all = core->refresher;
    struct login *l = NULL;

    (void)pthread_mutex_lock(&all->lock);
    l = AG_TAKE(wait->login);
    if (l != NULL) {
        TAILQ_REMOVE(&l->waits, wait, link);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

/* ---- the outcome ---- */

static void
note_refresh(struct login *l, int64_t now_ms)
{
    l->refreshed_ms = now_ms;
    if (l->is_forced) {
        l->forced_count = forced_pause_ms(l, now_ms) == REFRESH_PAUSE_MS
                              ? 1
                              : l->forced_count + 1;
        l->forced_ms = now_ms;
    }
}

/* Under the lock: what became of the call, as all who wait are told. */
static enum ag_err
conclude(struct login *l, enum ag_err err)
{
    struct trip *trip = &l->trip;
    /* A login that was removed has no use for an answer. */
    bool kept = err != AG_OK && err != AG_ENOTFOUND && trip->has_answer &&
                trip->result.outcome != OAUTH2_LATER;

    if (err != AG_OK) {
        pause_more(l, 0);
    } else if (trip->result.outcome == OAUTH2_LATER) {
        pause_more(l, trip->result.retry_after_ms);
        err = say_paused(l, clock_steady_ms());
    } else {
        l->failures = 0;
        l->not_before_ms = 0;
        l->facts.version = 0; /* read anew */
    }
    if (err == AG_OK && trip->result.outcome == OAUTH2_FRESH) {
        note_refresh(l, clock_steady_ms());
    } else if (err == AG_OK && !trip->retained) {
        (void)snprintf(l->facts.code, sizeof(l->facts.code), "%s",
                       trip->result.code);
        err = say_needed(&l->facts);
    }
    if (kept) {
        oauth2_result_done(&trip->result);
    } else {
        trip_clear(trip);
    }
    return err;
}

void
login_done(struct login *l, enum ag_err err)
{
    struct refresher *all = l->owner;
    struct refresh_wait *wait = NULL;
    char why[STORE_WHY_BYTES];

    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    (void)pthread_mutex_lock(&all->lock);
    err = err == AG_OK ? AG_OK : err_why(err, "%s", why);
    err = conclude(l, err);
    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    l->state = LOGIN_RESTS;
    while ((wait = TAILQ_FIRST(&l->waits)) != NULL) {
        enum ag_err said = verdict(l, wait->cause, err);

        TAILQ_REMOVE(&l->waits, wait, link);
        wait->login = NULL;
        wait->done(wait, said == AG_OK ? AG_OK : err_why(said, "%s", why));
    }
    (void)pthread_cond_broadcast(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
}

/* ---- housekeeping ---- */

/* Each login once: an answer that still can't be stored stays where it is. */
static void
store_kept(struct refresher *all, int64_t now_ms)
{
    struct login *l = NULL;
    struct login *next = NULL;
    bool takes = false;

    (void)pthread_mutex_lock(&all->lock);
    l = LIST_FIRST(&all->logins);
    (void)pthread_mutex_unlock(&all->lock);
    for (; l != NULL; l = next) {
        (void)pthread_mutex_lock(&all->lock);
        next = LIST_NEXT(l, link);
        takes = l->state == LOGIN_RESTS && l->trip.has_answer &&
                now_ms >= l->not_before_ms;
        l->state = takes ? LOGIN_STORES : l->state;
        (void)pthread_mutex_unlock(&all->lock);
        if (takes) {
            login_settle(l, AG_OK);
        }
    }
}

void
refresher_tick(struct refresher *all)
{
    store_kept(all, clock_steady_ms());
}

static bool
is_at_work(struct refresher *all)
{
    struct login *l = NULL;

    LIST_FOREACH(l, &all->logins, link)
    {
        if (l->state != LOGIN_RESTS) {
            return true;
        }
    }
    return false;
}

/* Under the lock. */
static struct upstream_call *
take_call(struct refresher *all)
{
    struct login *l = NULL;

    LIST_FOREACH(l, &all->logins, link)
    {
        if (l->trip.out != NULL) {
            return AG_TAKE(l->trip.out);
        }
    }
    return NULL;
}

void
refresher_stop(struct refresher *all)
{
    struct upstream_call *out = NULL;

    (void)pthread_mutex_lock(&all->lock);
    while ((out = take_call(all)) != NULL) {
        (void)pthread_mutex_unlock(&all->lock);
        upstream_cancel(out);
        (void)pthread_mutex_lock(&all->lock);
    }
    while (all->ending_count > 0) {
        (void)pthread_cond_wait(&all->changed, &all->lock);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

void
refresher_drain(struct refresher *all)
{
    struct timespec until;

    store_kept(all, INT64_MAX);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += REFRESH_DRAIN_MS / 1000;
    (void)pthread_mutex_lock(&all->lock);
    while (is_at_work(all)) {
        if (pthread_cond_timedwait(&all->changed, &all->lock, &until) != 0) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
}
