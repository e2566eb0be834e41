/* Secrets and their versions: states, retention, rollback, names. */
#include "common/vault.h"

static enum ag_err
step_destroy_1(struct db_tx *tx, void *arg)
{
    return versions_destroy(tx, *(const int64_t *)arg, 1);
}

static enum ag_err
step_destroy_current(struct db_tx *tx, void *arg)
{
    struct version_row v;
    enum ag_err err =
        versions_get(db_tx_read(tx), *(const int64_t *)arg, 0, &v);

    return err != AG_OK ? err
                        : versions_destroy(tx, *(const int64_t *)arg, v.number);
}

static enum ag_err
step_rollback_1(struct db_tx *tx, void *arg)
{
    return versions_rollback(tx, *(const int64_t *)arg, 1);
}

static enum ag_err
step_promote_2(struct db_tx *tx, void *arg)
{
    return versions_promote(tx, *(const int64_t *)arg, 2);
}

static enum ag_err
step_release_1(struct db_tx *tx, void *arg)
{
    return versions_release(tx, *(const int64_t *)arg, 1);
}

static enum ag_err
step_remove(struct db_tx *tx, void *arg)
{
    return secrets_remove(tx, *(const int64_t *)arg);
}

/* A tool that writes its login anew, started with version 1. */
static enum ag_err
step_write_back(struct db_tx *tx, void *arg)
{
    const struct version_new *add = arg;
    struct version_row added;

    return versions_add(tx, add, &added);
}

static enum ag_err
step_update(struct db_tx *tx, void *arg)
{
    return secrets_update(tx, arg);
}

static enum version_state
state_of(int64_t id, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    struct version_row v;

    check_ok(versions_get(r, id, number, &v));
    return v.state;
}

static void
test_a_value_comes_back_also_after_a_restart(void **state)
{
    (void)state;
    vault_put("codex/default", "sk-one");
    vault_check_value("codex/default", 0, "sk-one");
    vault_reopen();
    vault_check_value("codex/default", 0, "sk-one");
    vault_check_value("codex/other", 0, NULL);
    vault_check_sound();
}

static void
test_versions_step_back_and_the_oldest_are_destroyed(void **state)
{
    int64_t id;

    (void)state;
    vault_put("a", "1");
    vault_put("a", "2");
    vault_put("a", "3");
    id = vault_put("a", "4");
    vault_check_value("a", 0, "4");
    vault_check_value("a", 3, "3");
    vault_check_value("a", 2, "2");
    vault_check_value("a", 1, NULL); /* two are retained */
    assert_int_equal(state_of(id, 1), VERSION_DESTROYED);
    assert_int_equal(state_of(id, 3), VERSION_RETAINED);
    vault_check_sound();
}

static void
test_a_spared_version_outlives_any_number_of_newer_ones(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;
    int64_t id = vault_put("a", "1");
    struct version_new add = {.secret_id = id,
                              .state = VERSION_CURRENT,
                              .if_version = -1,
                              .maker = MAKER_TASK,
                              .spare = 1};

    (void)state;
    check_ok(secret_from(span_str("other"), &value));
    add.value = value;
    for (int i = 0; i < 5; i++) {
        check_ok(vault_do(step_write_back, &add));
    }
    vault_check_value("a", 1, "1");
    vault_check_value("a", 6, "other");
    vault_check_value("a", 5, "other");
    vault_check_value("a", 3, NULL);
    add.state = VERSION_RETAINED;
    for (int i = 0; i < 5; i++) {
        check_ok(vault_do(step_write_back, &add));
    }
    assert_int_equal(state_of(id, 6), VERSION_CURRENT);
    assert_int_equal(state_of(id, 11), VERSION_RETAINED);
    assert_int_equal(state_of(id, 9), VERSION_DESTROYED);
    vault_check_value("a", 1, "1");
    vault_check_sound();
}

