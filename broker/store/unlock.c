#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypt/chain.h"
#include "crypt/keyring.h"
#include "store/audit_check.h"
#include "store/audit_cursor.h"
#include "store/head.h"
#include "store/keys.h"
#include "store/meta_row.h"
#include "store/migrate.h"
#include "store/row.h"
#include "store/store_impl.h"
#include "store/uses.h"
#include "store/writer.h"

/* ---- keys in and out ---------------------------------------------------------- */

/* The new keys in use; the former ones are wiped. Readers are out meanwhile. */
static void
use_keys(struct store *s, struct keys *keys, struct keyring *ring)
{
    db_readers_pause(s->db);
    keys_free(db_keys_swap(s->db, keys, ring));
    db_readers_resume(s->db);
}

static enum ag_err
load_keys(struct store *s, struct keyring *ring)
{
    AG_AUTO(keys) struct keys *keys = NULL;
    struct db_read *r = db_tx_read(db_writer(s->db));
    enum ag_err err;

    if (!span_equal(span_of(db_vault_id(r), DB_VAULT_ID_BYTES),
                    span_of(keyring_vault_id(ring), DB_VAULT_ID_BYTES))) {
        return err_why(AG_ECORRUPT, "the keyring is for another vault");
    }
    err = key_rows_load(r, ring, &keys);
    if (err == AG_OK) {
        use_keys(s, AG_TAKE(keys), ring);
    }
    return err;
}

/* Back to locked. By whom has the writer, jobs not accepted. */
static void
close_parts(struct store *s)
{
    atomic_store(&s->open, false);
    (void)pthread_rwlock_wrlock(&s->gate);
    uses_close(AG_TAKE(s->uses));
    (void)pthread_rwlock_unlock(&s->gate);
    head_close(AG_TAKE(s->head));
    use_keys(s, NULL, NULL);
}

static enum ag_err
open_uses(struct store *s, uint64_t last_number)
{
    struct db_read *r = db_tx_read(db_writer(s->db));
    struct uses *uses = NULL;
    uint32_t id = 0;
    enum ag_err err =
        uses_open(db_dir_fd(s->db), keys_current(db_keys(r), KEY_USES, &id),
                  db_vault_id(r), last_number, &uses);

    if (err == AG_OK) {
        (void)pthread_rwlock_wrlock(&s->gate);
        s->uses = uses;
        (void)pthread_rwlock_unlock(&s->gate);
    }
    return err;
}

/* ---- making a vault ------------------------------------------------------------ */

struct creation {
    struct store *s;
    struct keyring *ring;
    struct slot_row *slots;
    size_t slot_count;
};

static enum ag_err
first_rows(struct db_tx *tx, void *arg)
{
    const struct creation *job = arg;
    struct db_read *r = db_tx_read(tx);
    struct vault_row vault = {.created_ms = db_tx_now_ms(tx)};
    struct chain_head first = {.wall_ms = db_tx_now_ms(tx)};
    size_t i;
    enum ag_err err = migrate_run(db_conn(r)->handle, 0);

    memcpy(vault.vault_id, db_vault_id(r), DB_VAULT_ID_BYTES);
    if (err == AG_OK) {
        err = audit_genesis(r, tx->end.chain);
    }
    if (err == AG_OK) {
        err = vault_row_put(tx, &vault);
    }
    if (err == AG_OK) {
        err = key_rows_put(tx, job->ring, db_keys(r));
    }
    for (i = 0; i < job->slot_count && err == AG_OK; i++) {
        err = slots_add(tx, &job->slots[i]);
    }
    if (err == AG_OK) {
        memcpy(first.chain, tx->end.chain, CHAIN_BYTES);
        err = audit_note(tx, AUDIT_VAULT_CREATED, 0, 0, NULL);
    }
    /* Into the file at once, so that a lost WAL can't pass for no vault. */
    tx->wiped = true;
    /* The head is there before the commit: a vault without one was cut. */
    return err != AG_OK ? err
                        : head_create(db_dir_fd(job->s->db), db_keys(r),
                                      db_vault_id(r), &first);
}

static enum ag_err
fill(struct store *s, struct creation *job)
{
    AG_AUTO(keys) struct keys *keys = NULL;
    struct chain_head newest;
    enum ag_err err = key_rows_make(job->ring, &keys);

    if (err != AG_OK) {
        return err;
    }
    db_vault_id_set(s->db, keyring_vault_id(job->ring));
    use_keys(s, AG_TAKE(keys), job->ring);
    err = writer_run_held(s->writer, first_rows, job);
    if (err == AG_OK) {
        struct db_read *r = db_tx_read(db_writer(s->db));

        err = head_open(db_dir_fd(s->db), db_keys(r), db_vault_id(r), &newest,
                        &s->head);
    }
    if (err == AG_OK) {
        store_committed(s);
        err = open_uses(s, 0);
    }
    if (err == AG_OK) {
        err = uses_forget(s->uses);
    }
    return err != AG_OK ? err : store_settle(s);
}

enum ag_err
store_create(const char *home, struct keyring *keyring, struct slot_row *slots,
             size_t slot_count, struct store **ret)
{
    AG_AUTO(store) struct store *s = NULL;
    struct creation job = {
        .ring = keyring, .slots = slots, .slot_count = slot_count};
    enum ag_err err = store_start(home, true, &s);

    if (err != AG_OK) {
        return err;
    }
    job.s = s;
    writer_hold(s->writer);
    err = fill(s, &job);
    if (err == AG_OK) {
        atomic_store(&s->open, true);
        writer_accept(s->writer, true);
    } else {
        close_parts(s);
    }
    writer_release(s->writer);
    if (err == AG_OK) {
        *ret = AG_TAKE(s);
    }
    return err;
}

