#include "caller/ticket.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"

enum {
    RANDOM_BYTES = 32,
    DIGITS = 43, /* base62 of 256 bits */
    PREFIX_BYTES = 4,
    HASH_BYTES = crypto_generichash_BYTES,
    ROWS_FIRST_COUNT = 64, /* doubled as they fill, to TICKET_MAX_COUNT */
};

static const char PREFIX[] = "agx_";

_Static_assert(TICKET_TEXT_BYTES == PREFIX_BYTES + DIGITS + 1, "form differs");

struct row {
    uint8_t hash[HASH_BYTES];
    struct ticket what;
    int64_t until_ms;       /* of the first use */
    uint64_t connection_id; /* that used it first; 0: not used yet */
    bool taken;             /* the row holds a ticket */
};

struct tickets {
    pthread_mutex_t lock;
    uint8_t key[crypto_generichash_KEYBYTES];
    size_t count; /* rows taken */
    size_t used;  /* rows looked at: all beyond are free */
    size_t room;  /* rows there is memory for */
    struct row *rows;
};

enum ag_err
tickets_new(struct tickets **ret)
{
    struct tickets *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return AG_ENOMEM;
    }
    randombytes_buf(t->key, sizeof(t->key));
    (void)pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return AG_OK;
}

void
tickets_free(struct tickets *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&t->lock);
    wipe(t->key, sizeof(t->key));
    free(t->rows);
    free(t);
}

static void
hash_text(const struct tickets *t, struct span text, uint8_t out[HASH_BYTES])
{
    (void)crypto_generichash(out, HASH_BYTES, text.ptr, text.len, t->key,
                             sizeof(t->key));
}

/* Under the lock. */
static void
drop_row(struct tickets *t, struct row *row)
{
    memset(row, 0, sizeof(*row));
    t->count--;
    while (t->used > 0 && !t->rows[t->used - 1].taken) {
        t->used--;
    }
}

static bool
is_stale(const struct row *row, int64_t now_ms)
{
    return row->taken && row->connection_id == 0 && row->until_ms <= now_ms;
}

/* One row more than are in use. Under the lock. */
static enum ag_err
next_row(struct tickets *t, struct row **ret)
{
    size_t room = t->room == 0 ? ROWS_FIRST_COUNT : t->room * 2;

    if (t->used == t->room) {
        struct row *rows = calloc(room, sizeof(*rows));

        if (rows == NULL) {
            return AG_ENOMEM;
        }
        if (t->used > 0) {
            memcpy(rows, t->rows, t->used * sizeof(*rows));
        }
        free(t->rows);
        t->rows = rows;
        t->room = room;
    }
    *ret = &t->rows[t->used++];
    return AG_OK;
}

/* A free row, after the stale ones are dropped if need be. Under the lock. */
static enum ag_err
free_row(struct tickets *t, int64_t now_ms, struct row **ret)
{
    for (size_t i = 0; i < t->used; i++) {
        if (is_stale(&t->rows[i], now_ms)) {
            drop_row(t, &t->rows[i]);
        }
    }
    if (t->count == TICKET_MAX_COUNT) {
        return err_why(AG_ELIMIT, "too many tickets are waiting");
    }
    for (size_t i = 0; i < t->used; i++) {
        if (!t->rows[i].taken) {
            *ret = &t->rows[i];
            return AG_OK;
        }
    }
    return next_row(t, ret);
}

enum ag_err
tickets_issue(struct tickets *t, const struct ticket *what, int64_t now_ms,
              char out[TICKET_TEXT_BYTES])
{
    uint8_t bits[RANDOM_BYTES];
    char text[TICKET_TEXT_BYTES] = {0};
    struct row *row = NULL;
    enum ag_err err;

    randombytes_buf(bits, sizeof(bits));
    memcpy(text, PREFIX, PREFIX_BYTES);
    err =
        encode_base62(span_of(bits, sizeof(bits)), DIGITS, text + PREFIX_BYTES);
    wipe(bits, sizeof(bits));
    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&t->lock);
    err = free_row(t, now_ms, &row);
    if (err == AG_OK) {
        *row = (struct row){.what = *what,
                            .until_ms = now_ms + TICKET_FIRST_USE_MS,
                            .taken = true};
        hash_text(t, span_of(text, TICKET_TEXT_BYTES - 1), row->hash);
        t->count++;
        memcpy(out, text, sizeof(text));
    }
    (void)pthread_mutex_unlock(&t->lock);
    wipe(text, sizeof(text));
    return err;
}

/* Under the lock. Every row is compared, each in constant time. */
static struct row *
find_row(struct tickets *t, const uint8_t hash[HASH_BYTES])
{
    struct row *found = NULL;

    for (size_t i = 0; i < t->used; i++) {
        if (t->rows[i].taken &&
            sodium_memcmp(t->rows[i].hash, hash, HASH_BYTES) == 0) {
            found = &t->rows[i];
        }
    }
    return found;
}

/* May this ticket be used, here and now? */
static bool
is_good(const struct row *row, const struct ticket_shown *shown)
{
    if (row == NULL || row->what.kind != shown->kind ||
        !proc_ref_equal(row->what.process, shown->by)) {
        return false;
    }
    return row->connection_id == 0 ? row->until_ms > shown->now_ms
                                   : row->connection_id == shown->connection_id;
}

enum ag_err
tickets_redeem(struct tickets *t, const struct ticket_shown *shown,
               struct ticket *ret)
{
    uint8_t hash[HASH_BYTES];
    enum ag_err err = AG_ETICKET;
    struct row *row;

    AG_ASSERT(shown->connection_id != 0);
    if (shown->text.len != TICKET_TEXT_BYTES - 1) {
        return AG_ETICKET;
    }
    hash_text(t, shown->text, hash);
    (void)pthread_mutex_lock(&t->lock);
    row = find_row(t, hash);
    if (is_good(row, shown)) {
        *ret = row->what;
        row->connection_id = shown->connection_id;
        if (!row->what.reusable) {
            drop_row(t, row);
        }
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return err;
}

void
tickets_drop_task(struct tickets *t, int64_t task_id)
{
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = t->used; i > 0; i--) {
        struct row *row = &t->rows[i - 1];

        if (row->taken && row->what.task_id == task_id) {
            drop_row(t, row);
        }
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void
tickets_drop_all(struct tickets *t)
{
    (void)pthread_mutex_lock(&t->lock);
    if (t->used > 0) {
        memset(t->rows, 0, t->used * sizeof(*t->rows));
    }
    t->count = 0;
    t->used = 0;
    (void)pthread_mutex_unlock(&t->lock);
}

size_t
tickets_count(struct tickets *t)
{
    size_t count;

    (void)pthread_mutex_lock(&t->lock);
    count = t->count;
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}