static void
test_if_version_guards_a_write(void **state)
{
    struct vault_put put = {.name = "a",
                            .value = "2",
                            .state = VERSION_CURRENT,
                            .if_version = 1,
                            .retain_count = 1};

    (void)state;
    check_err(store_do(vault.s, vault_put_job, &put), AG_ECONFLICT);
    vault_check_value("a", 0, NULL); /* not even the secret was made */
    put.if_version = 0;
    check_ok(store_do(vault.s, vault_put_job, &put));
    check_err(store_do(vault.s, vault_put_job, &put), AG_ECONFLICT);
    put.if_version = 1;
    check_ok(store_do(vault.s, vault_put_job, &put));
    assert_int_equal(put.version.number, 2);
}

static void
test_a_pending_version_is_readable_and_not_current(void **state)
{
    struct vault_put put = {.name = "a",
                            .value = "new",
                            .state = VERSION_PENDING,
                            .if_version = -1};
    int64_t id = vault_put("a", "old");

    (void)state;
    check_ok(store_do(vault.s, vault_put_job, &put));
    vault_check_value("a", 0, "old");
    vault_check_value("a", 2, "new");
    check_ok(vault_do(step_promote_2, &id));
    vault_check_value("a", 0, "new");
    check_err(vault_do(step_promote_2, &id), AG_ECONFLICT);
    vault_check_sound();
}

static void
test_rollback_makes_an_old_version_current(void **state)
{
    int64_t id;

    (void)state;
    vault_put("a", "1");
    id = vault_put("a", "2");
    check_ok(vault_do(step_rollback_1, &id));
    vault_check_value("a", 0, "1");
    vault_check_value("a", 2, "2");
    check_err(vault_do(step_rollback_1, &id), AG_ECONFLICT);
    vault_put("a", "3"); /* numbers go on */
    vault_check_value("a", 3, "3");
    vault_check_sound();
}

static void
test_destroying(void **state)
{
    int64_t id;

    (void)state;
    vault_put("a", "1");
    id = vault_put("a", "2");
    check_ok(vault_do(step_destroy_1, &id));
    vault_check_value("a", 1, NULL);
    check_err(vault_do(step_destroy_current, &id), AG_ECONFLICT);
    check_err(vault_do(step_rollback_1, &id), AG_ECONFLICT);
    vault_check_value("a", 0, "2");
    vault_check_sound();
}

static void
test_release_leaves_no_value(void **state)
{
    int64_t id = vault_put("a", "1");

    (void)state;
    check_ok(vault_do(step_release_1, &id));
    vault_check_value("a", 0, NULL);
    vault_check_value("a", 1, NULL);
    assert_int_equal(state_of(id, 1), VERSION_RELEASED);
    vault_put("a", "2");
    vault_check_value("a", 0, "2");
    vault_check_sound();
}

static void
test_a_removed_name_can_be_used_again(void **state)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    int64_t id = vault_put("a", "1");
    int64_t other;

    (void)state;
    check_ok(vault_do(step_remove, &id));
    check_err(vault_do(step_remove, &id), AG_ENOTFOUND);
    vault_check_value("a", 0, NULL);
    other = vault_put("a", "2");
    assert_int_not_equal(id, other);
    vault_check_value("a", 0, "2");
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();
        uint64_t count = 0;

        check_ok(secrets_get(r, id, &row)); /* the tombstone keeps its name */
        assert_string_equal(row.name, "a");
        assert_true(row.removed_ms > 0);
        check_ok(secrets_count(r, &count));
        assert_int_equal(count, 1);
    }
    vault_check_sound();
}

