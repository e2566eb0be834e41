/*
 * vault.h - a vault of a test's own in a scratch directory, and its steps as
 * plain calls: every change is a job of its own with a row of the record.
 */
#ifndef AG_TESTS_VAULT_H
#define AG_TESTS_VAULT_H

#include "base/clock.h"
#include "base/secret.h"
#include "common/arena.h"
#include "common/scratch.h"
#include "crypt/keyring.h"
#include "store/audit.h"
#include "store/audit_check.h"
#include "store/db.h"
#include "store/meta.h"
#include "store/secrets.h"
#include "store/store.h"
#include "store/tasks.h"
#include "store/tokens.h"
#include "store/versions.h"

static struct {
    char home[96];
    struct keyring *ring;
    struct store *s;
} vault;

static const uint8_t VAULT_TEST_ID[KEYRING_VAULT_ID_BYTES] = "vault of a test";

static inline struct keyring *
vault_keyring(void)
{
    struct secret *root = NULL;
    struct keyring *ring = NULL;

    check_ok(kdf_root_new(&root));
    check_ok(keyring_new(VAULT_TEST_ID, &ring));
    check_ok(keyring_open(ring, root));
    secret_free(root);
    return ring;
}

static inline struct slot_row
vault_slot(int64_t id)
{
    struct slot_row slot = {
        .id = id, .kind = SLOT_PASSPHRASE, .blob_len = 8, .blob = "slotblob"};

    return slot;
}

/* Everything but the vault itself. */
static inline void
vault_place(void)
{
    assert_int_equal(scratch_open(NULL), 0);
    (void)snprintf(vault.home, sizeof(vault.home), "%s/home", scratch.path);
    assert_int_equal(mkdir(vault.home, 0700), 0);
    vault.ring = vault_keyring();
}

static inline int
vault_set_up(void **state)
{
    struct slot_row slot = vault_slot(1);

    (void)state;
    vault_place();
    check_ok(store_create(vault.home, vault.ring, &slot, 1, &vault.s));
    assert_non_null(vault.s);
    return 0;
}

static inline int
vault_tear_down(void **state)
{
    store_close(vault.s);
    vault.s = NULL;
    keyring_free(vault.ring);
    vault.ring = NULL;
    clock_fix_ms(-1);
    return scratch_close(state);
}

/* Closes it and opens it anew; the result is the unlock's. */
static inline enum ag_err
vault_try_reopen(struct store_found *found)
{
    struct store_found ignored;

    store_close(vault.s);
    vault.s = NULL;
    check_ok(store_open(vault.home, &vault.s));
    if (vault.s == NULL) {
        return AG_EINTERNAL;
    }
    return store_unlock(vault.s, vault.ring, found == NULL ? &ignored : found);
}

static inline void
vault_reopen(void)
{
    check_ok(vault_try_reopen(NULL));
}

static inline struct db_read *
vault_read(void)
{
    struct db_read *r = NULL;

    check_ok(store_read(vault.s, &r));
    return r;
}

/* The vault says of itself that all is well, also after a fresh start. */
static inline void
vault_check_sound(void)
{
    struct audit_report report;

    check_ok(audit_verify(vault.s, &report));
    assert_string_equal(report.text, "");
    assert_int_equal(report.fault, AUDIT_FAULT_NONE);
    check_ok(audit_verify_small(vault.s));
}

/* ---- steps ---- */

struct vault_put {
    const char *name;
    const char *value;
    enum version_state state;
    int64_t if_version;
    uint32_t retain_count;
    struct version_row version; /* what came of it */
};

static inline enum ag_err
vault_put_job(struct db_tx *tx, void *arg)
{
    struct vault_put *put = arg;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_new add = {.state = put->state,
                              .if_version = put->if_version,
                              .maker = MAKER_OPERATOR};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(put->name), &row);

    if (err == AG_ENOTFOUND) {
        (void)snprintf(row.name, sizeof(row.name), "%s", put->name);
        row.kind = SECRET_OPAQUE;
        row.min_grade = GRADE_ENV;
        row.retain_count = put->retain_count;
        err = secrets_add(tx, &row);
    }
    if (err == AG_OK) {
        err = secret_from(span_str(put->value), &value);
    }
    add.secret_id = row.id;
    add.value = value;
    if (err == AG_OK) {
        err = versions_add(tx, &add, &put->version);
    }
    return err != AG_OK ? err
                        : audit_note(tx, AUDIT_SECRET_PUT, 0, row.id,
                                     "{\"by\":\"test\"}");
}

/* Adds a version, making the secret if it is new; gives the secret's id. */
static inline int64_t
vault_put(const char *name, const char *value)
{
    struct vault_put put = {.name = name,
                            .value = value,
                            .state = VERSION_CURRENT,
                            .if_version = -1,
                            .retain_count = SECRET_RETAIN_DEFAULT_COUNT};

    check_ok(store_do(vault.s, vault_put_job, &put));
    return put.version.secret_id;
}

/* The value of a version is this text; NULL: there is none. */
static inline void
vault_check_value(const char *name, int64_t number, const char *want)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = secrets_find(r, span_str(name), &row);

    if (err == AG_OK) {
        err = versions_value(r, row.id, number, NULL, &value);
    }
    if (want == NULL || value == NULL) {
        assert_int_equal(err, want == NULL ? AG_ENOTFOUND : AG_OK);
        return;
    }
    check_span(secret_view(value), want);
}

/* One call as a job: `step` changes, the record follows. */
struct vault_step {
    enum ag_err (*step)(struct db_tx *tx, void *arg);
    void *arg;
};

static inline enum ag_err
vault_step_job(struct db_tx *tx, void *arg)
{
    const struct vault_step *step = arg;
    enum ag_err err = step->step(tx, step->arg);

    return err != AG_OK ? err
                        : audit_note(tx, AUDIT_BROKER_STARTED, 0, 0, NULL);
}

static inline enum ag_err
vault_do(enum ag_err (*step)(struct db_tx *tx, void *arg), void *arg)
{
    struct vault_step job = {.step = step, .arg = arg};

    return store_do(vault.s, vault_step_job, &job);
}

static inline enum ag_err
vault_add_task_step(struct db_tx *tx, void *arg)
{
    return tasks_add(tx, arg);
}

static inline int64_t
vault_add_task(const char *name)
{
    struct task_row task = {.deadline_ms = clock_wall_ms() + 3600000};

    (void)snprintf(task.name, sizeof(task.name), "%s", name);
    check_ok(vault_do(vault_add_task_step, &task));
    return task.id;
}

static inline enum ag_err
vault_add_token_step(struct db_tx *tx, void *arg)
{
    return tokens_add(tx, arg);
}

/* A token of a task below a parent (0: none), living an hour. */
static inline struct token_row
vault_token(int64_t task_id, int64_t parent_id)
{
    static unsigned serial;
    struct token_row token = {.task_id = task_id,
                              .parent_id = parent_id,
                              .expires_ms = clock_wall_ms() + 3600000,
                              .max_expires_ms = clock_wall_ms() + 7200000};

    serial++;
    memcpy(token.hash, &serial, sizeof(serial));
    (void)snprintf(token.accessor, sizeof(token.accessor), "aga_%u", serial);
    return token;
}

static inline int64_t
vault_add_token(int64_t task_id, int64_t parent_id)
{
    struct token_row token = vault_token(task_id, parent_id);

    check_ok(vault_do(vault_add_token_step, &token));
    return token.id;
}

#endif
