/*
 * broker.h - one core on a real store with a real filter process, people and
 * processes made of facts, and the writer's use cases as plain calls.
 *
 * The filter is the test program executed anew: main() begins with
 *     if (broker_is_helper(argc, argv)) { return filter_main(SPAWN_CHANNEL_FD, NULL); }
 */
#ifndef AG_TESTS_BROKER_H
#define AG_TESTS_BROKER_H

#include <string.h>

#include "base/clock.h"
#include "base/paths.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "common/check.h"
#include "common/scratch.h"
#include "core/access.h"
#include "core/handout.h"
#include "core/lead.h"
#include "core/moves.h"
#include "core/record.h"
#include "core/secrets.h"
#include "core/tasks.h"
#include "core/tokens.h"
#include "core/vault.h"
#include "privsep/filter.h"
#include "privsep/spawn.h"
#include "profile/load.h"
#include "tls/authority.h"
#include "wire/json.h"

static const char PASSPHRASE[] = "correct horse battery staple";
static const char VALUE[] = "sk-flow-0123456789abcdefghij";

static struct {
    struct paths paths;
    struct filter *filter;
    struct profiles *profiles;
    struct core *core;
    /* Set before flow_open(); NULL: none, and the shipped ones. */
    struct upstream *upstream;
    const char *profile_dir;
    struct peer *operator_peer;
    struct peer *task_peer;
    struct peer *stranger_peer;
} flow;

/* ---- people and processes ---- */

enum {
    OPERATOR_PID = 1001,
    TASK_PID = 1002,
    STRANGER_PID = 1003,
};

static inline struct peer *
make_peer(pid_t pid, pid_t sid, pid_t parent)
{
    struct proc_facts facts = {
        .self = {.pid = pid, .start_ticks = 77},
        .uid = geteuid(),
        .sid = sid,
        .leader_start_ticks = 5,
        .parent_sid = sid,
        .name = "test",
        .chain_count = 1,
        .chain = {{.pid = parent, .start_ticks = 77}},
    };
    struct peer *peer = NULL;

    check_ok(peer_from_facts(&facts, &peer));
    return peer;
}

static inline struct call
call_of(struct peer *peer)
{
    struct call call = {0};

    check_ok(access_check(flow.core, peer, span_of(NULL, 0), &call));
    return call;
}

/* ---- jobs: the writer's use cases as plain calls ---- */

typedef enum ag_err (*act_fn)(struct core *core, struct db_tx *tx,
                              const struct call *call, const void *request,
                              json_t **ret);

struct act {
    struct core_job job;
    act_fn fn;
    const struct call *call;
    const void *request;
    json_t *answer;
};

static inline enum ag_err
run_act(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct act *act = (struct act *)job;

    return act->fn(core, tx, act->call, act->request, &act->answer);
}

static inline enum ag_err
act(act_fn fn, const struct call *call, const void *request, json_t **ret)
{
    struct act a = {
        .job.run = run_act, .fn = fn, .call = call, .request = request};
    enum ag_err err = core_write_wait(flow.core, &a.job);

    if (err != AG_OK || ret == NULL) {
        json_decref(a.answer);
    } else {
        *ret = a.answer;
    }
    return err;
}

static inline enum ag_err
do_put(struct core *core, struct db_tx *tx, const struct call *call,
       const void *request, json_t **ret)
{
    return core_secret_put(core, tx, call, request, ret);
}

static inline enum ag_err
do_remove(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_remove(core, tx, call, request);
}

static inline enum ag_err
do_start(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    AG_AUTO(authority_keys) struct authority_keys *keys = NULL;
    struct task_request with = *(const struct task_request *)request;

    check_ok(lead_keys(&with, &keys));
    with.keys = keys;
    return core_task_start(core, tx, call, &with, ret);
}

static inline enum ag_err
do_token(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    return core_token_create(core, tx, call, request, ret);
}

static inline enum ag_err
do_revoke(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    return core_token_revoke(core, tx, call, request, ret);
}

static inline enum ag_err
do_begin(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    return core_move_begin(core, tx, call, request, ret);
}

static inline enum ag_err
do_commit(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    (void)ret;
    return core_move_commit(core, tx, call, request);
}

static inline enum ag_err
do_erased(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    (void)ret;
    return core_move_done(core, tx, call, request, "erased");
}

static inline enum ag_err
do_undo(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    (void)ret;
    return core_move_undo(core, tx, call, request);
}

struct got {
    struct get_request request;
    struct secret *value;
    int64_t version;
};

static inline enum ag_err
do_get(struct core *core, struct db_tx *tx, const struct call *call,
       const void *request, json_t **ret)
{
    struct got *got = *(struct got *const *)request;

    (void)ret;
    return core_secret_get(core, tx, call, &got->request, &got->version,
                           &got->value);
}

/* ---- set-up: one broker for all, in order ---- */

