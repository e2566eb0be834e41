#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <endian.h>
#include <malloc.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/wipealloc.h"
#include "crypt/chain.h"
#include "crypt/keyring.h"
#include "store/audit_cursor.h"
#include "store/head.h"
#include "store/meta_row.h"
#include "store/migrate.h"
#include "store/store_db.h"
#include "store/store_impl.h"
#include "store/uses.h"
#include "store/writer.h"

struct db *
store_db(struct store *s)
{
    return s->db;
}

enum ag_err
store_exists(const char *home)
{
    return db_probe(home);
}

/* ---- hooks of the writer --------------------------------------------------- */

static void
put_head(struct store *s)
{
    const struct db_tx *tx = db_writer(s->db);
    const struct db_read *r = db_tx_read(db_writer(s->db));
    struct chain_head newest = {.seq = tx->end.seq, .wall_ms = tx->now_ms};

    memcpy(newest.chain, tx->end.chain, CHAIN_BYTES);
    s->head_late =
        head_put(s->head, db_keys(r), db_vault_id(r), &newest) != AG_OK;
}

static void
tell_gone(struct store *s, struct db_tx *tx)
{
    struct span rest = buf_view(&tx->gone);

    for (; s->gone != NULL && rest.len >= sizeof(uint64_t);
         rest = span_sub(rest, sizeof(uint64_t), rest.len)) {
        uint64_t id = 0;

        memcpy(&id, rest.ptr, sizeof(id));
        s->gone(s->gone_arg, (int64_t)le64toh(id));
    }
    buf_clear(&tx->gone);
}

static void
note_committed(struct store *s)
{
    struct db_tx *tx = db_writer(s->db);

    if (s->head != NULL) {
        put_head(s);
    }
    s->wal_late = s->wal_late || tx->wiped;
    tx->wiped = false;
    tell_gone(s, tx);
}

void
store_committed(void *arg)
{
    struct store *s = arg;

    (void)atomic_fetch_add(&s->epoch, 1);
    note_committed(s);
}

/* Folds what waits, in a transaction of its own. */
static enum ag_err
fold_uses(struct store *s)
{
    struct db_tx *tx = db_writer(s->db);
    struct uses_folded folded = {0};
    enum ag_err err = tx_begin(tx);

    if (err != AG_OK) {
        return err;
    }
    err = uses_fold(s->uses, tx, &folded);
    if (err == AG_OK) {
        err = tx_commit(tx);
    } else {
        tx_rollback(tx);
    }
    if (err != AG_OK) {
        return err;
    }
    note_committed(s); /* the epoch stays: a use changes no value */
    (void)atomic_fetch_add(&s->folds, 1);
    return uses_forget(s->uses);
}

enum ag_err
store_settle(struct store *s)
{
    enum ag_err err = AG_OK;

    if (s->uses != NULL && uses_waiting(s->uses)) {
        err = fold_uses(s);
    }
    s->wal_late = s->wal_late && !db_checkpoint(s->db);
    if (s->head != NULL && s->head_late) {
        put_head(s);
    }
    if (s->head != NULL) {
        enum ag_err synced = s->head_late ? AG_EIO : head_sync(s->head);

        err = err == AG_OK ? synced : err;
    }
    return err;
}

static bool
on_tick(void *arg)
{
    struct store *s = arg;

    /* What failed is tried again; a full journal refuses uses meanwhile. */
    return store_settle(s) != AG_OK || s->wal_late ||
           (s->uses != NULL && uses_waiting(s->uses));
}

/* A group's pages, its savepoints' and what is freed between them would stay
 * for good: malloc() by itself gives back only what lies at the heap's end. */
static void
on_quiet(void *arg)
{
    const struct store *s = arg;

    db_shed(s->db);
    wipe_shed();
    (void)malloc_trim(0);
}

/* ---- opening and closing ----------------------------------------------------- */

