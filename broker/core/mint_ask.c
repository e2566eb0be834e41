/* Who asks for a credential of a task's, and who waits for it (mint.h). */
#include <stdio.h>

#include "base/clock.h"
#include "core/holds.h"
#include "core/mint_impl.h"
#include "core/secrets.h"
#include "core/state.h"

enum {
    WHY_BYTES = STORE_WHY_BYTES,
};

static enum ag_err
say_paused(const struct mint_pause *pause, int64_t now_ms)
{
    return err_why(AG_EMINT,
                   "the credential could not be made; the next try is in "
                   "%lld s",
                   (long long)((pause->until_ms - now_ms + 999) / 1000));
}

/* Under the lock. */
static enum ag_err
queue(struct mints *all, int64_t task_id, int64_t secret_id,
      struct mint_wait *wait)
{
    struct minting *m = mints_making(all, task_id, secret_id);
    const struct mint_pause *pause = mints_pause_of(all, secret_id);
    int64_t now_ms = clock_steady_ms();

    if (m == NULL && pause != NULL && now_ms < pause->until_ms) {
        return say_paused(pause, now_ms);
    }
    if (m == NULL) {
        m = minting_new(all, MINTING_MAKE);
        if (m == NULL || all->stopping) {
            minting_free(m);
            return all->stopping ? AG_ELOCKED : AG_ENOMEM;
        }
        m->task_id = task_id;
        m->secret_id = secret_id;
        TAILQ_INSERT_TAIL(&all->queue, m, link);
        atomic_store(&all->is_used, true);
        mints_call_thread(all);
    }
    wait->on = m;
    TAILQ_INSERT_TAIL(&m->waits, wait, link);
    return AG_OK;
}

/* AG_OK: there is one; AG_ENOTFOUND: it is to be made. */
static enum ag_err
look(struct db_read *r, const struct secret_row *secret, int64_t task_id)
{
    AG_AUTO(minted_row) struct minted_row row = {0};
    AG_AUTO(mint_rule) struct mint_rule rule = {0};
    enum ag_err err = minted_live_of(r, task_id, secret->id, &row);

    if (err == AG_OK) {
        err = mint_rule_read(row.plan, &rule);
    }
    return err == AG_OK && !minted_is_good(&row, &rule, clock_wall_ms())
               ? AG_ENOTFOUND
               : err;
}

enum ag_err
mint_there(struct core *core, int64_t task_id, int64_t secret_id)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = secrets_get(r, secret_id, &secret);
    }
    return err == AG_OK && mint_has_rule(&secret) ? look(r, &secret, task_id)
                                                  : err;
}

static enum ag_err
ask_row(struct core *core, int64_t task_id, const struct secret_row *secret,
        struct db_read *r, struct mint_wait *wait, enum mint_say *ret)
{
    bool held = holds_check(core->holds, secret->id, secret->name) != AG_OK;
    enum ag_err err = AG_OK;

    /* That one is on hold is for its use to say. */
    if (!held && mint_has_rule(secret)) {
        err = look(r, secret, task_id);
    }
    wait->on = NULL;
    *ret = MINT_GO;
    if (err != AG_ENOTFOUND) {
        return err;
    }
    (void)pthread_mutex_lock(&core->mints->lock);
    err = queue(core->mints, task_id, secret->id, wait);
    (void)pthread_mutex_unlock(&core->mints->lock);
    *ret = err == AG_OK ? MINT_WAIT : MINT_GO;
    return err;
}

enum ag_err
mint_ask(struct core *core, int64_t task_id, int64_t secret_id,
         struct mint_wait *wait, enum mint_say *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = core_need_open(core);

    *ret = MINT_GO;
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err = secrets_get(r, secret_id, &secret);
    }
    return err == AG_OK ? ask_row(core, task_id, &secret, r, wait, ret) : err;
}

enum ag_err
mint_ask_reading(struct core *core, const struct call *call,
                 const struct get_request *request, struct mint_wait *wait,
                 enum mint_say *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    const struct live_token *token = call->token;
    enum ag_err err = AG_OK;

    *ret = MINT_GO;
    if (call->who != CALLER_TASK || token == NULL || request->version != 0 ||
        grant_find(token->grants->grants, token->grants->count, request->name,
                   request->field, VERB_READ) == NULL) {
        return AG_OK;
    }
    err = store_read(core->store, &r);
    if (err == AG_OK) {
        err = secrets_find(r, span_str(request->name), &secret);
    }
    if (err == AG_ENOTFOUND ||
        (err == AG_OK && !verb_allowed(VERB_READ, secret.min_grade))) {
        return AG_OK;
    }
    return err == AG_OK ? ask_row(core, call->task_id, &secret, r, wait, ret)
                        : err;
}

void
mint_forget(struct core *core, struct mint_wait *wait)
{
    struct mints *all = core->mints;
    struct minting *m = NULL;

    (void)pthread_mutex_lock(&all->lock);
    m = AG_TAKE(wait->on);
    if (m != NULL) {
        TAILQ_REMOVE(&m->waits, wait, link);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

struct blocking {
    struct mint_wait wait;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    enum ag_err err;
    char why[WHY_BYTES];
};

static void
on_done(struct mint_wait *wait, enum ag_err err)
{
    struct blocking *b = (struct blocking *)wait; /* its first member */

    (void)pthread_mutex_lock(&b->lock);
    b->err = err;
    (void)snprintf(b->why, sizeof(b->why), "%s", err_text(err));
    b->is_done = true;
    (void)pthread_cond_signal(&b->done);
    (void)pthread_mutex_unlock(&b->lock);
}

enum ag_err
mint_get(struct core *core, int64_t task_id, int64_t secret_id)
{
    struct blocking b = {.wait.done = on_done,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .done = PTHREAD_COND_INITIALIZER};
    enum mint_say say = MINT_GO;
    enum ag_err err = mint_ask(core, task_id, secret_id, &b.wait, &say);

    if (err == AG_OK && say == MINT_WAIT) {
        (void)pthread_mutex_lock(&b.lock);
        while (!b.is_done) {
            (void)pthread_cond_wait(&b.done, &b.lock);
        }
        (void)pthread_mutex_unlock(&b.lock);
        err = b.err == AG_OK ? AG_OK : err_why(b.err, "%s", b.why);
    }
    (void)pthread_cond_destroy(&b.done);
    (void)pthread_mutex_destroy(&b.lock);
    return err;
}
