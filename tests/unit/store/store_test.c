/* The vault's life: made, opened, refused, locked, rekeyed, restored. */
#include "common/vault.h"
#include "store/roles.h"
#include "store/uses.h"
#include "store/wraps.h"

static void
path_of(const char *name, char out[160])
{
    (void)snprintf(out, 160, "%s/%s", vault.home, name);
}

static void
shut(void)
{
    store_close(vault.s);
    vault.s = NULL;
}

/* Reads or overwrites bytes of a file of the vault. */
static void
patch(const char *name, off_t at, const void *bytes, size_t len)
{
    char path[160];
    int fd;

    path_of(name, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    (void)close(fd);
}

static void
test_made_once(void **state)
{
    struct slot_row slot = vault_slot(1);
    struct store *again = NULL;

    (void)state;
    check_ok(store_exists(vault.home));
    check_err(store_create(vault.home, vault.ring, &slot, 1, &again), AG_EBUSY);
    shut();
    check_err(store_create(vault.home, vault.ring, &slot, 1, &again),
              AG_EEXISTS);
    check_ok(store_open(vault.home, &vault.s));
}

static void
test_no_vault(void **state)
{
    char path[160];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/nothing", scratch.path);
    check_err(store_exists(path), AG_ENOVAULT);
    assert_int_equal(mkdir(path, 0700), 0);
    check_err(store_exists(path), AG_ENOVAULT);
    check_err(store_open(path, &(struct store *){NULL}), AG_ENOVAULT);
    assert_int_equal(rmdir(path), 0); /* nothing was left behind */
}

static void
test_one_broker_at_a_time(void **state)
{
    struct store *second = NULL;

    (void)state;
    check_err(store_open(vault.home, &second), AG_EBUSY);
}

static void
test_unsafe_files_are_refused(void **state)
{
    static const char *const NAMES[] = {"vault.db", "vault.head", "vault.lock",
                                        "uses.journal"};
    char path[160];
    char other[160];
    size_t i;

    (void)state;
    shut();
    for (i = 0; i < AG_COUNT(NAMES); i++) {
        path_of(NAMES[i], path);
        assert_int_equal(chmod(path, 0640), 0);
        check_err(store_open(vault.home, &vault.s), AG_EMODE);
        assert_int_equal(chmod(path, 0600), 0);
    }
    path_of("vault.db", path);
    path_of("second-name", other);
    assert_int_equal(link(path, other), 0);
    check_err(store_open(vault.home, &vault.s), AG_EMODE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("second-name", path), 0);
    check_err(store_open(vault.home, &vault.s), AG_EMODE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(chmod(vault.home, 0750), 0);
    check_err(store_open(vault.home, &vault.s), AG_EMODE);
    assert_int_equal(chmod(vault.home, 0700), 0);
    check_ok(store_open(vault.home, &vault.s));
}

static void
test_a_newer_format_is_refused_untouched(void **state)
{
    static const uint8_t NEWER[4] = {0, 0, 0, 99};
    static const uint8_t FOREIGN[4] = {1, 2, 3, 4};
    char path[160];
    struct stat before;
    struct stat after;

    (void)state;
    shut();
    patch("vault.db", 60, NEWER, sizeof(NEWER));
    path_of("vault.db", path);
    assert_int_equal(stat(path, &before), 0);
    check_err(store_open(vault.home, &vault.s), AG_ENEWER);
    check_err(store_exists(vault.home), AG_ENEWER);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    patch("vault.db", 68, FOREIGN, sizeof(FOREIGN));
    check_err(store_open(vault.home, &vault.s), AG_ECORRUPT);
    patch("vault.db", 0, "not a database!!", 16);
    check_err(store_open(vault.home, &vault.s), AG_ECORRUPT);
}

static void
test_locked_it_answers_locked(void **state)
{
    struct db_read *r = NULL;
    struct store_found found;
    struct slot_row slots[SLOTS_MAX_COUNT];
    struct use use = {.secret_id = 1, .version = 1, .verb = VERB_READ};
    size_t count = 0;
    int64_t id = 0;

    (void)state;
    vault_put("a", "1");
    store_lock(vault.s);
    assert_false(store_is_open(vault.s));
    check_err(store_read(vault.s, &r), AG_ELOCKED);
    check_err(store_do(vault.s, vault_put_job, NULL), AG_ELOCKED);
    check_err(store_use(vault.s, &use), AG_ELOCKED);
    check_err(store_flush(vault.s), AG_ELOCKED);
    check_ok(slots_list(vault.s, slots, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(slots[0].blob, "slotblob", 8);
    check_ok(slots_next_id(vault.s, &id));
    assert_int_equal(id, 2);
    store_lock(vault.s); /* again is fine */
    check_ok(store_unlock(vault.s, vault.ring, &found));
    check_err(store_unlock(vault.s, vault.ring, &found), AG_EINVAL);
    vault_check_value("a", 0, "1");
    store_lock(vault.s);
    assert_int_equal(store_is_open(vault.s), 0);
}

static void
test_another_vaults_keys_are_refused(void **state)
{
    struct keyring *wrong = vault_keyring();
    struct store_found found;

    (void)state;
    store_lock(vault.s);
    check_err(store_unlock(vault.s, wrong, &found), AG_ECORRUPT);
    assert_false(store_is_open(vault.s));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    store_lock(vault.s);
    keyring_free(wrong);
}

/* ---- slots ---- */

static enum ag_err
step_slot_add(struct db_tx *tx, void *arg)
{
    return slots_add(tx, arg);
}

static enum ag_err
step_slot_remove(struct db_tx *tx, void *arg)
{
    return slots_remove(tx, *(int64_t *)arg);
}

static enum ag_err
step_slot_replace(struct db_tx *tx, void *arg)
{
    return slots_replace(tx, arg);
}

static void
test_slots(void **state)
{
    struct slot_row slot = vault_slot(2);
    struct slot_row slots[SLOTS_MAX_COUNT];
    size_t count = 0;
    int64_t id = 1;

    (void)state;
    check_err(vault_do(step_slot_remove, &id), AG_ECONFLICT); /* the last */
    slot.kind = SLOT_RECOVERY;
    check_ok(vault_do(step_slot_add, &slot));
    check_err(vault_do(step_slot_add, &slot), AG_ECONFLICT); /* id taken */
    check_err(vault_do(step_slot_remove, &id), AG_ECONFLICT);
    id = 2;
    check_ok(vault_do(step_slot_remove, &id));
    check_err(vault_do(step_slot_remove, &id), AG_ENOTFOUND);
    slot.id = 1;
    (void)memcpy(slot.blob, "newblob!", 8);
    check_ok(vault_do(step_slot_replace, &slot));
    check_ok(slots_list(vault.s, slots, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(slots[0].blob, "newblob!", 8);
    assert_int_equal(slots[0].kind, SLOT_PASSPHRASE);
    vault_reopen();
    vault_check_sound();
}

/* ---- rekey ---- */

static enum ag_err
step_role(struct db_tx *tx, void *arg)
{
    return roles_add(tx, arg);
}

static enum ag_err
step_wrap(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = secret_from(span_str("wrapped value"), &value);

    return err != AG_OK ? err : wraps_add(tx, arg, value);
}

static enum ag_err
step_unwrap(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct wrap_row *wrap = arg;
    enum ag_err err = wraps_open(tx, wrap->hash, wrap, &value);

    if (err == AG_OK) {
        check_span(secret_view(value), "wrapped value");
    }
    return err;
}

static void
test_rekey(void **state)
{
    struct keyring *fresh = vault_keyring();
    struct slot_row slot = vault_slot(2);
    struct role_row role = {.name = "cron", .kind = ROLE_ROTATOR};
    struct wrap_row wrap = {.hash = "hash of the wrap",
                            .expires_ms = clock_wall_ms() + 60000};
    struct token_row token = {0};
    int64_t id = vault_put("a", "1");
    int64_t token_id = vault_add_token(vault_add_task("t"), 0);
    struct slot_row slots[SLOTS_MAX_COUNT];
    size_t count = 0;

    (void)state;
    vault_put("a", "2");
    check_ok(vault_do(step_role, &role));
    check_ok(vault_do(step_wrap, &wrap));
    check_ok(store_rekey(vault.s, fresh, &slot, 1));
    keyring_free(vault.ring);
    vault.ring = fresh;
    vault_check_value("a", 1, "1");
    vault_check_value("a", 2, "2");
    vault_check_sound();
    vault_put("a", "3");
    vault_reopen();
    vault_check_value("a", 2, "2");
    vault_check_value("a", 3, "3");
    check_ok(vault_do(step_unwrap, &wrap));
    vault_check_sound();
    {
        AG_AUTO(db_read) struct db_read *r = vault_read();

        check_ok(tokens_get(r, token_id, &token));
        assert_int_equal(token.end_reason, END_REKEY);
        token_row_done(&token);
        check_err(roles_find(r, span_str("cron"), &role), AG_ENOTFOUND);
        check_ok(slots_list(vault.s, slots, &count));
        assert_int_equal(count, 1);
        assert_int_equal(slots[0].id, 2);
    }
    assert_true(id > 0);
}

static void
test_a_refused_rekey_changes_nothing(void **state)
{
    struct keyring *fresh = vault_keyring();
    struct slot_row slot = vault_slot(9); /* not the next id */

    (void)state;
    vault_put("a", "1");
    check_err(store_rekey(vault.s, fresh, &slot, 1), AG_ECONFLICT);
    check_err(store_rekey(vault.s, fresh, &slot, 0), AG_EINVAL);
    keyring_free(fresh);
    vault_check_value("a", 0, "1");
    vault_put("a", "2");
    vault_reopen();
    vault_check_value("a", 1, "1");
    vault_check_sound();
}

/* ---- roll-back ---- */

static void
copy(const char *from, const char *to)
{
    char source[160];
    char target[160];
    static uint8_t bytes[1024 * 1024];
    ssize_t got;
    int fd;

    path_of(from, source);
    path_of(to, target);
    fd = open(source, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    got = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    assert_true(got >= 0);
    fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, (size_t)got), got);
    (void)close(fd);
}

static void
test_an_older_vault_is_noticed(void **state)
{
    struct store_found found;

    (void)state;
    vault_put("a", "1");
    shut();
    copy("vault.db", "old.db");
    check_ok(store_open(vault.home, &vault.s));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    vault_put("a", "2");
    shut();
    copy("old.db", "vault.db");
    check_ok(store_open(vault.home, &vault.s));
    check_err(store_unlock(vault.s, vault.ring, &found), AG_EROLLBACK);
    assert_false(store_is_open(vault.s));
    check_ok(store_accept_rollback(vault.s, vault.ring));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    vault_check_value("a", 0, "1");
    vault_check_sound();
}

/* As kill -9 leaves them: the last changes are in the WAL only. */
static void
put_back_killed(void)
{
    copy("killed.db", "vault.db");
    copy("killed.wal", "vault.db-wal");
    copy("killed.head", "vault.head");
}

static enum ag_err
open_killed(void)
{
    struct store_found found;
    enum ag_err err = store_open(vault.home, &vault.s);

    if (err == AG_OK) {
        err = store_unlock(vault.s, vault.ring, &found);
    }
    if (err == AG_OK) {
        vault_check_value("a", 0, "2");
    }
    shut();
    return err;
}

static void
test_a_changed_wal_is_noticed(void **state)
{
    char path[160];
    struct stat st;

    (void)state;
    vault_put("a", "1");
    vault_put("a", "2");
    check_ok(store_flush(vault.s));
    copy("vault.db", "killed.db");
    copy("vault.db-wal", "killed.wal");
    copy("vault.head", "killed.head");
    shut();
    put_back_killed();
    check_ok(open_killed());
    path_of("vault.db-wal", path);
    put_back_killed();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5000), 0);
    check_err(open_killed(), AG_EROLLBACK);
    put_back_killed();
    patch("vault.db-wal", st.st_size - 100, "x", 1);
    check_err(open_killed(), AG_EROLLBACK);
    put_back_killed();
    assert_int_equal(unlink(path), 0);
    check_err(open_killed(), AG_EROLLBACK);
}

static void
test_a_missing_or_damaged_head_is_noticed(void **state)
{
    char path[160];
    struct store_found found;
    uint8_t zeros[1024] = {0};

    (void)state;
    vault_put("a", "1");
    store_lock(vault.s);
    patch("vault.head", 0, zeros, sizeof(zeros));
    check_err(store_unlock(vault.s, vault.ring, &found), AG_EROLLBACK);
    path_of("vault.head", path);
    assert_int_equal(unlink(path), 0);
    check_err(store_unlock(vault.s, vault.ring, &found), AG_EROLLBACK);
    check_ok(store_accept_rollback(vault.s, vault.ring));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    vault_check_sound();
}

static void
test_a_fork_of_the_record_is_noticed(void **state)
{
    struct store_found found;

    (void)state;
    shut();
    copy("vault.db", "old.db");
    vault_reopen();
    vault_put("a", "1");
    shut();
    copy("vault.head", "one.head");
    copy("old.db", "vault.db"); /* the same length, another content */
    check_ok(store_open(vault.home, &vault.s));
    check_ok(store_accept_rollback(vault.s, vault.ring));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    vault_put("b", "2");
    shut();
    copy("one.head", "vault.head");
    check_ok(store_open(vault.home, &vault.s));
    check_err(store_unlock(vault.s, vault.ring, &found), AG_EROLLBACK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_made_once),
        TEST(test_no_vault),
        TEST(test_one_broker_at_a_time),
        TEST(test_unsafe_files_are_refused),
        TEST(test_a_newer_format_is_refused_untouched),
        TEST(test_locked_it_answers_locked),
        TEST(test_another_vaults_keys_are_refused),
        TEST(test_slots),
        TEST(test_rekey),
        TEST(test_a_refused_rekey_changes_nothing),
        TEST(test_an_older_vault_is_noticed),
        TEST(test_a_changed_wal_is_noticed),
        TEST(test_a_missing_or_damaged_head_is_noticed),
        TEST(test_a_fork_of_the_record_is_noticed),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