static void
test_update_changes_metadata_only(void **state)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    char *kept;
    int64_t id = vault_put("a", "1");
    char detail[] = "{\"hosts\":[\"api.openai.com\"]}";

    (void)state;
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();
        check_ok(secrets_get(r, id, &row));
    }
    kept = row.detail;
    row.detail = detail;
    row.min_grade = GRADE_FILE;
    check_ok(vault_do(step_update, &row));
    row.last_version = 7; /* stale */
    check_err(vault_do(step_update, &row), AG_ECONFLICT);
    row.detail = kept;
    secret_row_done(&row);
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();
        check_ok(secrets_find(r, span_str("a"), &row));
    }
    assert_string_equal(row.detail, "{\"hosts\":[\"api.openai.com\"]}");
    assert_int_equal(row.min_grade, GRADE_FILE);
    vault_check_value("a", 0, "1");
}

static enum ag_err
count_row(const struct secret_row *row, void *arg)
{
    unsigned *count = arg;

    assert_true(span_starts(span_str(row->name), span_str("git")));
    (*count)++;
    return AG_OK;
}

static enum ag_err
count_live(const struct secret_row *row, const struct version_row *version,
           const struct secret *value, void *arg)
{
    unsigned *count = arg;

    (void)row;
    assert_int_equal(version->value_bytes, secret_len(value));
    (*count)++;
    return AG_OK;
}

static void
test_walks(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    unsigned count = 0;

    (void)state;
    vault_put("git/a", "1");
    vault_put("git/b", "2");
    vault_put("git/b", "33");
    vault_put("npm", "4");
    r = vault_read();
    check_ok(secrets_each(r, span_str("git/"), count_row, &count));
    assert_int_equal(count, 2);
    count = 0;
    check_ok(versions_live_each(r, count_live, &count));
    assert_int_equal(count, 4);
}

static void
test_bad_rows_are_refused(void **state)
{
    struct vault_put put = {.name = "Not A Name",
                            .value = "1",
                            .state = VERSION_CURRENT,
                            .if_version = -1};

    (void)state;
    check_err(store_do(vault.s, vault_put_job, &put), AG_EINVAL);
    put.name = "a";
    put.retain_count = SECRET_RETAIN_MAX_COUNT + 1;
    check_err(store_do(vault.s, vault_put_job, &put), AG_EINVAL);
    put.retain_count = 0;
    put.state = VERSION_RELEASED;
    check_err(store_do(vault.s, vault_put_job, &put), AG_EINVAL);
    vault_check_value("a", 0, NULL);
    vault_check_sound();
}

static enum ag_err
step_kind(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(arg), &row);

    row.kind = SECRET_LOGIN;
    return err == AG_OK ? secrets_update(tx, &row) : err;
}

static enum ag_err
step_release(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(arg), &row);

    return err == AG_OK ? versions_release(tx, row.id, row.current_version)
                        : err;
}

static void
test_logins(void **state)
{
    static char login[] = "git/login";
    static char released[] = "git/released";
    AG_AUTO(db_read) struct db_read *r = NULL;
    unsigned count = 0;
    uint64_t all = 0;

    (void)state;
    vault_put("npm", "1");
    vault_put(login, "2");
    vault_put(released, "3");
    check_ok(vault_do(step_kind, login));
    check_ok(vault_do(step_kind, released));
    check_ok(vault_do(step_release, released));
    r = vault_read();
    check_ok(secrets_logins_each(r, count_row, &count));
    assert_int_equal(count, 1);
    check_ok(secrets_count(r, &all));
    assert_int_equal(all, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_a_value_comes_back_also_after_a_restart),
        TEST(test_versions_step_back_and_the_oldest_are_destroyed),
        TEST(test_a_spared_version_outlives_any_number_of_newer_ones),
        TEST(test_if_version_guards_a_write),
        TEST(test_a_pending_version_is_readable_and_not_current),
        TEST(test_rollback_makes_an_old_version_current),
        TEST(test_destroying),
        TEST(test_release_leaves_no_value),
        TEST(test_a_removed_name_can_be_used_again),
        TEST(test_update_changes_metadata_only),
        TEST(test_walks),
        TEST(test_logins),
        TEST(test_bad_rows_are_refused),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
