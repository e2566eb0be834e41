/* A rotation whose new value comes of a login's refresh: the provider makes it
 * and retires the old one at once, and core/refresh.h keeps it, in one flight
 * with whoever else asks. So there is nothing to verify, observe or undo. */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/refresh.h"
#include "core/refresh_impl.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "store/versions.h"

enum {
    LOOK_MS = 200, /* whether the broker stops, or the vault was locked */
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000,
};

enum ag_err
rotation_refreshes(struct core *core, struct db_read *r,
                   const struct secret_row *secret)
{
    AG_AUTO(secret) struct secret *content = NULL;
    struct oauth2_login login = {0};
    enum ag_err err = AG_OK;

    login.refresh = login_way(core, secret, &login.format);
    if (login.refresh == NULL) {
        return err_why(AG_EINVAL,
                       "%s is no login that its profile says how to refresh; "
                       "take another rotator",
                       secret->name);
    }
    err = versions_value(r, secret->id, 0, NULL, &content);
    if (err == AG_OK) {
        login.content = secret_view(content);
        err = oauth2_check(&login);
    }
    return err == AG_ENOTFOUND
               ? err_why(AG_EINVAL,
                         "%s has no refresh token, as a login by API key has "
                         "none; log in with the tool and put its file, or take "
                         "another rotator",
                         secret->name)
               : err;
}

/* ---- the act ---- */

struct asking {
    struct refresh_wait wait;
    sem_t told;
    enum ag_err err;
};

static void
on_told(struct refresh_wait *wait, enum ag_err err)
{
    struct asking *asking = (struct asking *)wait; /* its first member */

    asking->err = err;
    (void)sem_post(&asking->told);
}

/* Waits a moment; false: nobody has told yet. */
static bool
is_told(struct asking *asking)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)LOOK_MS * NS_PER_MS;
    if (until.tv_nsec >= (long)NS_PER_MS * MS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= (long)NS_PER_MS * MS_PER_S;
    }
    do {
        rc = sem_clockwait(&asking->told, CLOCK_MONOTONIC, &until);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static void
settle(struct rotator_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

/* What came of it is told by the secret itself, which is looked at later: here
 * only why there was nothing. */
static void
judge(enum ag_err err, struct rotator_answer *ret)
{
    if (err == AG_OK) {
        settle(ret, ROTATOR_DONE, "");
    } else if (err == AG_EHOST || err == AG_EDENIED || err == AG_ENOTFOUND) {
        settle(ret, ROTATOR_REFUSED, err_code(err));
    } else {
        settle(ret, ROTATOR_LATER, err_code(err));
    }
}

void
rotation_refresh(struct core *core, const struct turn *t,
                 struct rotator_answer *ret)
{
    struct asking asking = {.wait.done = on_told};
    const struct refresh_want want = {.secret_id = t->secret_id,
                                      .cause = REFRESH_SCHEDULED,
                                      .version = t->row.old_version};
    enum refresh_say say = REFRESH_NONE;
    enum ag_err err = AG_OK;
    bool cut_off = false;

    (void)sem_init(&asking.told, 0, 0);
    err = refresh_ask(core, &want, &asking.wait, &say);
    while (err == AG_OK && say == REFRESH_WAIT && !cut_off &&
           !is_told(&asking)) {
        cut_off = rotation_may_go_on(core) != AG_OK;
    }
    refresh_forget(core, &asking.wait);
    (void)sem_destroy(&asking.told);
    if (cut_off) {
        /* Its answer is kept all the same: the next run finds it there. */
        settle(ret, ROTATOR_UNSURE, "cut_off");
    } else if (err == AG_OK && say == REFRESH_NONE) {
        settle(ret, ROTATOR_REFUSED, "not_refreshable");
    } else {
        judge(err == AG_OK && say == REFRESH_WAIT ? asking.err : err, ret);
    }
}

/* ---- what came of it ---- */

enum ag_err
rotation_refreshed(struct turn *t, struct db_tx *tx, bool *ret_needs_login)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *code = NULL;
    enum ag_err err = AG_OK;

    secret_row_done(&t->secret);
    t->secret = (struct secret_row){0};
    err = secrets_get(db_tx_read(tx), t->secret_id, &t->secret);
    if (err == AG_OK && t->secret.current_version != t->row.old_version) {
        t->row.new_version = t->secret.current_version;
    }
    if (err == AG_OK) {
        err = detail_of_secret(&t->secret, &detail);
    }
    if (err == AG_OK && refresh_is_needed(&t->secret, detail, &code)) {
        settle(&t->answer, ROTATOR_REFUSED, code);
        *ret_needs_login = true;
    }
    return err;
}
