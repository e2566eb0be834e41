/*
 * Every use case that changes something, with its n-th allocation of a JSON
 * tree failing, n = 1, 2, 3 …: it says so, nothing is changed, the record
 * verifies; then it works.
 */
// WRAP: wipe_malloc
#include "common/broker.h"
#include "common/fault.h"

FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)

static unsigned points;

/* What must be the same before and after a failure. */
struct census {
    size_t secrets;
    size_t tasks;
    size_t tokens;
    size_t moves;
    json_int_t last_row;
};

static size_t
count_of(json_t *answer, const char *key)
{
    size_t count = json_array_size(json_object_get(answer, key));

    json_decref(answer);
    return count;
}

static struct census
take_census(void)
{
    struct call call = call_of(flow.operator_peer);
    struct census c = {0};
    json_t *answer = NULL;

    check_ok(core_secret_list(flow.core, &call, NULL, &answer));
    c.secrets = count_of(answer, "secrets");
    check_ok(core_tasks_list(flow.core, &call, &answer));
    c.tasks = count_of(answer, "tasks");
    check_ok(core_tokens_list(flow.core, &call, NULL, &answer));
    c.tokens = count_of(answer, "tokens");
    check_ok(core_moves_open(flow.core, &call, &answer));
    c.moves = count_of(answer, "moves");
    check_ok(record_audit(flow.core, -1, 1, &answer));
    c.last_row = json_integer_value(json_object_get(answer, "last"));
    json_decref(answer);
    return c;
}

static void
check_unchanged(struct census before)
{
    struct census after = take_census();

    assert_int_equal(after.secrets, before.secrets);
    assert_int_equal(after.tasks, before.tasks);
    assert_int_equal(after.tokens, before.tokens);
    assert_int_equal(after.moves, before.moves);
    assert_int_equal(after.last_row, before.last_row);
}

static void
fail_in_turn(act_fn fn, const void *request)
{
    struct call call = call_of(flow.operator_peer);

    for (unsigned n = 1;; n++) {
        struct census before = take_census();
        json_t *answer = NULL;
        enum ag_err err = AG_OK;
        bool fired = false;

        fault_arm(n);
        err = act(fn, &call, request, &answer);
        fired = fault_done();
        if (!fired) {
            check_ok(err);
            json_decref(answer);
            break;
        }
        points++;
        if (err == AG_OK) {
            /* What failed was of no consequence, e.g. a hash of jansson's that
             * stayed small: then it must have worked. */
            json_decref(answer);
            continue;
        }
        check_err(err, AG_ENOMEM);
        check_unchanged(before);
    }
}

static int
fault_open(void **state)
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
    return 0;
}

static int
fault_close(void **state)
{
    print_message("%u points tried\n", points);
    return flow_close(state);
}

static void
test_put(void **state)
{
    AG_AUTO(secret) struct secret *value = secret_of(VALUE);
    const struct put_request request = {.name = "github/bot",
                                        .value = value,
                                        .description = "the bot's token",
                                        .if_version = -1};

    (void)state;
    fail_in_turn(do_put, &request);
}

static void
test_task_start(void **state)
{
    const struct task_grant_request grants[] = {
        {.secret = "github/*", .verb = "read", .uses = -1}};
    const struct task_env_request env[] = {
        {.var = "GH_TOKEN", .ref = "ag://github/bot"}};
    const struct task_request request = {.name = "build",
                                         .grants = grants,
                                         .grant_count = 1,
                                         .env = env,
                                         .env_count = 1,
                                         .stream_count = 2};

    (void)state;
    fail_in_turn(do_start, &request);
}

static void
test_token_create(void **state)
{
    const struct token_request request = {.task = "1", .ttl_ms = 1000};
    AG_AUTO(wjson) json_t *tasks = NULL;
    struct call call = call_of(flow.operator_peer);
    struct token_request named = request;

    (void)state;
    check_ok(core_tasks_list(flow.core, &call, &tasks));
    named.task =
        text_at(json_array_get(json_object_get(tasks, "tasks"), 0), "id");
    fail_in_turn(do_token, &named);
}

static void
test_move_begin(void **state)
{
    const struct move_request request = {.kind = "adopt",
                                         .name = "netrc/default",
                                         .path = "/home/p/.netrc",
                                         .size_bytes = 28};

    (void)state;
    fail_in_turn(do_begin, &request);
}

static void
test_move_undo(void **state)
{
    AG_AUTO(wjson) json_t *open = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(core_moves_open(flow.core, &call, &open));
    fail_in_turn(
        do_undo,
        text_at(json_array_get(json_object_get(open, "moves"), 0), "id"));
}

static void
test_the_record_verifies_after_all_that(void **state)
{
    AG_AUTO(wjson) json_t *verified = NULL;

    (void)state;
    check_ok(record_verify(flow.core, &verified));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_task_start),
        cmocka_unit_test(test_token_create),
        cmocka_unit_test(test_move_begin),
        cmocka_unit_test(test_move_undo),
        cmocka_unit_test(test_the_record_verifies_after_all_that),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, fault_open, fault_close);
}
