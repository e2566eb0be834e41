/* Wraps, roles, moves: what opens once, ends once, goes step by step. */
#include "common/vault.h"
#include "store/moves.h"
#include "store/roles.h"
#include "store/wraps.h"

static struct token_row
token_of(int64_t id)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    struct token_row token = {0};

    check_ok(tokens_get(r, id, &token));
    token_row_done(&token); /* the numbers stay */
    return token;
}

/* ---- wraps ---- */

static enum ag_err
step_wrap(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = secret_from(span_str("once"), &value);

    return err != AG_OK ? err : wraps_add(tx, arg, value);
}

struct unwrapping {
    struct wrap_row row;
    enum ag_err result;
};

/* As core does it: the alarm is recorded, the error kept. */
static enum ag_err
step_unwrap(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct unwrapping *job = arg;

    job->result = wraps_open(tx, job->row.hash, &job->row, &value);
    if (job->result == AG_OK) {
        check_span(secret_view(value), "once");
    }
    return job->result == AG_ENOTOKEN ? AG_ENOTOKEN : AG_OK;
}

static enum ag_err
step_expire(struct db_tx *tx, void *arg)
{
    uint64_t *count = arg;

    return wraps_expire(tx, db_tx_now_ms(tx), 10, count);
}

static void
test_a_wrap_opens_once(void **state)
{
    struct unwrapping job = {.row = {.hash = "first wrap"}};
    int64_t now_ms = 1800000000000;

    (void)state;
    clock_fix_ms(now_ms);
    job.row.expires_ms = now_ms + 10;
    check_ok(vault_do(step_wrap, &job.row));
    check_ok(vault_do(step_unwrap, &job));
    check_ok(job.result);
    check_ok(vault_do(step_unwrap, &job));
    check_err(job.result, AG_EUNWRAPPED);
    assert_int_equal(job.row.attempts_count, 1);
    memset(job.row.hash, 7, sizeof(job.row.hash));
    check_err(vault_do(step_unwrap, &job), AG_ENOTOKEN);
    vault_check_sound();
}

static void
test_an_expired_wrap_is_wiped(void **state)
{
    struct unwrapping job = {.row = {.hash = "a wrap"}};
    uint64_t count = 0;
    int64_t now_ms = 1800000000000;

    (void)state;
    clock_fix_ms(now_ms);
    job.row.expires_ms = now_ms + 10;
    check_ok(vault_do(step_wrap, &job.row));
    clock_fix_ms(now_ms + 10);
    check_ok(vault_do(step_expire, &count));
    assert_int_equal(count, 1);
    check_ok(vault_do(step_expire, &count));
    assert_int_equal(count, 0);
    check_ok(vault_do(step_unwrap, &job));
    check_err(job.result, AG_EEXPIRED);
    vault_check_sound();
}

/* ---- roles, moves ---- */

static enum ag_err
step_role(struct db_tx *tx, void *arg)
{
    struct role_row *role = arg;
    struct token_row token = vault_token(0, 0);
    enum ag_err err = roles_add(tx, role);

    token.role_id = role->id;
    token.flags = (enum token_flags)(TOKEN_ROLE | TOKEN_UNBOUND);
    if (err == AG_OK) {
        err = tokens_add(tx, &token);
    }
    role->token_id = token.id;
    return err != AG_OK ? err : roles_bind(tx, role->id, token.id);
}

static enum ag_err
step_role_end(struct db_tx *tx, void *arg)
{
    return roles_end(tx, *(int64_t *)arg, END_REVOKED);
}

static void
test_roles(void **state)
{
    struct role_row role = {.name = "nightly", .kind = ROLE_ROTATOR};
    struct role_row found;

    (void)state;
    check_ok(vault_do(step_role, &role));
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(roles_find(r, span_str("nightly"), &found));
        assert_int_equal(found.token_id, role.token_id);
    }
    assert_int_equal(token_of(role.token_id).flags, TOKEN_ROLE | TOKEN_UNBOUND);
    check_err(vault_do(step_role, &(struct role_row){.name = "nightly",
                                                     .kind = ROLE_BACKUP}),
              AG_EEXISTS);
    check_ok(vault_do(step_role_end, &role.id));
    assert_true(token_of(role.token_id).revoked_ms > 0);
    check_ok(vault_do(step_role, &role)); /* the name is free again */
    vault_check_sound();
}

struct move_args {
    struct move_row *row;
    enum move_state state;
};

static enum ag_err
step_move_add(struct db_tx *tx, void *arg)
{
    return moves_add(tx, arg);
}

static enum ag_err
step_move(struct db_tx *tx, void *arg)
{
    const struct move_args *args = arg;

    return moves_step(tx, args->row, args->state);
}

static enum ag_err
move_to(struct move_row *row, enum move_state state)
{
    struct move_args args = {.row = row, .state = state};

    return vault_do(step_move, &args);
}

static void
test_moves_take_legal_steps_only(void **state)
{
    char detail[] = "{\"path\":\"/home/x/auth.json\"}";
    struct move_row row = {.kind = MOVE_ADOPT, .detail = detail};
    struct move_row found = {0};
    uint64_t open = 0;

    (void)state;
    check_ok(vault_do(step_move_add, &row));
    check_err(move_to(&row, MOVE_ERASING), AG_ECONFLICT);
    row.has_digest = true;
    memset(row.digest, 5, sizeof(row.digest));
    check_ok(move_to(&row, MOVE_TAKEN));
    check_ok(move_to(&row, MOVE_ERASING));
    check_err(move_to(&row, MOVE_UNDONE), AG_ECONFLICT);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(moves_get(r, row.id, &found));
        assert_true(found.has_digest);
        assert_memory_equal(found.digest, row.digest, MOVE_DIGEST_BYTES);
        assert_string_equal(found.detail, detail);
        move_row_done(&found);
        check_ok(moves_open_count(r, &open));
        assert_int_equal(open, 1);
    }
    check_ok(move_to(&row, MOVE_DONE));
    check_err(move_to(&row, MOVE_CONFLICT), AG_ECONFLICT);
    vault_check_sound();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_a_wrap_opens_once),
        TEST(test_an_expired_wrap_is_wiped),
        TEST(test_roles),
        TEST(test_moves_take_legal_steps_only),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
