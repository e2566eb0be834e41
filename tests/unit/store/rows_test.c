/* Tasks, tokens, grants, leases, exposure. */
#include "common/vault.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"

struct end_args {
    int64_t id;
    enum end_reason reason;
    uint64_t count;
};

static enum ag_err
step_task_end(struct db_tx *tx, void *arg)
{
    const struct end_args *end = arg;

    return tasks_end(tx, end->id, end->reason, 3);
}

static enum ag_err
step_revoke_tree(struct db_tx *tx, void *arg)
{
    struct end_args *end = arg;
    struct revoke how = {.reason = end->reason};

    return tokens_revoke_tree(tx, end->id, &how, &end->count);
}

static enum ag_err
step_revoke_all(struct db_tx *tx, void *arg)
{
    struct end_args *end = arg;
    struct revoke how = {.reason = end->reason};

    return tokens_revoke_all(tx, &how, &end->count);
}

static enum ag_err
step_grant(struct db_tx *tx, void *arg)
{
    return grants_add(tx, arg);
}

static enum ag_err
step_lease(struct db_tx *tx, void *arg)
{
    return leases_add(tx, arg);
}

static enum ag_err
step_lease_end(struct db_tx *tx, void *arg)
{
    return leases_end(tx, *(int64_t *)arg, END_DONE);
}

static struct token_row
token_of(int64_t id)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    struct token_row token = {0};

    check_ok(tokens_get(r, id, &token));
    token_row_done(&token); /* the numbers stay */
    return token;
}

static enum ag_err
count_token(const struct token_row *row, void *arg)
{
    (void)row;
    (*(unsigned *)arg)++;
    return AG_OK;
}

static unsigned
live_tokens(int64_t now_ms)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    unsigned count = 0;

    check_ok(tokens_live_each(r, now_ms, count_token, &count));
    return count;
}

static enum ag_err
count_task(const struct task_row *row, void *arg)
{
    (void)row;
    (*(unsigned *)arg)++;
    return AG_OK;
}

static enum ag_err
count_lease(const struct lease_row *row, void *arg)
{
    (void)row;
    (*(unsigned *)arg)++;
    return AG_OK;
}

static unsigned
live_leases(void)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    unsigned count = 0;

    check_ok(leases_live_each(r, count_lease, &count));
    return count;
}

static void
test_a_task_and_what_ends_with_it(void **state)
{
    AG_AUTO(task_row) struct task_row task = {0};
    int64_t secret_id = vault_put("a", "1");
    int64_t task_id = vault_add_task("build");
    int64_t token_id = vault_add_token(task_id, 0);
    struct grant_row grant = {
        .task_id = task_id, .secret = "a", .verb = VERB_READ};
    struct lease_row lease = {.task_id = task_id,
                              .token_id = token_id,
                              .secret_id = secret_id,
                              .version = 1,
                              .verb = VERB_READ,
                              .expires_ms = clock_wall_ms() + 60000};
    struct end_args end = {.id = task_id, .reason = END_DONE};
    unsigned count = 0;

    (void)state;
    check_ok(vault_do(step_grant, &grant));
    check_ok(vault_do(step_lease, &lease));
    assert_int_equal(live_leases(), 1);
    check_ok(vault_do(step_task_end, &end));
    check_err(vault_do(step_task_end, &end), AG_ECONFLICT);
    vault_reopen();
    assert_int_equal(token_of(token_id).end_reason, END_PARENT);
    assert_int_equal(live_leases(), 0);
    assert_int_equal(live_tokens(clock_wall_ms()), 0);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(tasks_get(r, task_id, &task));
        assert_string_equal(task.name, "build");
        assert_int_equal(task.end_reason, END_DONE);
        assert_int_equal(task.exit_code, 3);
        check_ok(tasks_live_each(r, count_task, &count));
        assert_int_equal(count, 0);
        check_ok(tasks_recent_each(r, 10, count_task, &count));
        assert_int_equal(count, 1);
    }
    vault_check_sound();
}

static void
test_tokens_are_found_and_counted(void **state)
{
    int64_t task_id = vault_add_task("t");
    struct token_row token = vault_token(task_id, 0);
    struct token_row found = {0};
    struct token_row twice;

    (void)state;
    token.uses_max = 3;
    check_ok(vault_do(vault_add_token_step, &token));
    twice = token;
    check_err(vault_do(vault_add_token_step, &twice), AG_EEXISTS);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(tokens_by_hash(r, token.hash, &found));
        assert_int_equal(found.id, token.id);
        assert_string_equal(found.accessor, token.accessor);
        assert_string_equal(found.scope, "{}");
        token_row_done(&found);
    }
    assert_int_equal(live_tokens(clock_wall_ms()), 1);
    assert_int_equal(live_tokens(token.expires_ms), 0);
}

static void
test_revoking_a_tree(void **state)
{
    int64_t task_id = vault_add_task("t");
    int64_t root = vault_add_token(task_id, 0);
    int64_t left = vault_add_token(task_id, root);
    int64_t right = vault_add_token(task_id, root);
    int64_t leaf = vault_add_token(task_id, left);
    struct end_args end = {.id = left, .reason = END_REVOKED};
    struct token_row child;

    (void)state;
    assert_int_equal(token_of(leaf).depth, 2);
    check_ok(vault_do(step_revoke_tree, &end));
    assert_int_equal(end.count, 2);
    assert_true(token_of(leaf).revoked_ms > 0);
    assert_int_equal(token_of(right).revoked_ms, 0);
    child = vault_token(task_id, left);
    check_err(vault_do(vault_add_token_step, &child), AG_EREVOKED);
    end.id = root;
    check_ok(vault_do(step_revoke_all, &end));
    assert_int_equal(end.count, 2);
    assert_int_equal(live_tokens(clock_wall_ms()), 0);
    vault_check_sound();
}

