#include "proxy/flight_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/mint.h"
#include "core/refresh.h"
#include "proxy/kept_ask.h"
#include "proxy/later.h"
#include "redact/matcher.h"

enum {
    WHY_BYTES = 200,
    ANSWER_MAX_BYTES = 256 * 1024, /* three placeholders of a login's size */
    MINTS_MAX_COUNT = PERMIT_EDITS_MAX_COUNT, /* each value of a request */
};

/* What Codex says of a refresh after a 401. */
static const char RECOVERY[] = "unauthorized_recovery";

struct flight_login {
    struct flight *f;
    struct refresh_wait wait;
    struct mint_wait mint;
    struct later_job later;
    enum ag_err err; /* what the refresh came to */
    char why[WHY_BYTES];
    int64_t secret_id;
    bool answers;    /* it is for the refresh address */
    bool again;      /* the service has refused it once */
    int mint_count;  /* that were asked for */
    bool mints_kept; /* for a body that is kept whole */
    /* The request, to be decided then, or once more. */
    struct kept_ask kept;
    /* Under the flight's lock: */
    bool holds;    /* not decided yet */
    bool launches; /* the body is there: once decided, send it */
};

/* ---- the request's end of it ---- */

static void
settled(struct flight_login *login, enum ag_err err)
{
    login->err = err;
    (void)snprintf(login->why, sizeof(login->why), "%s", err_text(err));
    later_push(login->f->proxy->later, &login->later);
}

static void
on_done(struct refresh_wait *wait, enum ag_err err)
{
    settled(
        (struct flight_login *)(void *)((char *)wait -
                                        offsetof(struct flight_login, wait)),
        err);
}

static void
on_minted(struct mint_wait *wait, enum ag_err err)
{
    settled(
        (struct flight_login *)(void *)((char *)wait -
                                        offsetof(struct flight_login, mint)),
        err);
}

static void go_on(struct later_job *job);

/* ask NULL: the whole request is kept elsewhere. */
static enum ag_err
make(struct flight *f, const struct permit_ask *ask, int64_t secret_id,
     bool answers)
{
    struct flight_login *login = calloc(1, sizeof(*login));

    if (login == NULL) {
        return AG_ENOMEM;
    }
    login->f = f;
    login->wait.done = on_done;
    login->mint.done = on_minted;
    login->later.run = go_on;
    login->secret_id = secret_id;
    login->answers = answers;
    login->holds = answers;
    if (ask != NULL) {
        kept_ask_init(&login->kept, ask);
    }
    f->login = login;
    return AG_OK;
}

/* ---- a credential that is made at its first use ---- */

/* It is asked for, and comes later unless another request just had it made. Of
 * what was cut nobody would forget it any more. */
static enum ag_err
ask_mint(struct flight *f, const struct permit_ask *ask, bool *ret_waits)
{
    enum mint_say say = MINT_GO;
    bool cut = false;
    enum ag_err err = f->login == NULL ? make(f, ask, 0, false) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&f->lock);
    cut = f->cut;
    (void)pthread_mutex_unlock(&f->lock);
    if (cut) {
        return AG_EREVOKED;
    }
    if (f->login->mint_count == MINTS_MAX_COUNT) {
        return err_why(AG_EMINT, "a credential was made and ended at once");
    }
    f->login->mint_count++;
    f->login->again = true; /* no 401 makes another */
    if (!f->login->mints_kept && !f->login->holds) {
        f->login->holds = true; /* done() may come at once */
    }
    err = mint_ask(f->proxy->core, f->call.task_id, f->permit.mint_id,
                   &f->login->mint, &say);
    *ret_waits = err == AG_OK && say == MINT_WAIT;
    return err;
}

static enum ag_err
decide_minting(struct flight *f, const struct permit_ask *ask, bool may_block,
               bool *ret_waits)
{
    enum ag_err err = flight_decide(f, ask, may_block);

    while (err == AG_OK && f->permit.mint_id != 0 && !*ret_waits) {
        err = ask_mint(f, ask, ret_waits);
        if (err == AG_OK && !*ret_waits) {
            err = flight_decide(f, ask, may_block);
        }
    }
    return err;
}

enum ag_err
flight_login_decide(struct flight *f, const struct permit_ask *ask,
                    bool may_block)
{
    bool waits = false;
    enum ag_err err = decide_minting(f, ask, may_block, &waits);

    if (!waits && f->login != NULL) {
        f->login->holds = false;
    }
    return err;
}

