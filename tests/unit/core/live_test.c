/* The table of live tokens: found, spent, revoked with their family, swept. */
#include "common/check.h"
#include "core/live.h"

static struct live_tokens *table;

static int
setup(void **state)
{
    (void)state;
    return live_new(&table) == AG_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    live_free(table);
    table = NULL;
    return 0;
}

static void
hash_of(int64_t id, uint8_t out[TOKEN_HASH_BYTES])
{
    memset(out, 0, TOKEN_HASH_BYTES);
    /* Neighbouring ids collide in the first bytes, on purpose. */
    out[0] = (uint8_t)(id / 4);
    memcpy(out + 8, &id, sizeof(id));
}

static enum ag_err
add(int64_t id, int64_t parent_id, int64_t task_id, int64_t uses)
{
    struct live_token token = {
        .id = id, .parent_id = parent_id, .task_id = task_id, .max_ms = 1000};

    hash_of(id, token.hash);
    (void)snprintf(token.accessor, sizeof(token.accessor), "aga_%lld",
                   (long long)id);
    atomic_init(&token.expires_ms, 1000);
    atomic_init(&token.uses_left, uses);
    if (grant_set_new(NULL, NULL, 0, &token.grants) != AG_OK) {
        return AG_ENOMEM;
    }
    return live_add(table, &token);
}

static struct live_token *
find(int64_t id)
{
    uint8_t hash[TOKEN_HASH_BYTES];

    hash_of(id, hash);
    return live_find(table, hash);
}

static bool
is_revoked(int64_t id)
{
    AG_AUTO(live_token) struct live_token *token = find(id);

    assert_non_null(token);
    return atomic_load(&token->revoked);
}

static void
test_thousands_are_found_and_no_other(void **state)
{
    enum {
        COUNT = 5000
    };

    (void)state;
    for (int64_t id = 1; id <= COUNT; id++) {
        check_ok(add(id, 0, id % 7, GRANT_USES_UNLIMITED));
    }
    assert_int_equal(live_count(table), COUNT);
    for (int64_t id = 1; id <= COUNT; id++) {
        AG_AUTO(live_token) struct live_token *token = find(id);

        assert_non_null(token);
        assert_int_equal(token->id, id);
    }
    assert_null(find(COUNT + 1));
    check_err(add(1, 0, 1, 1), AG_EEXISTS);
}

/* Tokens of roles are no task's. */
static void
test_no_task_has_no_tokens(void **state)
{
    (void)state;
    check_ok(add(1, 0, 0, GRANT_USES_UNLIMITED));
    live_revoke_task(table, 0);
    assert_false(is_revoked(1));
    check_ok(live_revoke_family(table, 0, 1));
    assert_true(is_revoked(1));
}

static void
test_uses_run_out(void **state)
{
    AG_AUTO(live_token) struct live_token *token = NULL;

    (void)state;
    check_ok(add(1, 0, 1, 2));
    token = find(1);
    check_ok(live_spend(token));
    check_ok(live_spend(token));
    check_err(live_spend(token), AG_EUSEDUP);
    live_unspend(token);
    check_ok(live_spend(token));
    check_err(live_spend(token), AG_EUSEDUP);
}

static void
test_unlimited_uses_never_run_out(void **state)
{
    AG_AUTO(live_token) struct live_token *token = NULL;

    (void)state;
    check_ok(add(1, 0, 1, GRANT_USES_UNLIMITED));
    token = find(1);
    for (int i = 0; i < 1000; i++) {
        check_ok(live_spend(token));
    }
    live_unspend(token);
    assert_int_equal(atomic_load(&token->uses_left), GRANT_USES_UNLIMITED);
}

static void
test_a_family_goes_together_and_alone(void **state)
{
    (void)state;
    /* The rows come in the order of their ends, not of their ids. */
    check_ok(add(3, 2, 5, -1));
    check_ok(add(1, 0, 5, -1));
    check_ok(add(2, 1, 5, -1));
    check_ok(add(4, 1, 5, -1));
    check_ok(add(9, 0, 6, -1));
    check_ok(live_revoke_family(table, 5, 2));
    assert_false(is_revoked(1));
    assert_true(is_revoked(2));
    assert_true(is_revoked(3));
    assert_false(is_revoked(4));
    assert_false(is_revoked(9));
    live_revoke_task(table, 5);
    assert_true(is_revoked(1));
    assert_true(is_revoked(4));
    assert_false(is_revoked(9));
}

static void
test_a_family_of_thousands_goes_whole(void **state)
{
    enum {
        COUNT = 20000
    };

    (void)state;
    check_ok(add(1, 0, 5, -1));
    check_ok(add(2, 1, 5, -1));
    for (int64_t id = 3; id <= COUNT; id++) {
        check_ok(add(id, 2 + id % 50 * (id > 100), 5, -1));
    }
    check_ok(live_revoke_family(table, 5, 2));
    for (int64_t id = 2; id <= COUNT; id++) {
        assert_true(is_revoked(id));
    }
    assert_false(is_revoked(1));
    check_ok(live_revoke_family(table, 77, 2));
}

