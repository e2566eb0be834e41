#include "store/db.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/paths.h"
#include "store/db_file.h"
#include "store/migrate.h"
#include "store/tx.h"

enum {
    DB_PATH_BYTES = PATH_BYTES + 16,
};

static const char DB_NAME[] = "vault.db";
static const char SQL_SNAPSHOT[] = "BEGIN";
static const char SQL_SNAPSHOT_END[] = "COMMIT";

struct db {
    char path[DB_PATH_BYTES];
    int dir_fd;
    int lock_fd;
    uint8_t vault_id[DB_VAULT_ID_BYTES];
    struct keys *keys;
    struct keyring *ring;
    struct db_tx tx;
    pthread_mutex_t lock; /* of the pool below */
    pthread_cond_t all_in;
    struct db_read *idle;
    size_t made_count;
    size_t out_count;
    bool paused;
};

/* Takes the lock, opens the writer's connection, makes sure it is that file. */
static enum ag_err
open_writer(struct db *db, const char *home, bool create)
{
    struct conn *c = &db->tx.self.conn;
    struct stat by_name;
    struct stat by_path;
    enum ag_err err = fs_lock(db->dir_fd, "vault.lock", &db->lock_fd);

    if (err == AG_EBUSY) {
        return err_why(AG_EBUSY, "another broker has this vault open");
    }
    if (err == AG_OK && create) {
        err = db_make_file(home, db->dir_fd);
    }
    if (err == AG_OK) {
        err = db_check_files(db->dir_fd, &by_name);
    }
    if (err == AG_OK) {
        err = db_check_header(db->dir_fd);
    }
    if (err == AG_OK) {
        err = conn_open(db->path, CONN_WRITE, c);
    }
    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_ENOVAULT : err;
    }
    if (stat(db->path, &by_path) != 0 || by_path.st_ino != by_name.st_ino ||
        by_path.st_dev != by_name.st_dev) {
        return err_why(AG_EMODE, "vault.db was exchanged while it was opened");
    }
    return AG_OK;
}

static enum ag_err
set_schema(struct db *db, bool create)
{
    struct conn *c = &db->tx.self.conn;
    int version = 0;
    enum ag_err err = migrate_check(c->handle, &version);

    if (create && err == AG_OK) {
        return AG_EEXISTS;
    }
    if (create && err == AG_ENOVAULT) {
        err = AG_OK;
    }
    if (err == AG_OK) {
        err = conn_set_wal(c);
    }
    if (err == AG_OK && (size_t)version < MIGRATION_COUNT && !create) {
        err = tx_begin(&db->tx);
        if (err == AG_OK) {
            err = migrate_run(c->handle, version);
            if (err == AG_OK) {
                return tx_commit(&db->tx);
            }
            tx_rollback(&db->tx);
        }
    }
    return err; /* a new vault's schema comes with its first rows */
}

enum ag_err
db_open(const char *home, bool create, struct db **ret)
{
    AG_AUTO(db) struct db *db = NULL;
    enum ag_err err;

    if (!create) {
        err = db_probe(home);
        if (err != AG_OK) {
            return err;
        }
    }
    db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return AG_ENOMEM;
    }
    db->dir_fd = -1;
    db->lock_fd = -1;
    db->tx.self.db = db;
    buf_init(&db->tx.gone, TX_GONE_MAX_BYTES, BUF_PLAIN);
    buf_init(&db->tx.marks, (size_t)TX_MARK_BYTES * TX_MARKS_MAX_COUNT,
             BUF_PLAIN);
    AG_ASSERT(pthread_mutex_init(&db->lock, NULL) == 0);
    AG_ASSERT(pthread_cond_init(&db->all_in, NULL) == 0);
    if (snprintf(db->path, sizeof(db->path), "%s/%s", home, DB_NAME) >=
        (int)sizeof(db->path)) {
        return err_why(AG_EINVAL, "the vault's path is too long");
    }
    err = fs_private_dir(home, &db->dir_fd);
    if (err == AG_OK) {
        err = open_writer(db, home, create);
    }
    if (err == AG_OK) {
        err = tx_prime(&db->tx);
    }
    if (err == AG_OK) {
        err = set_schema(db, create);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(db);
    return AG_OK;
}

void
db_close(struct db *db)
{
    if (db == NULL) {
        return;
    }
    AG_ASSERT(db->out_count == 0);
    while (db->idle != NULL) {
        struct db_read *r = db->idle;

        db->idle = r->next;
        conn_close(&r->conn);
        free(r);
    }
    if (db->tx.self.conn.handle != NULL) {
        tx_rollback(&db->tx);
        conn_close(&db->tx.self.conn);
    }
    keys_free(db->keys);
    buf_done(&db->tx.marks);
    buf_done(&db->tx.gone);
    fd_close(db->lock_fd);
    fd_close(db->dir_fd);
    (void)pthread_cond_destroy(&db->all_in);
    (void)pthread_mutex_destroy(&db->lock);
    free(db);
}

