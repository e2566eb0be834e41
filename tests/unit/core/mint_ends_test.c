/* What was minted, when the vault is locked, or a rule, a secret or its source is
 * removed. */
#include "common/minting.h"

static void
unlock_vault(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    check_ok(vault_unlock(flow.core, &call,
                          &(struct unlock_request){.passphrase = passphrase},
                          &answer));
}

static void
test_a_lock_revokes_and_keeps_what_it_could_not(void **state)
{
    static const char *const ONCE[] = {NULL, NULL, "2BP01"};
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(ONCE, AG_COUNT(ONCE));
    check_ok(get(one));
    end_one(one);
    check_ok(vault_lock(flow.core, &call)); /* waits for the try, which fails */
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    set_clock(now_ms + 1001);
    unlock_vault();
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 2);
}

static void
test_a_rule_is_for_a_secret_without_a_value(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(secret) struct secret *value = secret_of("another-word");
    const struct put_request request = {
        .name = "db/app", .value = value, .if_version = -1};

    (void)state;
    check_err(try_rule("db/boss", "db/boss", 3600), AG_ECONFLICT);
    check_err(try_rule("db/new", "db/none", 3600), AG_ENOTFOUND);
    check_err(try_rule("db/new", "db/app", 3600), AG_ENOTFOUND);
    check_err(try_rule("db/new", "db/boss", 1), AG_EINVAL);
    check_err(try_rule("auth-guard/x", "db/boss", 3600), AG_EDENIED);
    check_err(act(do_put, &call, &request, NULL), AG_ECONFLICT);
    check_ok(act(do_mint_remove, &call, "db/app", NULL));
    check_err(act(do_mint_remove, &call, "db/app", NULL), AG_ENOTFOUND);
    check_ok(act(do_put, &call, &request, NULL));
}

static void
test_nothing_is_removed_while_it_works_at_its_provider(void **state)
{
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_err(act(do_remove, &call, "db/app", NULL), AG_ECONFLICT);
    check_ok(act(do_mint_remove, &call, "db/app", NULL));
    end_one(one);
    wait_open(0); /* by the copy of its rule */
    check_ok(act(do_remove, &call, "db/app", NULL));
}

static void
test_a_source_that_went_is_waited_for(void **state)
{
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_ok(act(do_remove, &call, "db/boss", NULL));
    end_one(one);
    wait_attempts(1);
    put("db/boss", "the-owner-word-of-ours", NULL);
    set_clock(now_ms + 1001);
    tick();
    wait_open(0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MINTING(test_a_lock_revokes_and_keeps_what_it_could_not),
        MINTING(test_a_rule_is_for_a_secret_without_a_value),
        MINTING(test_nothing_is_removed_while_it_works_at_its_provider),
        MINTING(test_a_source_that_went_is_waited_for),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
