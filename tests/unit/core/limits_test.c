/*
 * What a right is limited to holds on every way to a value: grades and uses
 * for wraps and child tokens, trust for names.
 */
#include <limits.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "common/broker.h"
#include "crypt/box.h"
#include "store/secrets.h"

static enum ag_err
do_wrap(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_wrap_make(core, tx, call, request, ret);
}

static enum ag_err
wrap_as_task(const char *ref)
{
    const struct wrap_request request = {.ref = ref};
    struct call call = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    enum ag_err err =
        access_check(flow.core, flow.task_peer, span_str(task.token), &call);

    if (err == AG_OK) {
        err = act(do_wrap, &call, &request, &answer);
        access_done(flow.core, &call);
    }
    return err;
}

static void
start_reader(const struct task_grant_request *grants, size_t count)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_request request = {
        .name = "reader", .grants = grants, .grant_count = count};
    AG_AUTO(wjson) json_t *answer = NULL;

    check_ok(act(do_start, &call, &request, &answer));
    (void)snprintf(task.id, sizeof(task.id), "%s", text_at(answer, "id"));
    (void)snprintf(task.token, sizeof(task.token), "%s",
                   text_at(answer, "token"));
}

/* A wrap hands a value out as a reading does, so it has the same limits. */
static void
test_a_wrap_is_a_reading(void **state)
{
    const struct task_grant_request grants[] = {
        {.secret = "proxy/*", .verb = "read", .uses = -1},
        {.secret = "github/bot", .verb = "read", .uses = 2}};

    (void)state;
    put("gitlab/bot", VALUE, NULL);
    put("proxy/only", VALUE, "proxy");
    start_reader(grants, AG_COUNT(grants));
    check_err(wrap_as_task("ag://proxy/only"), AG_EGRADE);
    check_err(wrap_as_task("ag://gitlab/bot"), AG_ENOGRANT);
    check_ok(wrap_as_task("ag://github/bot"));
    check_ok(read_as_task(task.token, "github/bot"));
    check_err(wrap_as_task("ag://github/bot"), AG_EUSEDUP);
    check_err(read_as_task(task.token, "github/bot"), AG_EUSEDUP);
}

/* Each child would have the uses again that its parent is limited to. */
static void
test_a_token_with_a_limit_makes_no_children(void **state)
{
    (void)state;
    make_child((struct token_request){.uses = 2}, AG_OK);
    (void)snprintf(task.token, sizeof(task.token), "%s", task.child);
    make_child((struct token_request){.uses = 1}, AG_EWIDER);
    make_child((struct token_request){0}, AG_EWIDER);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_trust_is_not_for_put_or_adopt(void **state)
{
    AG_AUTO(secret) struct secret *value = secret_of(VALUE);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = "auth-guard/profile/mine", .value = value, .if_version = -1};
    const struct move_request move = {.kind = "adopt",
                                      .name = "auth-guard/profile/mine",
                                      .path = "/home/p/mine",
                                      .mode = 0600};
    const struct put_request untrusted = {.name = "github/bot",
                                          .value = value,
                                          .profile = "no-such-profile",
                                          .if_version = -1};

    (void)state;
    check_err(act(do_put, &call, &request, NULL), AG_EDENIED);
    check_err(act(do_begin, &call, &move, NULL), AG_EDENIED);
    check_err(act(do_put, &call, &untrusted, NULL), AG_ENOTFOUND);
}

static void
test_a_grade_is_a_limit(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_env_request env[] = {{.var = "X", .ref = "proxy/only"}};
    const struct task_request request = {.env = env, .env_count = 1};

    (void)state;
    put("proxy/only", VALUE, "proxy");
    check_err(act(do_start, &call, &request, NULL), AG_EGRADE);
}