enum ag_err
store_start(const char *home, bool create, struct store **ret)
{
    AG_AUTO(store) struct store *s = calloc(1, sizeof(*s));
    struct writer_hooks hooks = {.arg = s,
                                 .committed = store_committed,
                                 .tick = on_tick,
                                 .quiet = on_quiet,
                                 .period_ms = USES_FOLD_MS};
    struct vault_row vault;
    enum ag_err err;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    AG_ASSERT(pthread_rwlock_init(&s->gate, NULL) == 0);
    err = db_open(home, create, &s->db);
    if (err == AG_OK && !create) {
        err = vault_row_peek(db_tx_read(db_writer(s->db)), &vault);
        if (err == AG_OK) {
            db_vault_id_set(s->db, vault.vault_id);
        }
    }
    if (err == AG_OK) {
        err = writer_start(db_writer(s->db), &hooks, &s->writer);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(s);
    return AG_OK;
}

enum ag_err
store_open(const char *home, struct store **ret)
{
    return store_start(home, false, ret);
}

void
store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    if (store_is_open(s)) {
        store_lock(s);
    }
    writer_stop(s->writer);
    head_close(s->head);
    uses_close(s->uses);
    db_close(s->db);
    (void)pthread_rwlock_destroy(&s->gate);
    free(s);
}

bool
store_is_open(const struct store *s)
{
    return atomic_load(&s->open);
}

void
store_vault_id(const struct store *s, uint8_t out[VAULT_ID_BYTES])
{
    memcpy(out, db_vault_id(db_tx_read(db_writer(s->db))), VAULT_ID_BYTES);
}

int
store_dir_fd(const struct store *s)
{
    return db_dir_fd(s->db);
}

/* ---- work -------------------------------------------------------------------- */

void
store_on_rebuild(struct store *s, void (*rebuild)(void *arg), void *arg)
{
    writer_on_rebuild(s->writer, rebuild, arg);
}

void
store_on_gone(struct store *s, store_gone_fn gone, void *arg)
{
    s->gone = gone;
    s->gone_arg = arg;
}

enum ag_err
store_submit(struct store *s, struct store_job *job)
{
    return writer_submit(s->writer, job);
}

/* A job whose thread waits for it. */
struct waiter {
    store_run_fn run;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
    struct store_job job;
};

static enum ag_err
run_waiter(struct db_tx *tx, void *arg)
{
    struct waiter *w = arg;

    return w->run(tx, w->arg);
}

static void
wake_waiter(void *arg, enum ag_err err)
{
    struct waiter *w = arg;

    (void)err; /* the job keeps it, and its sentence */
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->ready);
    (void)pthread_mutex_unlock(&w->lock);
}

enum ag_err
store_do(struct store *s, store_run_fn run, void *arg)
{
    struct waiter w = {.run = run,
                       .arg = arg,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .ready = PTHREAD_COND_INITIALIZER,
                       .job = {.run = run_waiter, .done = wake_waiter}};
    enum ag_err err;

    w.job.arg = &w;
    err = writer_submit(s->writer, &w.job);
    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) {
        (void)pthread_cond_wait(&w.ready, &w.lock);
    }
    (void)pthread_mutex_unlock(&w.lock);
    (void)pthread_cond_destroy(&w.ready);
    (void)pthread_mutex_destroy(&w.lock);
    return w.job.err == AG_OK ? AG_OK : err_why(w.job.err, "%s", w.job.why);
}

enum ag_err
store_read(struct store *s, struct db_read **ret)
{
    return db_read_open(s->db, false, ret);
}

enum ag_err
store_use(struct store *s, const struct use *use)
{
    bool first = false;
    enum ag_err err;

    (void)pthread_rwlock_rdlock(&s->gate);
    err = s->uses == NULL ? AG_ELOCKED : uses_append(s->uses, use, &first);
    (void)pthread_rwlock_unlock(&s->gate);
    if (err == AG_OK) {
        (void)atomic_fetch_add(&s->used, 1);
        if (first) {
            writer_wake(s->writer);
        }
    }
    return err;
}

enum ag_err
store_flush(struct store *s)
{
    enum ag_err err = AG_ELOCKED;

    writer_hold(s->writer);
    if (store_is_open(s)) {
        err = store_settle(s);
    }
    writer_release(s->writer);
    return err;
}

uint64_t
store_epoch(const struct store *s)
{
    return atomic_load(&s->epoch);
}

void
store_stats(struct store *s, struct store_stats *ret)
{
    writer_stats(s->writer, ret);
    ret->folds = atomic_load(&s->folds);
    ret->uses = atomic_load(&s->used);
}
