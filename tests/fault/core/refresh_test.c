// LINKS: core
// WRAP: upstream_start upstream_cancel secret_new store_submit wipe_malloc
/*
 * A login refreshed: the service is played by the test, event by event, and
 * every step after its answer fails in turn. Whatever happens, it is called
 * once for a refresh token, and what it answered ends up in the vault.
 */
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "base/wipealloc.h"
#include "common/broker.h"
#include "common/fault.h"
#include "core/refresh.h"
#include "privsep/filter.h"
#include "rotate/oauth2.h"
#include "store/db.h"
#include "store/secrets.h"
#include "store/tx.h"
#include "store/versions.h"
#include "upstream/upstream.h"

FAULT_WRAPPER(enum ag_err, secret_new, (size_t len, struct secret **ret),
              (len, ret), AG_EMEMLOCK)
FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(enum ag_err, store_submit,
              (struct store * s, struct store_job *job), (s, job), AG_ENOSPACE)

/* ---- the service ---- */

static struct {
    int started;
    int cancelled;
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
    wire.started++;
    wire.events = events;
    wire.ctx = ctx;
    wire.flags = request->flags;
    (void)snprintf(wire.host, sizeof(wire.host), "%.*s", (int)request->host.len,
                   (const char *)request->host.ptr);
    (void)snprintf(wire.target, sizeof(wire.target), "%.*s",
                   (int)request->target.len, (const char *)request->target.ptr);
    *ret = (struct upstream_call *)&wire;
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    wire.cancelled += call != NULL;
}

static void
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

static void
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

static void
on_told(struct refresh_wait *wait, enum ag_err err)
{
    struct waiter *w = (struct waiter *)wait;

    w->err = err;
    (void)snprintf(w->why, sizeof(w->why), "%s", err_text(err));
    (void)sem_post(&w->told);
}

static void
waiter_init(struct waiter *w)
{
    *w = (struct waiter){.wait.done = on_told};
    assert_int_equal(sem_init(&w->told, 0, 0), 0);
}

static enum ag_err
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

static void
pass(int64_t ms)
{
    now_ms += ms;
    clock_fix_ms(now_ms);
}

static int64_t login_id;
static char login_name[32];

static void
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

static enum ag_err
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
static void
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

static enum ag_err
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

static void
check_current(int64_t version, const char *word)
{
    struct call call = call_of(flow.operator_peer);
    struct seen seen = {0};
    struct seen *request = &seen;

    check_ok(act(see, &call, &request, NULL));
    assert_int_equal(seen.version, version);
    assert_non_null(strstr(seen.text, word));
}

static enum ag_err
ask(struct waiter *w, enum refresh_cause cause, int64_t version,
    enum refresh_say *say)
{
    const struct refresh_want want = {login_id, cause, version};

    waiter_init(w);
    *say = REFRESH_NONE;
    return refresh_ask(flow.core, &want, &w->wait, say);
}

static void
check_say(enum refresh_cause cause, int64_t version, enum refresh_say want)
{
    struct waiter w;
    enum refresh_say say = REFRESH_NONE;

    check_ok(ask(&w, cause, version, &say));
    assert_int_equal(say, want);
}

/* ---- the good way ---- */

static void
test_all_who_ask_wait_for_one_call(void **state)
{
    struct waiter w[3];
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        check_ok(ask(&w[i], i == 1 ? REFRESH_REFUSED : REFRESH_DUE, 1, &say));
        assert_int_equal(say, REFRESH_WAIT);
    }
    assert_int_equal(wire.started, 1);
    assert_string_equal(wire.host, "platform.claude.com");
    assert_string_equal(wire.target, "/v1/oauth/token");
    assert_int_equal(wire.flags, 0);
    refresh_forget(flow.core, &w[2].wait);
    answer(200, "", NEW);
    assert_non_null(
        strstr(wire.body, "\"refresh_token\":\"sk-ant-ort01-login"));
    check_ok(told(&w[0]));
    check_ok(told(&w[1]));
    assert_int_equal(sem_trywait(&w[2].told), -1);
    check_current(2, "sk-ant-oat01-new");
    check_current(2, "sk-ant-ort01-new");
    assert_int_equal(wire.cancelled, 1);
    /* Fresh; a refusal of the one before it is old news, one of it comes too
     * soon; later it is believed. */
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_say(REFRESH_REFUSED, 1, REFRESH_GO);
    check_say(REFRESH_REFUSED, 2, REFRESH_NONE);
    assert_int_equal(wire.started, 1);
    pass(REFRESH_PAUSE_MS);
    check_ok(ask(&w[0], REFRESH_REFUSED, 2, &say));
    assert_int_equal(say, REFRESH_WAIT);
    assert_int_equal(wire.started, 2);
    answer(200, "", NEW);
    check_ok(told(&w[0]));
}

