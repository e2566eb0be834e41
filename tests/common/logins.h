/*
 * logins.h - a login, those who wait for its refresh, and its service, played
 * event by event. A test program wraps upstream_start and upstream_cancel.
 */
#ifndef AG_TESTS_LOGINS_H
#define AG_TESTS_LOGINS_H

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "common/broker.h"
#include "core/refresh.h"
#include "privsep/filter.h"
#include "rotate/oauth2.h"
#include "store/db.h"
#include "store/secrets.h"
#include "store/tx.h"
#include "store/versions.h"
#include "upstream/upstream.h"

/* ---- the service ---- */

static struct {
    atomic_int started; /* a call may end on another thread */
    atomic_int cancelled;
    bool refuses; /* a call can't even begin */
    const struct upstream_events *events;
    void *ctx;
    char host[64];
    char target[64];
    char body[1024];
    unsigned flags;
} wire;

enum ag_err __wrap_upstream_start(struct upstream *u,
                                  const struct upstream_request *request,
                                  const struct upstream_events *events,
                                  void *ctx, struct upstream_call **ret);
void __wrap_upstream_cancel(struct upstream_call *call);

enum ag_err
__wrap_upstream_start(struct upstream *u,
                      const struct upstream_request *request,
                      const struct upstream_events *events, void *ctx,
                      struct upstream_call **ret)
{
    (void)u;
    if (wire.refuses) {
        return AG_EBUSY;
    }
    wire.events = events;
    wire.ctx = ctx;
    wire.flags = request->flags;
    (void)snprintf(wire.host, sizeof(wire.host), "%.*s", (int)request->host.len,
                   (const char *)request->host.ptr);
    (void)snprintf(wire.target, sizeof(wire.target), "%.*s",
                   (int)request->target.len, (const char *)request->target.ptr);
    *ret = (struct upstream_call *)&wire;
    wire.started++; /* last: by it another thread knows of the rest */
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    wire.cancelled += call != NULL;
}

static inline void
take_body(void)
{
    size_t at = 0;
    size_t n = 0;

    do {
        assert_int_equal(
            wire.events->on_send(wire.ctx, (uint8_t *)wire.body + at, 7, &n),
            UPSTREAM_GO);
        at += n;
    } while (n > 0);
    wire.body[at] = '\0';
}

static inline void
answer(int status, const char *retry_after, const char *body)
{
    const struct upstream_field field = {span_str("Retry-After"),
                                         span_str(retry_after), false};
    const struct upstream_head head = {status, &field, 1};

    take_body();
    wire.events->on_head(wire.ctx, &head);
    for (size_t i = 0; i < strlen(body); i += 1000) {
        (void)wire.events->on_body(wire.ctx, span_sub(span_str(body), i, 1000));
    }
    wire.events->on_end(wire.ctx, AG_OK);
}

static const char NEW[] =
    "{\"access_token\":\"sk-ant-oat01-new-0123456789\","
    "\"refresh_token\":\"sk-ant-ort01-new-0123456789\",\"expires_in\":3600}";

/* ---- who waits ---- */

struct waiter {
    struct refresh_wait wait;
    sem_t told;
    enum ag_err err;
    char why[200];
};

static inline void
on_told(struct refresh_wait *wait, enum ag_err err)
{
    struct waiter *w = (struct waiter *)wait;

    w->err = err;
    (void)snprintf(w->why, sizeof(w->why), "%s", err_text(err));
    (void)sem_post(&w->told);
}

static inline void
waiter_init(struct waiter *w)
{
    *w = (struct waiter){.wait.done = on_told};
    assert_int_equal(sem_init(&w->told, 0, 0), 0);
}

static inline enum ag_err
told(struct waiter *w)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&w->told, &until), 0);
    return w->err;
}

/* ---- the login ---- */

enum {
    NOW_S = 1900000000,
};

static const int64_t MINUTE_MS = INT64_C(60) * 1000;
/* Longer than any pause. */
static const int64_t LONG_MS = INT64_C(2) * REFRESH_BACKOFF_MAX_MS;

static int64_t now_ms = NOW_S * INT64_C(1000);

static inline void
pass(int64_t ms)
{
    now_ms += ms;
    clock_fix_ms(now_ms);
}

static int64_t login_id;
static char login_name[32];

static inline void
put_login(const char *name, const char *access, int64_t expires_ms)
{
    char text[512];
    AG_AUTO(secret) struct secret *value = NULL;
    struct call call = call_of(flow.operator_peer);
    struct put_request request = {
        .name = name, .profile = "claude", .if_version = -1};

    (void)snprintf(text, sizeof(text),
                   "{\"claudeAiOauth\":{\"accessToken\":\"%s\","
                   "\"refreshToken\":\"sk-ant-ort01-%s\",\"expiresAt\":%lld}}",
                   access, name, (long long)expires_ms);
    value = secret_of(text);
    request.value = value;
    check_ok(act(do_put, &call, &request, NULL));
}

static inline enum ag_err
find_id(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(request), &row);

    (void)core;
    (void)call;
    (void)ret;
    login_id = row.id;
    return err;
}

/* A login of its own for each test, that ends in so many minutes. */
static inline void
new_login(int64_t minutes)
{
    static int count;
    struct call call = call_of(flow.operator_peer);

    (void)snprintf(login_name, sizeof(login_name), "login/%d", ++count);
    put_login(login_name, "sk-ant-oat01-old-0123456789",
              now_ms + minutes * MINUTE_MS);
    check_ok(act(find_id, &call, login_name, NULL));
    pass(1);
    wire.started = 0;
    wire.cancelled = 0;
}

struct seen {
    int64_t version;
    char text[512];
};

static inline enum ag_err
see(struct core *core, struct db_tx *tx, const struct call *call,
    const void *request, json_t **ret)
{
    struct seen *seen = *(struct seen *const *)request;
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_row row = {0};
    enum ag_err err = versions_value(db_tx_read(tx), login_id, 0, &row, &value);

    (void)core;
    (void)call;
    (void)ret;
    if (err == AG_OK) {
        seen->version = row.number;
        (void)snprintf(seen->text, sizeof(seen->text), "%.*s",
                       (int)secret_len(value),
                       (const char *)secret_view(value).ptr);
    }
    return err;
}

static inline void
check_current(int64_t version, const char *word)
{
    struct call call = call_of(flow.operator_peer);
    struct seen seen = {0};
    struct seen *request = &seen;

    check_ok(act(see, &call, &request, NULL));
    assert_int_equal(seen.version, version);
    assert_non_null(strstr(seen.text, word));
}

static inline enum ag_err
ask(struct waiter *w, enum refresh_cause cause, int64_t version,
    enum refresh_say *say)
{
    const struct refresh_want want = {login_id, cause, version};

    waiter_init(w);
    *say = REFRESH_NONE;
    return refresh_ask(flow.core, &want, &w->wait, say);
}

static inline void
check_say(enum refresh_cause cause, int64_t version, enum refresh_say want)
{
    struct waiter w;
    enum refresh_say say = REFRESH_NONE;

    check_ok(ask(&w, cause, version, &say));
    assert_int_equal(say, want);
}

static inline int
open_with_wire(void **state)
{
    flow.upstream = (struct upstream *)&wire;
    clock_fix_ms(now_ms);
    return flow_open_vault(state);
}

#endif