static void
test_the_dead_of_a_task_make_room(void **state)
{
    AG_AUTO(live_token) struct live_token *held = NULL;

    (void)state;
    check_ok(add(1, 0, 5, -1));
    check_ok(add(2, 1, 5, -1));
    check_ok(add(3, 2, 5, -1));
    check_ok(add(4, 1, 5, -1));
    check_ok(add(9, 0, 5 + 1024, -1));
    held = find(3);
    assert_int_equal(live_task_count(table, 5), 4);
    assert_int_equal(live_task_trim(table, 5, 999), 4);
    check_ok(live_revoke_family(table, 5, 2));
    assert_int_equal(live_task_count(table, 5), 4);
    assert_int_equal(live_task_trim(table, 5, 999), 2);
    assert_null(find(2));
    assert_null(find(3));
    assert_int_equal(held->id, 3);
    assert_int_equal(live_task_trim(table, 5, 1000), 0);
    assert_int_equal(live_task_count(table, 5), 0);
    assert_int_equal(live_task_trim(table, 5, 1000), 0);
    assert_int_equal(live_task_count(table, 5 + 1024), 1);
    assert_int_equal(live_count(table), 1);
}

/* Tasks 5 and 5 + buckets share a chain of the index. */
static void
test_tasks_of_one_bucket_are_told_apart(void **state)
{
    (void)state;
    check_ok(add(1, 0, 5, -1));
    check_ok(add(2, 0, 5 + 1024, -1));
    live_revoke_task(table, 5);
    assert_true(is_revoked(1));
    assert_false(is_revoked(2));
}

static void
test_a_sweep_drops_what_is_past_its_hard_end(void **state)
{
    AG_AUTO(live_token) struct live_token *held = NULL;

    (void)state;
    check_ok(add(1, 0, 5, -1));
    held = find(1);
    live_sweep(table, 999);
    assert_int_equal(live_count(table), 1);
    live_sweep(table, 1000);
    assert_int_equal(live_count(table), 0);
    assert_null(find(1));
    /* Whoever borrowed it may go on. */
    assert_int_equal(held->id, 1);
    check_ok(add(1, 0, 5, -1));
    live_revoke_task(table, 5);
    assert_true(is_revoked(1));
}

static void
test_slots_are_used_again_after_sweeps(void **state)
{
    (void)state;
    for (int64_t id = 1; id <= 20000; id++) {
        check_ok(add(id, 0, 1, -1));
        if (id % 100 == 0) {
            live_sweep(table, 2000);
        }
    }
    assert_int_equal(live_count(table), 0);
}

static void
test_accessors_lead_to_their_token(void **state)
{
    AG_AUTO(live_token) struct live_token *token = NULL;

    (void)state;
    check_ok(add(12, 0, 1, -1));
    token = live_find_accessor(table, "aga_12");
    assert_non_null(token);
    assert_int_equal(token->id, 12);
    assert_null(live_find_accessor(table, "aga_1"));
}

static enum ag_err
set_line(int64_t id, int64_t line_id, int64_t generation)
{
    AG_AUTO(live_token) struct live_token *token = find(id);
    struct live_line line = {.generation = generation,
                             .before_generation = generation - 1,
                             .renewed_ms = 5};

    if (token == NULL) {
        token = find(line_id);
    }
    assert_non_null(token);
    hash_of(line_id, line.hash);
    hash_of(line_id + generation, line.text);
    hash_of(line_id + generation - 1, line.before);
    return live_set_line(table, token, &line);
}

static int64_t
seen_in(int64_t line_id, int64_t text_id, struct live_seen *seen)
{
    AG_AUTO(live_token) struct live_token *token = NULL;
    uint8_t line[TOKEN_HASH_BYTES];
    uint8_t text[TOKEN_HASH_BYTES];

    hash_of(line_id, line);
    hash_of(text_id, text);
    token = live_find_line(table, line, text, seen);
    return token != NULL ? token->id : 0;
}

static void
test_a_renewed_token_is_found_by_its_line(void **state)
{
    struct live_seen seen = {0};

    (void)state;
    for (int64_t id = 1; id <= 200; id++) {
        check_ok(add(id, 0, 7, GRANT_USES_UNLIMITED));
    }
    assert_int_equal(seen_in(3, 3, &seen), 0); /* has no line */
    for (int64_t id = 1; id <= 200; id++) {
        check_ok(set_line(id, 1000 * id, 2));
        check_ok(set_line(id, 1000 * id, 3));
        assert_null(find(id));
    }
    assert_int_equal(live_count(table), 200);
    for (int64_t id = 1; id <= 200; id++) {
        assert_int_equal(seen_in(1000 * id, 1000 * id + 3, &seen), id);
        assert_int_equal(seen.text, LIVE_NOW);
        assert_int_equal(seen.generation, 3);
        assert_int_equal(seen_in(1000 * id, 1000 * id + 2, &seen), id);
        assert_int_equal(seen.text, LIVE_BEFORE);
        assert_int_equal(seen.generation, 2);
        assert_int_equal(seen.renewed_ms, 5);
        assert_int_equal(seen_in(1000 * id, 1000 * id + 1, &seen), id);
        assert_int_equal(seen.text, LIVE_OLD);
    }
    /* Of one that has left meanwhile nothing comes back. */
    {
        AG_AUTO(live_token) struct live_token *gone = find(1000);
        const struct live_line line = {.generation = 4};

        assert_non_null(gone);
        live_sweep(table, 1000);
        assert_int_equal(live_count(table), 0);
        check_ok(live_set_line(table, gone, &line));
        assert_int_equal(live_count(table), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_thousands_are_found_and_no_other,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_task_has_no_tokens, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_uses_run_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unlimited_uses_never_run_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_family_goes_together_and_alone,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_family_of_thousands_goes_whole,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_dead_of_a_task_make_room,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_tasks_of_one_bucket_are_told_apart,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_sweep_drops_what_is_past_its_hard_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_are_used_again_after_sweeps,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_renewed_token_is_found_by_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accessors_lead_to_their_token,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