static inline int
flow_open(void **state)
{
    const struct core_settings settings = {.session_ms = 600000,
                                           .proof_ms = 600000,
                                           .task_ttl_ms = 600000,
                                           .task_ttl_max_ms = 600000,
                                           .wrap_ttl_max_ms = 600000,
                                           .task_tokens_max = 5,
                                           .marker = "[redacted:%s]"};
    struct core_parts parts = {.paths = &flow.paths};

    check_ok(secret_arena_open(SECRET_ARENA_DAEMON_BYTES));
    if (scratch_open(state) != 0) {
        return -1;
    }
    (void)snprintf(flow.paths.home, sizeof(flow.paths.home), "%s",
                   scratch.path);
    check_ok(filter_start(NULL, NULL, &flow.filter));
    check_ok(profiles_load(flow.profile_dir != NULL ? flow.profile_dir
                                                    : AG_SOURCE_DIR
                               "/schema/profiles",
                           NULL, &flow.profiles));
    parts.filter = flow.filter;
    parts.profiles = flow.profiles;
    parts.upstream = flow.upstream;
    check_ok(core_new(&parts, &settings, &flow.core));
    flow.operator_peer = make_peer(OPERATOR_PID, 900, 900);
    flow.task_peer = make_peer(TASK_PID, 901, OPERATOR_PID);
    flow.stranger_peer = make_peer(STRANGER_PID, 902, 1);
    return 0;
}

static inline int
flow_close(void **state)
{
    core_free(flow.core);
    profiles_free(flow.profiles);
    filter_stop(flow.filter);
    peer_free(flow.operator_peer);
    peer_free(flow.task_peer);
    peer_free(flow.stranger_peer);
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return scratch_close(state);
}

static inline struct secret *
secret_of(const char *text)
{
    struct secret *s = NULL;

    check_ok(secret_from(span_str(text), &s));
    return s;
}

static const char *
text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static inline void
put(const char *name, const char *text, const char *grade)
{
    AG_AUTO(secret) struct secret *value = secret_of(text);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = name, .value = value, .min_grade = grade, .if_version = -1};

    check_ok(act(do_put, &call, &request, NULL));
}

/* With a vault in which VALUE is github/bot. */
static inline int
flow_open_vault(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = NULL;
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = {0};

    if (flow_open(state) != 0) {
        return -1;
    }
    call = call_of(flow.operator_peer);
    passphrase = secret_of(PASSPHRASE);
    check_ok(vault_init(flow.core, &call, passphrase, &answer));
    put("github/bot", VALUE, NULL);
    return 0;
}

/* ---- one task, its line and its token ---- */

static struct {
    char id[32];
    char token[64];
    char life[64];
    char env_ticket[64];
    char child[64];
} task;

static struct handout_line line = {.connection_id = 1};

static const char *ended_reason;

static inline void
on_ended(void *arg, const char *reason)
{
    (void)arg;
    ended_reason = reason;
}

static const struct life_listener LISTENER = {.ended = on_ended};

static inline void
start_task(void)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_grant_request grants[] = {
        {.secret = "github/*", .verb = "read", .uses = -1}};
    const struct task_env_request env[] = {
        {.var = "GH_TOKEN", .ref = "ag://github/bot"}};
    const struct task_request request = {.name = "build",
                                         .grants = grants,
                                         .grant_count = 1,
                                         .env = env,
                                         .env_count = 1,
                                         .stream_count = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    json_t *delivery = NULL;
    int64_t id = 0;

    check_ok(act(do_start, &call, &request, &answer));
    delivery = json_array_get(json_object_get(answer, "deliveries"), 0);
    (void)snprintf(task.id, sizeof(task.id), "%s", text_at(answer, "id"));
    (void)snprintf(task.token, sizeof(task.token), "%s",
                   text_at(answer, "token"));
    (void)snprintf(task.life, sizeof(task.life), "%s", text_at(answer, "life"));
    (void)snprintf(task.env_ticket, sizeof(task.env_ticket), "%s",
                   text_at(delivery, "ticket"));
    line.peer = flow.operator_peer;
    line.connection_id++;
    ended_reason = NULL;
    check_ok(handout_attach(flow.core, &line, task.life, &LISTENER, &id));
}

static inline enum ag_err
show_token(struct peer *peer, const char *token)
{
    struct call call = {0};
    enum ag_err err = access_check(flow.core, peer, span_str(token), &call);

    if (err == AG_OK) {
        access_done(flow.core, &call);
    }
    return err;
}

static inline enum ag_err
read_text_as_task(const char *token, const char *name, const char *want)
{
    struct call call = {0};
    struct got got = {.request = {.name = name}};
    struct got *request = &got;
    enum ag_err err =
        access_check(flow.core, flow.task_peer, span_str(token), &call);

    if (err != AG_OK) {
        return err;
    }
    err = core_secret_get_quick(flow.core, &call, &got.request, &got.version,
                                &got.value);
    if (err == AG_EBUSY) {
        err = act(do_get, &call, &request, NULL);
    }
    if (err == AG_OK && got.value == NULL) {
        fail();
    } else if (err == AG_OK) {
        check_span(secret_view(got.value), want);
    }
    secret_free(got.value);
    access_done(flow.core, &call);
    return err;
}

static inline enum ag_err
read_as_task(const char *token, const char *name)
{
    return read_text_as_task(token, name, VALUE);
}

static inline void
make_child(struct token_request request, enum ag_err want)
{
    struct call call = {0};
    AG_AUTO(wjson) json_t *answer = NULL;

    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    check_err(act(do_token, &call, &request, &answer), want);
    if (want == AG_OK) {
        (void)snprintf(task.child, sizeof(task.child), "%s",
                       text_at(answer, "token"));
    }
    access_done(flow.core, &call);
}

static inline bool
broker_is_helper(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--filter") == 0;
}

#endif