/* An idle connection, or leave to make one (*ret NULL). Counted as out. */
static enum ag_err
take_reader(struct db *db, bool locked_too, struct db_read **ret)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&db->lock);
    if (db->keys == NULL && !locked_too) {
        err = AG_ELOCKED;
    } else if (db->paused) {
        /* Waiting could never end for a thread that has a reader already. */
        err = err_why(AG_EBUSY, "the vault's keys are being changed");
    } else if (db->idle != NULL) {
        *ret = db->idle;
        db->idle = (*ret)->next;
        db->out_count++;
    } else if (db->made_count < DB_READERS_MAX_COUNT) {
        *ret = NULL;
        db->made_count++;
        db->out_count++;
    } else {
        err = err_why(AG_EBUSY, "all read connections are in use");
    }
    (void)pthread_mutex_unlock(&db->lock);
    return err;
}

/* Back to the pool, or forgotten when it is NULL. */
static void
give_reader(struct db *db, struct db_read *r)
{
    (void)pthread_mutex_lock(&db->lock);
    if (r != NULL) {
        r->next = db->idle;
        db->idle = r;
    } else {
        db->made_count--;
    }
    db->out_count--;
    if (db->out_count == 0) {
        (void)pthread_cond_broadcast(&db->all_in);
    }
    (void)pthread_mutex_unlock(&db->lock);
}

static enum ag_err
make_reader(struct db *db, struct db_read **ret)
{
    struct db_read *r = calloc(1, sizeof(*r));
    enum ag_err err;

    if (r == NULL) {
        return AG_ENOMEM;
    }
    r->db = db;
    err = conn_open(db->path, CONN_READ, &r->conn);
    if (err != AG_OK) {
        free(r);
        return err;
    }
    *ret = r;
    return AG_OK;
}

enum ag_err
db_read_open(struct db *db, bool locked_too, struct db_read **ret)
{
    struct db_read *r = NULL;
    enum ag_err err = take_reader(db, locked_too, &r);

    if (err != AG_OK) {
        return err;
    }
    if (r == NULL) {
        err = make_reader(db, &r);
    }
    if (err == AG_OK) {
        err = conn_exec(&r->conn, SQL_SNAPSHOT);
    }
    if (err != AG_OK) {
        give_reader(db, r); /* NULL when none could be made */
        return err;
    }
    *ret = r;
    return AG_OK;
}

void
db_read_close(struct db_read *r)
{
    if (r == NULL) {
        return;
    }
    if (conn_exec(&r->conn, SQL_SNAPSHOT_END) != AG_OK) {
        /* It can't be used again: still in a transaction. */
        conn_close(&r->conn);
        give_reader(r->db, NULL);
        free(r);
        return;
    }
    give_reader(r->db, r);
}

void
db_readers_pause(struct db *db)
{
    (void)pthread_mutex_lock(&db->lock);
    db->paused = true;
    while (db->out_count > 0) {
        (void)pthread_cond_wait(&db->all_in, &db->lock);
    }
    (void)pthread_mutex_unlock(&db->lock);
}

void
db_readers_resume(struct db *db)
{
    (void)pthread_mutex_lock(&db->lock);
    db->paused = false;
    (void)pthread_mutex_unlock(&db->lock);
}

struct keys *
db_keys_swap(struct db *db, struct keys *keys, struct keyring *ring)
{
    struct keys *former;

    (void)pthread_mutex_lock(&db->lock);
    AG_ASSERT(db->out_count == 0);
    former = db->keys;
    db->keys = keys;
    db->ring = ring;
    (void)pthread_mutex_unlock(&db->lock);
    return former;
}

bool
db_checkpoint(struct db *db)
{
    sqlite3 *handle = db->tx.self.conn.handle;
    int rc;

    (void)sqlite3_busy_timeout(handle, 0);
    rc = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                   NULL, NULL);
    (void)sqlite3_busy_timeout(handle, DB_BUSY_MS);
    return rc == SQLITE_OK;
}

void
db_shed(struct db *db)
{
    (void)sqlite3_db_release_memory(db->tx.self.conn.handle);
    (void)pthread_mutex_lock(&db->lock);
    for (struct db_read *r = db->idle; r != NULL; r = r->next) {
        (void)sqlite3_db_release_memory(r->conn.handle);
    }
    (void)pthread_mutex_unlock(&db->lock);
}

int
db_dir_fd(const struct db *db)
{
    return db->dir_fd;
}

struct db_tx *
db_writer(struct db *db)
{
    return &db->tx;
}

struct db_read *
db_tx_read(struct db_tx *tx)
{
    return &tx->self;
}

int64_t
db_tx_now_ms(const struct db_tx *tx)
{
    return tx->now_ms;
}

const struct keys *
db_keys(const struct db_read *r)
{
    return r->db->keys;
}

struct keyring *
db_ring(const struct db_read *r)
{
    return r->db->ring;
}

const uint8_t *
db_vault_id(const struct db_read *r)
{
    return r->db->vault_id;
}

void
db_vault_id_set(struct db *db, const uint8_t id[DB_VAULT_ID_BYTES])
{
    memcpy(db->vault_id, id, DB_VAULT_ID_BYTES);
}

struct conn *
db_conn(struct db_read *r)
{
    return &r->conn;
}
