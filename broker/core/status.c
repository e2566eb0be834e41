/* What the broker says about itself: health, status, metrics (core.h). */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/paths.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/refresh.h"
#include "core/state.h"
#include "privsep/filter.h"
#include "privsep/runner.h"
#include "store/incidents.h"
#include "store/minted.h"
#include "store/moves.h"
#include "store/rotations.h"

static const char *
state_word(enum vault_state state)
{
    switch (state) {
    case VAULT_ABSENT:
        return "absent";
    case VAULT_LOCKED:
        return "locked";
    case VAULT_OPEN:
        return "open";
    }
    return "unknown";
}

static const char *
backing_word(enum secret_backing backing)
{
    switch (backing) {
    case SECRET_BACKING_NONE:
        return "none";
    case SECRET_BACKING_MEMFD:
        return "memfd_secret";
    case SECRET_BACKING_MLOCK:
        return "mlock";
    }
    return "unknown";
}

enum ag_err
core_health(struct core *core, json_t **ret)
{
    json_t *answer = json_pack("{s:s, s:s}", "status", "ok", "vault",
                               state_word(core_state(core)));

    if (answer == NULL) {
        return AG_ENOMEM;
    }
    *ret = answer;
    return AG_OK;
}

/* What the caller is, so that people see why something is refused. */
static enum ag_err
add_caller(struct core *core, const struct call *call, json_t *answer)
{
    const struct proc_facts *facts = peer_facts(call->peer);
    int64_t now_ms = clock_steady_ms();
    int64_t shift_ms = clock_wall_ms() - now_ms;
    int64_t until_ms = 0;
    int64_t proof_ms = 0;
    json_t *caller =
        json_pack("{s:s, s:I}", "class", caller_class_name(call->who), "task",
                  (json_int_t)call->task_id);
    enum ag_err err = caller != NULL ? AG_OK : AG_ENOMEM;

    if (facts != NULL && call->who != CALLER_TASK) {
        until_ms = sessions_until(core->sessions, facts, now_ms);
        proof_ms = sessions_proof_until(core->sessions, facts, now_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(caller, "until",
                            until_ms != 0 ? until_ms + shift_ms : 0);
    }
    if (err == AG_OK) {
        err = core_set_time(caller, "proof_until",
                            proof_ms != 0 ? proof_ms + shift_ms : 0);
    }
    if (err != AG_OK) {
        json_decref(caller);
        return err;
    }
    return json_object_set_new(answer, "caller", caller) == 0 ? AG_OK
                                                              : AG_ENOMEM;
}

static enum ag_err
count_login(const struct secret_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *code = NULL;
    json_int_t *count = arg;
    enum ag_err err = AG_OK;

    if (row->detail == NULL) {
        return AG_OK;
    }
    err = wjson_parse(span_str(row->detail), SECRET_DETAIL_MAX_BYTES, &detail);
    *count += err == AG_OK && refresh_is_needed(row, detail, &code);
    return err;
}

/* For the operator: how much there is, and what is unfinished. */
static enum ag_err
add_counts(struct core *core, json_t *answer)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t ids[TREE_TASKS_MAX_COUNT];
    uint64_t secrets = 0;
    uint64_t moves = 0;
    uint64_t rotations = 0;
    uint64_t incidents = 0;
    struct minted_counts minted = {0};
    json_int_t logins = 0;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = secrets_count(r, &secrets);
    }
    if (err == AG_OK) {
        err = moves_open_count(r, &moves);
    }
    if (err == AG_OK) {
        err = rotations_open_count(r, &rotations);
    }
    if (err == AG_OK) {
        err = incidents_open_count(r, &incidents);
    }
    if (err == AG_OK) {
        err = minted_count(r, 0, &minted);
    }
    if (err == AG_OK) {
        err = secrets_logins_each(r, count_login, &logins);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(
               answer, "counts",
               json_pack(
                   "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                   "secrets", (json_int_t)secrets, "tokens",
                   (json_int_t)live_count(core->live), "tasks",
                   (json_int_t)running_ids(core->running, ids, AG_COUNT(ids)),
                   "open_moves", (json_int_t)moves, "open_rotations",
                   (json_int_t)rotations, "open_incidents",
                   (json_int_t)incidents, "needs_login", logins, "minted",
                   (json_int_t)minted.live, "revokes_wait",
                   (json_int_t)minted.revoking, "revokes_failed",
                   (json_int_t)minted.failed)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
add_filter(struct core *core, json_t *answer)
{
    struct filter_stats stats = {0};
    bool alive = filter_is_alive(core->parts.filter);
    json_t *filter = NULL;

    if (alive && filter_stats(core->parts.filter, &stats) != AG_OK) {
        alive = false;
    }
    filter = json_pack("{s:b, s:I, s:I, s:I, s:I}", "alive", (int)alive,
                       "epoch", (json_int_t)stats.epoch, "values",
                       (json_int_t)stats.value_count, "streams",
                       (json_int_t)stats.stream_count, "locked_bytes",
                       (json_int_t)stats.locked_bytes);
    return json_object_set_new(answer, "filter", filter) == 0 ? AG_OK
                                                              : AG_ENOMEM;
}

static enum ag_err
add_runner(struct core *core, json_t *answer)
{
    struct runner *runner = core->parts.runner;

    return runner == NULL || json_object_set_new(
                                 answer, "runner",
                                 json_pack("{s:b}", "alive",
                                           (int)runner_is_alive(runner))) == 0
               ? AG_OK
               : AG_ENOMEM;
}

enum ag_err
core_status(struct core *core, const struct call *call, json_t **ret)
{
    AG_AUTO(wjson)
    json_t *answer = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I}", "version", AG_VERSION, "vault",
        state_word(core_state(core)), "pid", (json_int_t)getpid(), "home",
        core->parts.paths->home, "memory", backing_word(secret_arena_backing()),
        "memory_used", (json_int_t)secret_arena_used_bytes());
    enum ag_err err = answer != NULL ? AG_OK : AG_ENOMEM;

    if (err == AG_OK) {
        err = core_set_time(answer, "started", core->started_ms);
    }
    if (err == AG_OK) {
        err = add_caller(core, call, answer);
    }
    if (err == AG_OK) {
        err = add_filter(core, answer);
    }
    if (err == AG_OK) {
        err = add_runner(core, answer);
    }
    if (err == AG_OK && core_state(core) == VAULT_OPEN &&
        caller_may(call->who, CALLER_MAY_OPERATOR)) {
        err = add_counts(core, answer);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- /metrics: numbers, never a name ---- */

struct metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t value;
};

enum ag_err
core_metrics(struct core *core, struct buf *out)
{
    struct store_stats store = {0};
    int64_t ids[TREE_TASKS_MAX_COUNT];
    enum ag_err err = AG_OK;

    if (core->store != NULL) {
        store_stats(core->store, &store);
    }
    const struct metric metrics[] = {
        {"auth_guard_vault_open", "gauge", "1 while the vault is open",
         core_state(core) == VAULT_OPEN},
        {"auth_guard_tasks", "gauge", "tasks that run",
         running_ids(core->running, ids, AG_COUNT(ids))},
        {"auth_guard_tokens", "gauge", "live tokens", live_count(core->live)},
        {"auth_guard_refused_total", "counter", "tokens refused",
         (uint64_t)atomic_load(&core->refused_count)},
        {"auth_guard_commits_total", "counter", "durable commits",
         store.commits},
        {"auth_guard_jobs_total", "counter", "changes committed", store.jobs},
        {"auth_guard_commit_failures_total", "counter", "commits that failed",
         store.commit_failures},
        {"auth_guard_uses_total", "counter", "uses put on the journal",
         store.uses},
    };

    for (size_t i = 0; i < AG_COUNT(metrics) && err == AG_OK; i++) {
        const struct metric *m = &metrics[i];

        err = buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", m->name,
                      m->help, m->name, m->type, m->name,
                      (unsigned long long)m->value);
    }
    return err;
}