#define LOGIN(time)                                                            \
    "{\"OPENAI_API_KEY\":null,\"tokens\":{\"id_token\":\"an-id-token-"         \
    "0123456\","                                                               \
    "\"access_token\":\"an-access-token-" time "\",\"refresh_token\":"         \
    "\"a-refresh-token-" time "\",\"account_id\":\"acc-1\"},"                  \
    "\"last_refresh\":\"" time "\"}"

static enum ag_err
do_end_lease(struct core *core, struct db_tx *tx, const struct call *call,
             const void *request, json_t **ret)
{
    (void)ret;
    return core_lease_revoke(core, tx, call, request);
}

static char lease_id[24];
static char spill_key[64];

/* The login that a tool has refreshed is the only good one: it is kept though
 * somebody has ended the lease. */
static void
test_a_write_back_outlives_its_lease(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret)
    struct secret *fresh = secret_of(LOGIN("2026-02-02T00:00:00Z"));
    AG_AUTO(secret) struct secret *garbage = secret_of("{no login");
    AG_AUTO(secret) struct secret *large = NULL;
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *leases = NULL;
    const char *const profiles[] = {"codex"};
    const struct task_request request = {.name = "codex",
                                         .profiles = profiles,
                                         .profile_count = 1,
                                         .grade = TASK_GRADE_FILE};
    struct call call = call_of(flow.operator_peer);
    struct take_result result = {0};
    json_t *delivery = NULL;

    (void)state;
    put("codex/default", LOGIN("2026-01-01T00:00:00Z"), NULL);
    check_ok(act(do_start, &call, &request, &answer));
    delivery = json_array_get(json_object_get(answer, "deliveries"), 0);
    line.peer = flow.operator_peer;
    line.connection_id++;
    check_ok(
        handout_value(flow.core, &line, text_at(delivery, "ticket"), &value));
    check_ok(
        core_leases_list(flow.core, &call, text_at(answer, "id"), &leases));
    check_ok(
        act(do_end_lease, &call,
            text_at(json_array_get(json_object_get(leases, "leases"), 0), "id"),
            NULL));
    check_ok(handout_take(flow.core, &line, text_at(delivery, "take"), fresh,
                          &result));
    assert_int_equal(result.version, 2);
    assert_true(result.changed);
    assert_false(result.retained);
    /* What could not be redacted whole is not stored either. */
    check_ok(secret_new(FILTER_VALUE_MAX_BYTES + 1, &large));
    memset(secret_bytes(large), 'x', secret_len(large));
    check_err(handout_take(flow.core, &line, text_at(delivery, "take"), large,
                           &result),
              AG_ELIMIT);
    check_ok(handout_take(flow.core, &line, text_at(delivery, "take"), garbage,
                          &result));
    assert_true(result.retained);
    (void)snprintf(
        lease_id, sizeof(lease_id), "%s",
        text_at(json_array_get(json_object_get(leases, "leases"), 0), "id"));
    (void)snprintf(spill_key, sizeof(spill_key), "%s",
                   text_at(answer, "spill_key"));
    handout_lost(flow.core, strtoll(text_at(answer, "id"), NULL, 10));
}

/* Seals `len` bytes as a supervisor without its broker does. */
static void
spill(size_t len)
{
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(buf) struct buf box = {0};
    AG_AUTO(fd) int dir_fd = -1;
    uint8_t public_key[BOX_PUBLIC_BYTES];
    char path[PATH_MAX + 16];
    char name[40];

    check_ok(secret_new(len, &content));
    memset(secret_bytes(content), 'x', len);
    assert_int_equal(sodium_base642bin(public_key, sizeof(public_key),
                                       spill_key, strlen(spill_key), NULL, NULL,
                                       NULL, sodium_base64_VARIANT_ORIGINAL),
                     0);
    buf_init(&box, len + BOX_OVERHEAD_BYTES, BUF_PLAIN);
    check_ok(box_seal(public_key, secret_view(content), &box));
    (void)snprintf(path, sizeof(path), "%s/spill", flow.paths.home);
    (void)snprintf(name, sizeof(name), "%s.sealed", lease_id);
    check_ok(fs_private_dir(path, &dir_fd));
    check_ok(fs_replace(dir_fd, name, buf_view(&box)));
}

