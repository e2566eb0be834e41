/*
 * rotating.h - a broker whose clock stands where a test puts it, and secrets
 * that rotate by rule; beside common/broker.h, whose main() it needs.
 */
#ifndef AG_TESTS_ROTATING_H
#define AG_TESTS_ROTATING_H

#include "common/broker.h"
#include "core/rotation.h"
#include "core/state.h"
#include "store/rotations.h"

enum {
    HOUR_S = 3600,
};

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

static int64_t now_ms;

static inline void
set_clock(int64_t ms)
{
    now_ms = ms;
    clock_fix_ms(ms);
}

static inline enum ag_err
do_rule(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_rotation_rule_set(core, tx, call, request, ret);
}

static inline void
set_rule(const struct rotation_rule_request *request)
{
    struct call call = call_of(flow.operator_peer);

    check_ok(act(do_rule, &call, request, NULL));
}

/* A secret of version 1 with a rule of one hour. */
static inline void
begin(const char *name, int64_t grace_s)
{
    put(name, "the-first-value", NULL);
    set_rule(&(struct rotation_rule_request){.name = name,
                                             .every_s = HOUR_S,
                                             .grace_s = grace_s,
                                             .rotator = "random"});
}

static inline json_t *
run(const char *name)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {name};
    const struct rotate_request request = {.names = names,
                                           .name_count = name != NULL ? 1 : 0,
                                           .due = name == NULL};
    json_t *answer = NULL;

    call.now_ms = clock_wall_ms();
    check_ok(core_rotate(flow.core, &call, &request, &answer));
    return answer;
}

/* Runs and checks what became of the only one: "" for nothing. */
static inline void
check_run(const char *name, const char *want)
{
    AG_AUTO(wjson) json_t *answer = run(name);
    const json_t *items = json_object_get(answer, "items");

    assert_int_equal(json_array_size(items), want[0] != '\0' ? 1 : 0);
    if (want[0] != '\0') {
        assert_string_equal(text_at(json_array_get(items, 0), "result"), want);
    }
}

static inline int64_t
secret_id_of(const char *name, int64_t *ret_current)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(secrets_find(r, span_str(name), &row));
    *ret_current = row.current_version;
    return row.id;
}

static inline void
check_current(const char *name, int64_t want)
{
    int64_t current = 0;

    (void)secret_id_of(name, &current);
    assert_int_equal(current, want);
}

static inline int
open_with_clock(void **state)
{
    /* So that times of one test are no other's: each ends before its next. */
    set_clock(INT64_C(1800000000000));
    return flow_open_vault(state);
}

static inline int
close_with_clock(void **state)
{
    clock_fix_ms(-1);
    return flow_close(state);
}

#endif
