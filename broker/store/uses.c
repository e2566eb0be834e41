#include "store/uses.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/secret.h"
#include "crypt/chain.h"
#include "store/uses_sum.h"

enum {
    FILES = 2,
    FIELDS_BYTES = USE_RECORD_BYTES - CHAIN_BYTES,
    READ_RECORDS = 46, /* some 4 KiB a read */
};

_Static_assert(FIELDS_BYTES == 56, "layout differs");

struct journal {
    int fd;
    off_t len; /* bytes that verify */
    uint8_t chain[CHAIN_BYTES];
};

struct uses {
    pthread_mutex_t lock;
    struct journal files[FILES];
    unsigned active; /* appended to */
    bool folding;    /* the other holds what a fold has not finished */
    bool recovered;  /* uses_recover() ran: both files are understood */
    uint64_t last_number;
    uint64_t folded_number; /* of the fold under way */
    struct secret *key;
    uint8_t vault_id[16];
};

static const char *const NAMES[FILES] = {"uses.journal", "uses.journal2"};

static void
put_le(uint8_t *out, uint64_t value)
{
    size_t i;

    for (i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t
get_le(const uint8_t *in)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < 8; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

static void
start_chain(const struct uses *u, uint8_t out[CHAIN_BYTES])
{
    chain_start(u->key, "uses", u->vault_id, out);
}

enum ag_err
uses_open(int dir_fd, const struct secret *key, const uint8_t *vault_id,
          uint64_t last_number, struct uses **ret)
{
    AG_AUTO(uses) struct uses *u = calloc(1, sizeof(*u));
    enum ag_err err;
    size_t i;

    if (u == NULL) {
        return AG_ENOMEM;
    }
    AG_ASSERT(pthread_mutex_init(&u->lock, NULL) == 0);
    u->files[0].fd = -1;
    u->files[1].fd = -1;
    u->last_number = last_number;
    memcpy(u->vault_id, vault_id, sizeof(u->vault_id));
    err = secret_from(secret_view(key), &u->key);
    if (err != AG_OK) {
        return err;
    }
    for (i = 0; i < FILES; i++) {
        u->files[i].fd =
            openat(dir_fd, NAMES[i],
                   O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (u->files[i].fd < 0) {
            return err_from_errno(errno);
        }
        start_chain(u, u->files[i].chain);
    }
    *ret = AG_TAKE(u);
    return AG_OK;
}

void
uses_close(struct uses *u)
{
    if (u != NULL) {
        fd_close(u->files[0].fd);
        fd_close(u->files[1].fd);
        secret_free(u->key);
        (void)pthread_mutex_destroy(&u->lock);
        free(u);
    }
}

static void
encode(const struct use *use, uint64_t number, uint8_t out[FIELDS_BYTES])
{
    put_le(out, number);
    put_le(out + 8, (uint64_t)clock_wall_ms());
    put_le(out + 16, (uint64_t)use->token_id);
    put_le(out + 24, (uint64_t)use->task_id);
    put_le(out + 32, (uint64_t)use->secret_id);
    put_le(out + 40, (uint64_t)use->version);
    put_le(out + 48, (uint64_t)use->verb);
}

static enum ag_err
append_locked(struct uses *u, const struct use *use)
{
    struct journal *file = &u->files[u->active];
    uint8_t record[USE_RECORD_BYTES] = {0};
    struct span part = span_of(record, FIELDS_BYTES);
    ssize_t put;

    if (file->len + USE_RECORD_BYTES > USES_FILE_MAX_BYTES) {
        return err_why(AG_EBUSY, "the use journal is full");
    }
    encode(use, u->last_number + 1, record);
    chain_step(u->key, file->chain, &part, 1, record + FIELDS_BYTES);
    do {
        put = write(file->fd, record, sizeof(record));
    } while (put < 0 && errno == EINTR);
    if (put != (ssize_t)sizeof(record)) {
        enum ag_err err = put < 0 ? err_from_errno(errno) : AG_ENOSPACE;

        /* A torn record would hide those after it. */
        if (put > 0 && ftruncate(file->fd, file->len) != 0) {
            file->len = USES_FILE_MAX_BYTES; /* nothing more goes in */
        }
        return err;
    }
    file->len += USE_RECORD_BYTES;
    memcpy(file->chain, record + FIELDS_BYTES, CHAIN_BYTES);
    u->last_number++;
    return AG_OK;
}

enum ag_err
uses_append(struct uses *u, const struct use *use, bool *ret_first)
{
    enum ag_err err;

    (void)pthread_mutex_lock(&u->lock);
    AG_ASSERT(u->recovered);
    *ret_first = u->files[u->active].len == 0;
    err = append_locked(u, use);
    (void)pthread_mutex_unlock(&u->lock);
    return err;
}

bool
uses_waiting(struct uses *u)
{
    bool waiting;

    (void)pthread_mutex_lock(&u->lock);
    waiting = u->folding || u->files[u->active].len > 0;
    (void)pthread_mutex_unlock(&u->lock);
    return waiting;
}

/* One verified record into the sum; those on the record already are left out. */
static enum ag_err
take_record(struct uses *u, const uint8_t *record, struct uses_sum *sum,
            struct uses_folded *ret)
{
    struct use_seen seen = {
        .use = {.token_id = (int64_t)get_le(record + 16),
                .task_id = (int64_t)get_le(record + 24),
                .secret_id = (int64_t)get_le(record + 32),
                .version = (int64_t)get_le(record + 40),
                .verb = (enum verb)record[48]},
        .wall_ms = (int64_t)get_le(record + 8),
    };
    uint64_t number = get_le(record);

    if (number <= u->folded_number) {
        return AG_OK;
    }
    u->folded_number = number;
    ret->uses++;
    return uses_sum_add(sum, &seen);
}

/* All records of a file up to the first that does not verify. */
static enum ag_err
sum_file(struct uses *u, struct journal *file, struct uses_sum *sum,
         struct uses_folded *ret)
{
    uint8_t block[READ_RECORDS * USE_RECORD_BYTES];
    uint8_t chain[CHAIN_BYTES];
    off_t at = 0;
    ssize_t got;
    size_t i;

    start_chain(u, chain);
    while ((got = pread(file->fd, block, sizeof(block), at)) > 0) {
        for (i = 0; i + USE_RECORD_BYTES <= (size_t)got;
             i += USE_RECORD_BYTES) {
            struct span part = span_of(block + i, FIELDS_BYTES);
            enum ag_err err;

            chain_step(u->key, chain, &part, 1, chain);
            if (!chain_equal(chain, block + i + FIELDS_BYTES)) {
                ret->torn++;
                return AG_OK;
            }
            err = take_record(u, block + i, sum, ret);
            if (err != AG_OK) {
                return err;
            }
        }
        at += (off_t)i;
        if (i != (size_t)got && (size_t)got < sizeof(block)) {
            ret->torn++;
            return AG_OK;
        }
    }
    return got < 0 ? err_from_errno(errno) : AG_OK;
}

/* Number of a file's first record; 0 when it has none that could be whole. */
static uint64_t
first_number(const struct journal *file)
{
    uint8_t record[USE_RECORD_BYTES];

    return pread(file->fd, record, sizeof(record), 0) == (ssize_t)sizeof(record)
               ? get_le(record)
               : 0;
}

enum ag_err
uses_recover(struct uses *u, struct db_tx *tx, struct uses_folded *ret)
{
    AG_AUTO(uses_sum) struct uses_sum *sum = NULL;
    struct uses_folded found = {0};
    unsigned older = first_number(&u->files[1]) < first_number(&u->files[0]);
    enum ag_err err = uses_sum_new(tx, &sum);
    size_t i;

    u->folded_number = u->last_number;
    for (i = 0; err == AG_OK && i < FILES; i++) {
        err = sum_file(u, &u->files[(older + i) % FILES], sum, &found);
    }
    if (err == AG_OK) {
        err = uses_sum_end(sum, u->folded_number);
    }
    if (err == AG_OK) {
        *ret = found;
    }
    return err;
}

enum ag_err
uses_fold(struct uses *u, struct db_tx *tx, struct uses_folded *ret)
{
    AG_AUTO(uses_sum) struct uses_sum *sum = NULL;
    struct uses_folded found = {0};
    struct journal *file;
    enum ag_err err = uses_sum_new(tx, &sum);

    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&u->lock);
    if (!u->folding) {
        u->active = (u->active + 1) % FILES;
        u->folding = true;
    }
    file = &u->files[(u->active + 1) % FILES];
    (void)pthread_mutex_unlock(&u->lock);
    err = uses_sum_start(sum, &u->folded_number);
    if (err == AG_OK) {
        err = sum_file(u, file, sum, &found);
    }
    if (err == AG_OK) {
        err = uses_sum_end(sum, u->folded_number);
    }
    if (err == AG_OK) {
        *ret = found;
    }
    return err;
}

static enum ag_err
empty(struct uses *u, struct journal *file)
{
    if (ftruncate(file->fd, 0) != 0) {
        return err_from_errno(errno);
    }
    file->len = 0;
    start_chain(u, file->chain);
    return AG_OK;
}

enum ag_err
uses_forget(struct uses *u)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&u->lock);
    if (!u->recovered) {
        err = empty(u, &u->files[0]);
        if (err == AG_OK) {
            err = empty(u, &u->files[1]);
        }
        u->recovered = err == AG_OK;
        u->last_number = u->folded_number;
    } else if (u->folding) {
        err = empty(u, &u->files[(u->active + 1) % FILES]);
        u->folding = err != AG_OK;
    }
    (void)pthread_mutex_unlock(&u->lock);
    return err;
}