enum ag_err
flight_login_mint(struct flight *f, bool *ret_waits)
{
    enum ag_err err = f->login == NULL ? make(f, NULL, 0, false) : AG_OK;

    if (err == AG_OK) {
        f->login->mints_kept = true;
        err = ask_mint(f, NULL, ret_waits);
    }
    return err;
}

/* ---- a login ---- */

enum ag_err
flight_login_open(struct flight *f, const struct proxy_request *request,
                  const struct permit_ask *ask, bool *ret_holds)
{
    struct core *core = f->proxy->core;
    struct refresh_want want = {.cause = REFRESH_DUE};
    enum refresh_say say = REFRESH_GO;
    enum ag_err err = AG_OK;

    *ret_holds = false;
    f->request.method = request->method;
    f->request.body_bytes = request->body_bytes;
    if (f->call.who != CALLER_TASK ||
        (ask->path_task_id != 0 && ask->path_task_id != f->call.task_id)) {
        return AG_OK; /* the decision says no */
    }
    if (span_is(request->method, "POST") && ask->request.query.len == 0) {
        want.secret_id =
            refresh_at(core, f->call.task_id, ask->service, ask->request.path);
    }
    if (want.secret_id != 0) {
        *ret_holds = true;
        return make(f, ask, want.secret_id, true);
    }
    want.secret_id = refresh_of_service(core, f->call.task_id, ask->service);
    if (want.secret_id == 0) {
        return AG_OK;
    }
    err = make(f, ask, want.secret_id, false);
    if (err != AG_OK) {
        return err;
    }
    f->login->holds = true; /* done() may come at once */
    err = refresh_ask(core, &want, &f->login->wait, &say);
    *ret_holds = say == REFRESH_WAIT;
    if (!*ret_holds) {
        f->login->holds = false;
    }
    return err;
}

bool
flight_login_waits(const struct flight *f)
{
    return f->login != NULL && f->login->holds && !f->login->answers;
}

bool
flight_login_puts_off(struct flight *f)
{
    bool waits = false;

    (void)pthread_mutex_lock(&f->lock);
    waits = flight_login_waits(f);
    if (waits) {
        f->up_done = true;
        f->login->launches = true;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return waits;
}

/* ---- sent again ---- */

/* Under the lock: all that was sent is still there. */
static bool
can_resend(const struct flight *f)
{
    return f->up_done && f->json == NULL &&
           f->up_at + f->up_ready + f->up_held == f->up_taken_bytes;
}

bool
flight_login_refused(struct flight *f, int status)
{
    struct flight_login *login = f->login;
    const struct refresh_want want = {
        .secret_id = f->login_id,
        .cause = REFRESH_REFUSED,
        .version = f->login_version,
    };
    enum refresh_say say = REFRESH_NONE;
    enum ag_err err = AG_OK;
    bool whole = false;

    if (login == NULL || status != 401 || login->again || want.version == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&f->lock);
    whole = can_resend(f) && !f->cut;
    (void)pthread_mutex_unlock(&f->lock);
    if (!whole) {
        return false; /* the client sees it, and asks the refresh address */
    }
    login->again = true;
    f->swallows = true; /* before done() can come */
    err = refresh_ask(f->proxy->core, &want, &login->wait, &say);
    if (err == AG_OK && say == REFRESH_NONE) {
        f->swallows = false;
        return false;
    }
    if (err != AG_OK || say == REFRESH_GO) {
        on_done(&login->wait, err);
    }
    return true;
}

/* ---- answered here ---- */

static void
give_answer(struct flight *f, int status, struct span text)
{
    const struct request_field fields[] = {
        {.name = span_str("Content-Type"),
         .value = span_str("application/json")},
        {.name = span_str("Cache-Control"), .value = span_str("no-store")},
    };
    const struct proxy_answer answer = {.status = status,
                                        .body_bytes = (int64_t)text.len,
                                        .fields = fields,
                                        .field_count = AG_COUNT(fields)};
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = backlog_add(&f->down, text);
    f->body_bytes = (int64_t)text.len;
    f->ended = true;
    (void)pthread_mutex_unlock(&f->lock);
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
        return;
    }
    f->client.answer(f->client.arg, &answer);
}

/* As the service says it, so that the tool understands. */
static void
answer_refresh(struct flight *f, enum ag_err outcome, const char *why)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err = outcome;

    buf_init(&text, ANSWER_MAX_BYTES, BUF_WIPE);
    if (outcome == AG_OK) {
        err = refresh_answer(f->proxy->core, f->call.task_id,
                             f->login->secret_id, &text);
    } else if (outcome == AG_ELOGIN) {
        err = refresh_denial(f->proxy->core, f->login->secret_id, &text);
    }
    if (err != AG_OK) {
        flight_fail(f, err, err == outcome ? why : err_text(err));
        return;
    }
    give_answer(f, outcome == AG_OK ? 200 : err_http(outcome), buf_view(&text));
}

