/*
 * incidents.h - sightings, words and answers of incidents, for tests; beside
 * common/rotating.h.
 */
#ifndef AG_TESTS_INCIDENTS_H
#define AG_TESTS_INCIDENTS_H

#include <unistd.h>

#include "common/rotating.h"
#include "core/incident.h"
#include "store/versions.h"

enum {
    WAIT_MAX_COUNT = 1000, /* looks of 10 ms */
};

static inline int64_t
version_row_of(const char *name, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_get(r, id, number, &version));
    return version.id;
}

/* The filter found the whole value of a version in the output of `task_id`. */
static inline void
see(const char *name, int64_t number, bool is_sure, int64_t task_id)
{
    const struct incident_sight sight = {
        .value_id = (uint64_t)version_row_of(name, number) << FILTER_GROUP_BITS,
        .form = "base64",
        .is_sure = is_sure,
        .count = 3};

    incident_seen(flow.core, task_id, &sight, 1);
}

static inline json_t *
list(bool all)
{
    json_t *answer = NULL;

    check_ok(core_incident_list(flow.core, all, &answer));
    return answer;
}

/* The newest one's member, as text in *out. */
static inline void
newest(const char *member, char *out, size_t size)
{
    AG_AUTO(wjson) json_t *answer = list(true);
    const json_t *value = json_object_get(
        json_array_get(json_object_get(answer, "incidents"), 0), member);

    if (json_is_integer(value)) {
        (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
    } else {
        (void)snprintf(out, size, "%s",
                       json_is_string(value) ? json_string_value(value) : "-");
    }
}

static inline void
check_newest(const char *member, const char *want)
{
    char text[256];

    newest(member, text, sizeof(text));
    assert_string_equal(text, want);
}

static inline size_t
open_count(void)
{
    AG_AUTO(wjson) json_t *answer = list(false);

    return json_array_size(json_object_get(answer, "incidents"));
}

static inline void
close_newest(void)
{
    struct call call = call_of(flow.operator_peer);
    char id[32];

    newest("incident", id, sizeof(id));
    check_ok(core_incident_close(flow.core, &call, id, NULL));
}

static inline enum ag_err
do_patch(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_patch(core, tx, call, request);
}

static inline enum ag_err
set_on_leak(const char *name, const char *word)
{
    struct call call = call_of(flow.operator_peer);
    const struct patch_request request = {.name = name, .on_leak = word};

    return act(do_patch, &call, &request, NULL);
}

static inline enum ag_err
leaked(const char *name, int64_t version, json_t **ret)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {name};
    const struct leaked_request request = {
        .names = names, .name_count = 1, .version = version};
    json_t *answer = NULL;
    enum ag_err err = core_leaked(flow.core, &call, &request, &answer);

    if (ret != NULL && err == AG_OK) {
        *ret = answer;
    } else {
        json_decref(answer);
    }
    return err;
}

/* The broker's own thread has done what it will do. */
static inline void
wait_for_answer(const char *want)
{
    char text[32] = "";

    for (int i = 0; i < WAIT_MAX_COUNT; i++) {
        newest("answer", text, sizeof(text));
        if (strcmp(text, want) == 0) {
            return;
        }
        (void)usleep(10000);
    }
    assert_string_equal(text, want);
}

static inline enum version_state
state_of(const char *name, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_get(r, id, number, &version));
    return version.state;
}

static inline int64_t
start_leaky(const char *ref)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_env_request env = {.var = "X", .ref = ref};
    const struct task_request request = {
        .name = "leaky", .env = &env, .env_count = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    int64_t id = 0;

    check_ok(act(do_start, &call, &request, &answer));
    check_ok(core_parse_id(text_at(answer, "id"), &id));
    return id;
}

static inline void
unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

#define TEST(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_with_clock, close_with_clock)

#endif