/* ---- unlocking ------------------------------------------------------------------ */

/* The record must reach the head, and be the same there. */
static enum ag_err
compare_head(struct store *s, const struct chain_head *head,
             struct store_found *found)
{
    struct db_tx *tx = db_writer(s->db);
    struct db_read *r = db_tx_read(tx);
    uint8_t chain[CHAIN_BYTES];
    enum ag_err err = audit_newest(r, &found->audit_seq, chain);

    if (err != AG_OK) {
        return err;
    }
    if (found->audit_seq < head->seq) {
        return err_why(AG_EROLLBACK,
                       "the record ends at row %llu, vault.head knows %llu",
                       (unsigned long long)found->audit_seq,
                       (unsigned long long)head->seq);
    }
    err = audit_chain_at(r, head->seq, chain);
    if (err == AG_ENOTFOUND ||
        (err == AG_OK && !chain_equal(chain, head->chain))) {
        return err_why(AG_EROLLBACK,
                       "the record differs from vault.head at row %llu",
                       (unsigned long long)head->seq);
    }
    return err != AG_OK ? err : audit_find_end(r, head->seq, &tx->end);
}

struct recovery {
    struct uses *uses;
    struct uses_folded folded;
};

static enum ag_err
recover_uses(struct db_tx *tx, void *arg)
{
    struct recovery *job = arg;

    return uses_recover(job->uses, tx, &job->folded);
}

static enum ag_err
take_journal(struct store *s, struct store_found *found)
{
    struct recovery job = {0};
    struct vault_row vault;
    enum ag_err err = vault_row_get(db_tx_read(db_writer(s->db)), &vault);

    if (err == AG_OK) {
        err = open_uses(s, vault.uses_folded);
    }
    job.uses = s->uses;
    if (err == AG_OK && !uses_empty(job.uses)) {
        err = writer_run_held(s->writer, recover_uses, &job);
    }
    if (err == AG_OK) {
        err = uses_forget(s->uses);
    }
    found->uses_folded = job.folded.uses;
    found->uses_torn_count = job.folded.torn;
    found->uses_lost_count = job.folded.lost;
    return err;
}

static enum ag_err
open_parts(struct store *s, struct keyring *ring, struct store_found *found)
{
    struct db_read *r = db_tx_read(db_writer(s->db));
    struct chain_head head;
    enum ag_err err = load_keys(s, ring);

    if (err == AG_OK) {
        err = head_open(db_dir_fd(s->db), db_keys(r), db_vault_id(r), &head,
                        &s->head);
    }
    if (err == AG_OK) {
        err = compare_head(s, &head, found);
    }
    if (err == AG_OK) {
        err = digest_check(r, 1, db_writer(s->db)->end.digests[0]);
    }
    if (err == AG_OK) {
        err = take_journal(s, found);
    }
    return err != AG_OK ? err : store_settle(s);
}

enum ag_err
store_unlock(struct store *s, struct keyring *keyring, struct store_found *ret)
{
    struct store_found found = {0};
    enum ag_err err;

    writer_hold(s->writer);
    if (store_is_open(s)) {
        err = err_why(AG_EINVAL, "the vault is open already");
    } else {
        err = open_parts(s, keyring, &found);
        if (err == AG_OK) {
            atomic_store(&s->open, true);
            writer_accept(s->writer, true);
            *ret = found;
        } else {
            close_parts(s);
        }
    }
    writer_release(s->writer);
    return err;
}

void
store_lock(struct store *s)
{
    writer_accept(s->writer, false);
    writer_drain(s->writer);
    writer_hold(s->writer);
    if (store_is_open(s)) {
        enum ag_err err = store_settle(s);

        (void)err; /* what can't be folded now the next unlock folds */
        close_parts(s);
    }
    writer_release(s->writer);
}

/* ---- after a deliberate restore --------------------------------------------------- */

static enum ag_err
note_restore(struct db_tx *tx, void *arg)
{
    (void)arg;
    return audit_note(tx, AUDIT_VAULT_RESTORED, 0, 0, NULL);
}

static enum ag_err
accept(struct store *s, struct keyring *ring)
{
    struct db_tx *tx = db_writer(s->db);
    struct db_read *r = db_tx_read(tx);
    struct chain_head newest = {.wall_ms = clock_wall_ms()};
    enum ag_err err = load_keys(s, ring);

    if (err == AG_OK) {
        err = audit_find_end(r, UINT64_MAX, &tx->end);
    }
    if (err == AG_OK) {
        err = writer_run_held(s->writer, note_restore, NULL);
    }
    if (err != AG_OK) {
        return err;
    }
    newest.seq = tx->end.seq;
    memcpy(newest.chain, tx->end.chain, CHAIN_BYTES);
    return head_create(db_dir_fd(s->db), db_keys(r), db_vault_id(r), &newest);
}

enum ag_err
store_accept_rollback(struct store *s, struct keyring *keyring)
{
    enum ag_err err;

    writer_hold(s->writer);
    if (store_is_open(s)) {
        err = err_why(AG_EINVAL, "the vault is open");
    } else {
        err = accept(s, keyring);
        close_parts(s);
    }
    writer_release(s->writer);
    return err;
}