static void
check_found_at_unlock(const char *want)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};
    const char *said = NULL;

    check_ok(vault_lock(flow.core, &call));
    call = call_of(flow.operator_peer);
    check_ok(vault_unlock(flow.core, &call, &request, &answer));
    said =
        json_string_value(json_array_get(json_object_get(answer, "found"), 0));
    assert_non_null(said);
    assert_non_null(strstr(said, want));
}

/* What can't be redacted is not taken, and does not keep the vault shut. */
static void
test_a_spill_has_the_limit_of_every_value(void **state)
{
    (void)state;
    spill(FILTER_VALUE_MAX_BYTES + 1);
    check_found_at_unlock("could not be redacted");
    spill(FILTER_VALUE_MAX_BYTES);
    check_found_at_unlock("codex/default was refreshed");
}

static uint64_t
values_in_the_set(void)
{
    struct filter_stats stats = {0};

    check_ok(core_hide(flow.core));
    check_ok(filter_stats(flow.filter, &stats));
    return stats.value_count;
}

static void
check_hidden(const char *text, bool want)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    check_ok(record_redact(flow.core, &call, span_str(text), &answer));
    assert_int_equal(strstr(text_at(answer, "text"), text) == NULL, want);
}

static enum ag_err
do_destroy(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_destroy(core, tx, call, "loop/one",
                               *(const int64_t *)request);
}

static enum ag_err
do_remove_and_fail(struct core *core, struct db_tx *tx, const struct call *call,
                   const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_remove(core, tx, call, request) == AG_OK ? AG_EBUSY
                                                                : AG_EINTERNAL;
}

/* A login that is rewritten without end takes no more room than those of its
 * versions that are kept; what another secret has too stays. */
static void
test_the_set_holds_what_lives(void **state)
{
    struct call call = call_of(flow.operator_peer);
    uint64_t before = values_in_the_set();
    int64_t version = 30;
    uint64_t kept = 0;
    char text[64];

    (void)state;
    put("loop/twin", "{\"key\":\"a-value-of-the-loop-1000\"}", NULL);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"key\":\"a-value-of-the-loop-%d\"}", 1000 + i);
        put("loop/one", text, NULL);
        kept = values_in_the_set() - before;
        assert_true(kept <= (uint64_t)2 * (2 + SECRET_RETAIN_DEFAULT_COUNT));
    }
    check_hidden("a-value-of-the-loop-1000", true);
    check_hidden("a-value-of-the-loop-1001", false);
    check_hidden("a-value-of-the-loop-1028", true);
    /* What is refused or fails leaves the set as it was. */
    check_err(act(do_destroy, &call, &version, NULL), AG_ECONFLICT);
    check_err(act(do_remove_and_fail, &call, "loop/one", NULL), AG_EBUSY);
    check_hidden("a-value-of-the-loop-1029", true);
    assert_int_equal(values_in_the_set() - before, kept);
    version = 29;
    check_ok(act(do_destroy, &call, &version, NULL));
    check_hidden("a-value-of-the-loop-1028", false);
    check_ok(act(do_remove, &call, "loop/one", NULL));
    check_hidden("a-value-of-the-loop-1029", false);
    check_hidden("a-value-of-the-loop-1000", true);
    check_ok(act(do_remove, &call, "loop/twin", NULL));
    assert_int_equal(values_in_the_set(), before);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrap_is_a_reading),
        cmocka_unit_test(test_a_token_with_a_limit_makes_no_children),
        cmocka_unit_test(test_a_grade_is_a_limit),
        cmocka_unit_test(test_trust_is_not_for_put_or_adopt),
        cmocka_unit_test(test_a_write_back_outlives_its_lease),
        cmocka_unit_test(test_a_spill_has_the_limit_of_every_value),
        cmocka_unit_test(test_the_set_holds_what_lives),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