/* The body is whole: what it asks for. */
static void
ask_refresh(struct flight *f)
{
    struct flight_login *login = f->login;
    struct refresh_want want = {.secret_id = login->secret_id,
                                .cause = REFRESH_DUE};
    enum refresh_say say = REFRESH_NONE;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    if (f->up_ready > 0 && memmem(f->up + f->up_at, f->up_ready, RECOVERY,
                                  sizeof(RECOVERY) - 1) != NULL) {
        want.cause = REFRESH_REFUSED;
    }
    (void)pthread_mutex_unlock(&f->lock);
    err = refresh_ask(f->proxy->core, &want, &login->wait, &say);
    if (err != AG_OK || say != REFRESH_WAIT) {
        /* Answered on the thread that may block. */
        on_done(&login->wait, err);
    }
}

/* ---- sending ---- */

enum ag_err
flight_login_launch(struct flight *f, bool *ret_done)
{
    struct flight_login *login = f->login;
    bool whole = false;

    if (login == NULL) {
        *ret_done = false;
        return AG_OK;
    }
    (void)pthread_mutex_lock(&f->lock);
    *ret_done = login->holds || login->answers;
    login->launches = true;
    whole = f->up_done;
    (void)pthread_mutex_unlock(&f->lock);
    if (!login->answers) {
        return AG_OK;
    }
    if (!whole) {
        return err_why(AG_ELIMIT,
                       "a request for a refresh has %d bytes at "
                       "most",
                       FLIGHT_UP_BYTES);
    }
    ask_refresh(f);
    return AG_OK;
}

/* The decision anew: another version may be current, or the task at its end. */
static enum ag_err
decide(struct flight *f, bool *ret_waits)
{
    enum ag_err err = AG_OK;

    upstream_cancel(flight_take_out(f));
    rebuilt_done(&f->rebuilt);
    memset(&f->rebuilt, 0, sizeof(f->rebuilt));
    permit_done(&f->permit);
    memset(&f->permit, 0, sizeof(f->permit));
    matcher_unref(AG_TAKE(f->filter));
    permit_meter_free(AG_TAKE(f->meter));
    f->login->kept.ask.call = &f->call;
    err = decide_minting(f, &f->login->kept.ask, true, ret_waits);
    /* Of what waited nothing was taken yet; what is sent again counts again. */
    return err == AG_OK ? permit_meter_add(f->meter, f->up_taken_bytes) : err;
}

/* On the thread for it, after the refresh. */
static void
go_on(struct later_job *job)
{
    struct flight_login *login =
        (struct flight_login *)(void *)((char *)job -
                                        offsetof(struct flight_login, later));
    struct flight *f = login->f;
    enum ag_err err = login->err;
    bool sends = false;
    bool wakes = false;
    bool waits = false;

    err_clear();
    (void)!core_hide(f->proxy->core); /* before anything is printed */
    if (login->answers) {
        answer_refresh(f, err, login->why);
        return;
    }
    if (err != AG_OK) {
        flight_fail(f, err, login->why);
        return;
    }
    if (login->mints_kept) {
        flight_send_kept(f);
        return;
    }
    err = decide(f, &waits);
    if (waits) {
        return;
    }
    if (err == AG_OK) {
        (void)pthread_mutex_lock(&f->lock);
        if (login->again) {
            f->up_ready += f->up_at;
            f->up_at = 0;
            f->up_waits = false;
        }
        f->swallows = false;
        login->holds = false;
        sends = login->launches && !f->cut;
        wakes = f->take_waits;
        f->take_waits = false;
        (void)pthread_mutex_unlock(&f->lock);
    }
    if (err == AG_OK && sends && f->json != NULL) {
        flight_send_kept(f);
        return;
    }
    if (err == AG_OK && sends) {
        err = flight_send(f);
    }
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    } else if (wakes) {
        f->client.wake(f->client.arg);
    }
}

/* ---- its end ---- */

/* Twice: what was under way the first time may have sent the request. */
void
flight_login_end(struct flight *f)
{
    if (f->login == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    f->cut = true;
    (void)pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < 2; i++) {
        upstream_cancel(flight_take_out(f));
        refresh_forget(f->proxy->core, &f->login->wait);
        mint_forget(f->proxy->core, &f->login->mint);
        later_forget(f->proxy->later, &f->login->later);
    }
}

void
flight_login_free(struct flight_login *login)
{
    free(login);
}
