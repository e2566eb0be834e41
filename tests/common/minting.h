/*
 * minting.h - a broker with a secret that is minted at a server which answers by
 * a script (pgfake.h), and tasks that use it; beside common/rotating.h.
 */
#ifndef AG_TESTS_MINTING_H
#define AG_TESTS_MINTING_H

#include <poll.h>

#include "common/pgfake.h"
#include "common/rotating.h"
#include "core/mint.h"
#include "core/values.h"
#include "store/minted.h"
#include "store/versions.h"

enum {
    LOOKS_COUNT = 5000, /* of a millisecond */
};

static struct pgfake fake;
static int task_count; /* of this test */

/* ---- rules ---- */

static inline enum ag_err
do_mint_rule(struct core *core, struct db_tx *tx, const struct call *call,
             const void *request, json_t **ret)
{
    return core_mint_rule_set(core, tx, call, request, ret);
}

static inline enum ag_err
do_mint_remove(struct core *core, struct db_tx *tx, const struct call *call,
               const void *request, json_t **ret)
{
    (void)ret;
    return core_mint_rule_remove(core, tx, call, request);
}

static inline enum ag_err
try_rule(const char *name, const char *source, int64_t ttl_s)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson)
    json_t *params = json_pack("{s:s, s:i, s:s, s:s, s:s}", "host", "127.0.0.1",
                               "port", fake.port, "dbname", "app", "user",
                               "boss", "roles", "reader");
    const struct mint_rule_request request = {.name = name,
                                              .minter = "postgres",
                                              .source = source,
                                              .ttl_s = ttl_s,
                                              .params = params};

    return act(do_mint_rule, &call, &request, NULL);
}

static inline void
script(const char *const *answers, size_t count)
{
    pgfake_script(&fake, answers, count);
}

static inline int
open_minting(void **state)
{
    task_count = 0;
    pgfake_start(&fake);
    if (open_with_clock(state) != 0) {
        return -1;
    }
    put("db/boss", "the-owner-word-of-ours", NULL);
    check_ok(try_rule("db/app", "db/boss", 3600));
    return 0;
}

static inline int
close_minting(void **state)
{
    int failed = 0;

    atomic_store(&fake.released, true);
    failed = close_with_clock(state);
    pgfake_stop(&fake);
    return failed;
}

/* ---- tasks ---- */

static inline void
on_end(void *arg, const char *reason)
{
    (void)arg;
    (void)reason;
}

/* Each by a process of its own, the first by the operator's. */
static inline int64_t
start_one(void)
{
    static const struct life_listener listener = {.ended = on_end};
    struct peer *peer = task_count == 0
                            ? flow.operator_peer
                            : make_peer(2000 + task_count, 900, 900);
    struct call call = call_of(peer);
    const struct task_grant_request grants[] = {
        {.secret = "db/app", .verb = "read", .uses = -1}};
    const struct task_request request = {
        .name = "job", .grants = grants, .grant_count = 1};
    struct handout_line on = {.peer = peer,
                              .connection_id = 100 + (uint64_t)task_count};
    AG_AUTO(wjson) json_t *answer = NULL;
    int64_t id = 0;

    check_ok(act(do_start, &call, &request, &answer));
    check_ok(handout_attach(flow.core, &on, text_at(answer, "life"), &listener,
                            &id));
    (void)snprintf(task.token, sizeof(task.token), "%s",
                   text_at(answer, "token"));
    if (task_count++ > 0) {
        peer_free(peer);
    }
    return id;
}

static inline void
end_one(int64_t id)
{
    json_t *answer = NULL;

    check_ok(handout_finish(flow.core, id, 0, &answer));
    json_decref(answer);
}

static inline enum ag_err
get(int64_t task_id)
{
    int64_t current = 0;

    return mint_get(flow.core, task_id, secret_id_of("db/app", &current));
}

static inline enum ag_err
value_for(int64_t task_id, struct secret **ret, int64_t *ret_version)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct version_row version = {0};
    enum ag_err err = AG_OK;

    check_ok(store_read(flow.core->store, &r));
    check_ok(secrets_find(r, span_str("db/app"), &row));
    err = value_of(flow.core, r,
                   &(struct value_wish){.row = &row, .task_id = task_id},
                   &version, ret);
    *ret_version = version.number;
    return err;
}

static inline struct minted_counts
counts(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct minted_counts c = {0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(minted_count(r, 0, &c));
    return c;
}

/* As the broker does all the time: one alone may come while rows are looked
 * through by the clock before. */
static inline void
tick(void)
{
    int64_t next_ms = 0;

    core_tick(flow.core, &next_ms);
}

static inline void
wait_open(uint64_t want)
{
    for (int i = 0; i < LOOKS_COUNT && counts().open != want; i++) {
        tick();
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(counts().open, want);
}

static inline enum ag_err
note_attempts(const struct minted_row *row, void *arg)
{
    *(int64_t *)arg = row->attempts;
    return AG_OK;
}

/* Of the only one that is open. */
static inline void
wait_attempts(int64_t want)
{
    int64_t attempts = -1;

    for (int i = 0; i < LOOKS_COUNT && attempts != want; i++) {
        AG_AUTO(db_read) struct db_read *r = NULL;

        check_ok(store_read(flow.core->store, &r));
        check_ok(minted_open_each(r, 0, 1, note_attempts, &attempts));
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(attempts, want);
}

static inline enum ag_err
note_expires(const struct minted_row *row, void *arg)
{
    *(int64_t *)arg = row->expires_ms;
    return AG_OK;
}

static inline void
wait_expires(int64_t want_ms)
{
    int64_t expires_ms = 0;

    for (int i = 0; i < LOOKS_COUNT && expires_ms != want_ms; i++) {
        AG_AUTO(db_read) struct db_read *r = NULL;

        check_ok(store_read(flow.core->store, &r));
        check_ok(minted_open_each(r, 0, 1, note_expires, &expires_ms));
        tick();
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(expires_ms, want_ms);
}

#define MINTING(test)                                                          \
    cmocka_unit_test_setup_teardown(test, open_minting, close_minting)

#endif