static void
test_before_its_end_and_not_long_before(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(60);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    pass(54 * MINUTE_MS);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    pass(MINUTE_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(200, "", NEW);
    check_ok(told(&w));
}

static void
test_what_has_nothing_to_refresh_is_left_alone(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(act(find_id, &call, "github/bot", NULL));
    wire.started = 0;
    check_say(REFRESH_DUE, 0, REFRESH_NONE);
    check_say(REFRESH_REFUSED, 1, REFRESH_NONE);
    assert_int_equal(wire.started, 0);
}

/* ---- refusals ---- */

static void
test_refused_for_good_is_told_at_once_and_for_long(void **state)
{
    struct waiter w[2];
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        check_ok(ask(&w[i], REFRESH_DUE, 0, &say));
    }
    answer(400, "", "{\"error\":\"invalid_grant\"}");
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        assert_int_equal(told(&w[i]), AG_ELOGIN);
        assert_non_null(strstr(w[i].why, "invalid_grant"));
        assert_non_null(strstr(w[i].why, "auth-guard adopt"));
    }
    pass(60 * MINUTE_MS);
    check_err(ask(&w[0], REFRESH_DUE, 0, &say), AG_ELOGIN);
    check_err(ask(&w[0], REFRESH_REFUSED, 1, &say), AG_ELOGIN);
    assert_int_equal(wire.started, 1);
    put_login(login_name, "sk-ant-oat01-again-0123456789",
              now_ms + 60 * MINUTE_MS);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_say(REFRESH_REFUSED, 1, REFRESH_GO);
    assert_int_equal(wire.started, 1);
}

static void
test_a_failing_service_is_left_in_peace(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    int64_t pause_ms = 0;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(503, "100", "");
    assert_int_equal(told(&w), AG_EREFRESH);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    pass(INT64_C(99) * 1000);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    assert_int_equal(wire.started, 1);
    pass(1000);
    /* Without a word from the service the pause doubles, up to the cap. */
    for (int i = 2; i < 14; i++) {
        int64_t slept_ms = 0;

        while (ask(&w, REFRESH_DUE, 0, &say) == AG_EREFRESH) {
            pass(250);
            slept_ms += 250;
        }
        assert_int_equal(wire.started, i);
        assert_true(slept_ms <= REFRESH_BACKOFF_MAX_MS * 5 / 4 + 250);
        assert_true(i < 4 || slept_ms * 4 > pause_ms);
        pause_ms = slept_ms;
        take_body();
        wire.events->on_end(wire.ctx, AG_EUNREACHABLE);
        assert_int_equal(told(&w), AG_EREFRESH);
    }
    assert_true(pause_ms >= REFRESH_BACKOFF_MAX_MS * 3 / 4 - 250);
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(200, "", NEW);
    check_ok(told(&w));
    check_current(2, "new");
}

static void
test_a_token_that_is_good_goes_on_in_a_pause(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_WAIT;

    (void)state;
    new_login(60);
    pass(58 * MINUTE_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(500, "600", "");
    check_ok(told(&w));
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_err(ask(&w, REFRESH_REFUSED, 1, &say), AG_EREFRESH);
    pass(2 * MINUTE_MS);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    assert_int_equal(wire.started, 1);
}

static void
test_garbage_and_too_much_of_it_are_failures(void **state)
{
    static char huge[OAUTH2_ANSWER_MAX_BYTES + 2000];
    const char *const bodies[] = {"", "<html>", "{\"access_token\":5}", huge};
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    memset(huge, ' ', sizeof(huge) - 1);
    memcpy(huge, NEW, sizeof(NEW) - 1);
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(bodies); i++) {
        check_ok(ask(&w, REFRESH_DUE, 0, &say));
        answer(200, "", bodies[i]);
        assert_int_equal(told(&w), AG_EREFRESH);
        pass(LONG_MS);
    }
    check_current(1, "old");
}