static void
test_generations_are_bounded(void **state)
{
    int64_t task_id = vault_add_task("t");
    int64_t id = vault_add_token(task_id, 0);
    struct token_row last;
    unsigned i;

    (void)state;
    for (i = 0; i < TOKEN_DEPTH_MAX_COUNT; i++) {
        id = vault_add_token(task_id, id);
    }
    last = vault_token(task_id, id);
    check_err(vault_do(vault_add_token_step, &last), AG_ELIMIT);
}

struct many {
    int64_t task_id;
    unsigned count;
};

static enum ag_err
step_many_tokens(struct db_tx *tx, void *arg)
{
    const struct many *many = arg;
    enum ag_err err = AG_OK;
    unsigned i;

    for (i = 0; i < many->count && err == AG_OK; i++) {
        struct token_row token = vault_token(many->task_id, 0);

        err = tokens_add(tx, &token);
    }
    return err;
}

static void
test_thousands_end_at_once_and_are_on_the_record(void **state)
{
    struct many many = {.task_id = vault_add_task("t"), .count = 4000};
    struct end_args end = {.id = many.task_id, .reason = END_REVOKED};

    (void)state;
    check_ok(vault_do(step_many_tokens, &many));
    assert_int_equal(live_tokens(clock_wall_ms()), 4000);
    check_ok(vault_do(step_task_end, &end));
    assert_int_equal(live_tokens(clock_wall_ms()), 0);
    vault_reopen();
    vault_check_sound();
}

static enum ag_err
count_grant(const struct grant_row *row, void *arg)
{
    assert_string_equal(row->limits, "{\"hosts\":[\"x\"]}");
    (*(unsigned *)arg)++;
    return AG_OK;
}

static void
test_grants(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    char limits[] = "{\"hosts\":[\"x\"]}";
    struct grant_row grant = {.task_id = vault_add_task("t"),
                              .secret = "git/*",
                              .field = "/token",
                              .verb = VERB_PROXY,
                              .limits = limits};
    unsigned count = 0;

    (void)state;
    check_ok(vault_do(step_grant, &grant));
    grant.task_id = 99;
    check_err(vault_do(step_grant, &grant), AG_ENOTFOUND);
    grant.task_id = 1;
    grant.verb = VERB_REVEAL;
    check_err(vault_do(step_grant, &grant), AG_EINVAL);
    r = vault_read();
    check_ok(grants_of_task_each(r, 1, count_grant, &count));
    assert_int_equal(count, 1);
}

static void
test_leases(void **state)
{
    int64_t secret_id = vault_put("a", "1");
    struct lease_row lease = {.secret_id = secret_id,
                              .version = 1,
                              .verb = VERB_ENV,
                              .expires_ms = clock_wall_ms() + 1000};

    (void)state;
    check_ok(vault_do(step_lease, &lease));
    assert_int_equal(live_leases(), 1);
    check_ok(vault_do(step_lease_end, &lease.id));
    check_ok(vault_do(step_lease_end, &lease.id));
    assert_int_equal(live_leases(), 0);
    lease.version = 7; /* no such version */
    check_err(vault_do(step_lease, &lease), AG_ENOTFOUND);
}

static enum ag_err
step_expose(struct db_tx *tx, void *arg)
{
    struct exposure_row *row = arg;
    bool is_new = false;
    enum ag_err err = exposure_note(tx, row, &is_new);

    row->times_count = is_new;
    return err;
}

static enum ag_err
last_exposure(const struct exposure_row *row, void *arg)
{
    *(struct exposure_row *)arg = *row;
    return AG_OK;
}

static void
test_exposure_is_noted_once_and_counted(void **state)
{
    struct exposure_row seen = {.secret_id = vault_put("a", "1"),
                                .version = 1,
                                .task_id = vault_add_task("t"),
                                .verb = VERB_FILE};
    struct exposure_row got = {0};

    (void)state;
    check_ok(vault_do(step_expose, &seen));
    assert_int_equal(seen.times_count, 1);
    check_ok(vault_do(step_expose, &seen));
    assert_int_equal(seen.times_count, 0);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(exposure_of_secret_each(r, seen.secret_id, 10, last_exposure,
                                         &got));
        assert_int_equal(got.times_count, 2);
        got = (struct exposure_row){0};
        check_ok(
            exposure_of_task_each(r, seen.task_id, 10, last_exposure, &got));
        assert_int_equal(got.version, 1);
    }
    seen.task_id = 0; /* the operator's own look */
    check_ok(vault_do(step_expose, &seen));
    vault_check_sound();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_a_task_and_what_ends_with_it),
        TEST(test_tokens_are_found_and_counted),
        TEST(test_revoking_a_tree),
        TEST(test_generations_are_bounded),
        TEST(test_thousands_end_at_once_and_are_on_the_record),
        TEST(test_grants),
        TEST(test_leases),
        TEST(test_exposure_is_noted_once_and_counted),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