static void
test_a_call_that_does_not_begin(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    wire.refuses = true;
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EBUSY);
    wire.refuses = false;
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(200, "", NEW);
    check_ok(told(&w));
}

/* ---- what comes between ---- */

static void
test_a_version_put_meanwhile_stays_current(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    put_login(login_name, "sk-ant-oat01-person-012345",
              now_ms + 60 * MINUTE_MS);
    answer(200, "", NEW);
    check_ok(told(&w));
    check_current(2, "person");
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    /* A refusal of the one before says nothing of it either. */
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    put_login(login_name, "sk-ant-oat01-person-012345",
              now_ms + 60 * MINUTE_MS);
    answer(400, "", "{\"error\":\"invalid_grant\"}");
    check_ok(told(&w));
    check_say(REFRESH_DUE, 0, REFRESH_GO);
}

static enum ag_err
do_remove(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_remove(core, tx, call, request);
}

static void
test_a_login_removed_meanwhile_needs_no_answer(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    check_ok(act(do_remove, &call, login_name, NULL));
    answer(200, "", NEW);
    assert_int_equal(told(&w), AG_ENOTFOUND);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_ENOTFOUND);
}

static void
lock_and_unlock(void (*between)(void))
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    const struct unlock_request request = {.passphrase = passphrase};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *opened = NULL;

    check_ok(vault_lock(flow.core, &call));
    between();
    call = call_of(flow.operator_peer);
    check_ok(vault_unlock(flow.core, &call, &request, &opened));
}

static void
answer_now(void)
{
    answer(200, "", NEW);
}

static void
test_an_answer_to_a_locked_vault_is_kept(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    int64_t next_ms = 0;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    lock_and_unlock(answer_now);
    assert_int_equal(told(&w), AG_ELOCKED);
    pass(LONG_MS);
    core_tick(flow.core, &next_ms);
    check_current(2, "new");
    assert_int_equal(wire.started, 1);
}

/* ---- every step fails ---- */

/* False: nothing failed any more. */
static bool
one_fault(unsigned nth, bool later_ones_too)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    bool fired = false;

    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    fault_arm(nth);
    fault.all_later = later_ones_too;
    answer(200, "", NEW);
    (void)told(&w);
    fired = fault_done();
    if (w.err == AG_OK) {
        check_current(2, "sk-ant-ort01-new");
        return fired;
    }
    /* Nothing of it is to be seen, and nothing is lost. */
    assert_true(fired);
    check_current(1, "old");
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    check_ok(told(&w));
    check_current(2, "sk-ant-ort01-new");
    assert_int_equal(wire.started, 1);
    return true;
}

static void
test_an_answer_is_never_lost(void **state)
{
    unsigned nth = 1;

    (void)state;
    while (one_fault(nth, false)) {
        nth++;
    }
    assert_true(nth > 20);
    for (nth = 1; one_fault(nth, true); nth++) {
    }
}

static int
open_with_wire(void **state)
{
    flow.upstream = (struct upstream *)&wire;
    clock_fix_ms(now_ms);
    return flow_open_vault(state);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_who_ask_wait_for_one_call),
        cmocka_unit_test(test_before_its_end_and_not_long_before),
        cmocka_unit_test(test_what_has_nothing_to_refresh_is_left_alone),
        cmocka_unit_test(test_refused_for_good_is_told_at_once_and_for_long),
        cmocka_unit_test(test_a_failing_service_is_left_in_peace),
        cmocka_unit_test(test_a_token_that_is_good_goes_on_in_a_pause),
        cmocka_unit_test(test_garbage_and_too_much_of_it_are_failures),
        cmocka_unit_test(test_a_call_that_does_not_begin),
        cmocka_unit_test(test_a_version_put_meanwhile_stays_current),
        cmocka_unit_test(test_a_login_removed_meanwhile_needs_no_answer),
        cmocka_unit_test(test_an_answer_to_a_locked_vault_is_kept),
        cmocka_unit_test(test_an_answer_is_never_lost),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD);
    }
    return cmocka_run_group_tests(tests, open_with_wire, flow_close);
}
