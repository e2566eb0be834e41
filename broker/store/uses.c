#include "store/uses.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
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
    NUMBER_BYTES = 8,
    READ_RECORDS = 46,            /* some 4 KiB a read */
    ROOM_STEP_BYTES = 128 * 1024, /* a file's room grows by it */
    ROOM_KEEP_BYTES = 256 * 1024, /* and is kept below it: resident memory */
};

_Static_assert(FIELDS_BYTES == 56, "layout differs");

struct journal {
    int fd;
    uint8_t *map; /* USES_FILE_MAX_BYTES of the file, shared */
    size_t room;  /* bytes the file has on disk: no more may be touched */
    size_t len;   /* bytes of records that verify */
    uint8_t chain[CHAIN_BYTES];
};

struct uses {
    pthread_mutex_t lock;
    struct journal files[FILES];
    unsigned active; /* appended to */
    bool folding;    /* the other holds what a fold has not finished */
    bool recovered;  /* uses_recover() ran: both files are understood */
    bool spoilt;     /* somebody wrote into the file being folded */
    uint64_t last_number;
    uint64_t folded_number; /* of the fold under way */
    uint64_t turned_number; /* the last in the file being folded */
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

static enum ag_err
open_file(const struct uses *u, int dir_fd, const char *name,
          struct journal *file)
{
    void *map = MAP_FAILED;

    file->fd =
        openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd >= 0) {
        map = mmap(NULL, USES_FILE_MAX_BYTES, PROT_READ | PROT_WRITE,
                   MAP_SHARED, file->fd, 0);
    }
    if (map == MAP_FAILED) {
        return err_from_errno(errno);
    }
    file->map = map;
    start_chain(u, file->chain);
    return AG_OK;
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
    for (i = 0; err == AG_OK && i < FILES; i++) {
        err = open_file(u, dir_fd, NAMES[i], &u->files[i]);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(u);
    }
    return err;
}

static void
close_file(struct journal *file)
{
    if (file->map != NULL) {
        (void)munmap(file->map, USES_FILE_MAX_BYTES);
    }
    /* After an orderly end it is of no length, as before the first use. */
    if (file->room > 0 && file->len == 0) {
        (void)!ftruncate(file->fd, 0);
    }
    fd_close(file->fd);
}

void
uses_close(struct uses *u)
{
    if (u != NULL) {
        close_file(&u->files[0]);
        close_file(&u->files[1]);
        secret_free(u->key);
        (void)pthread_mutex_destroy(&u->lock);
        free(u);
    }
}

/* All but the number. */
static void
encode(const struct use *use, uint8_t out[FIELDS_BYTES])
{
    put_le(out + 8, (uint64_t)clock_wall_ms());
    put_le(out + 16, (uint64_t)use->token_id);
    put_le(out + 24, (uint64_t)use->task_id);
    put_le(out + 32, (uint64_t)use->secret_id);
    put_le(out + 40, (uint64_t)use->version);
    put_le(out + 48, (uint64_t)use->verb);
}

/* Has the disk give the file room for one more record, and says so now:
 * touching a page that the disk has no room for is SIGBUS. */
static enum ag_err
make_room(struct journal *file)
{
    int failed;

    if (file->len + USE_RECORD_BYTES <= file->room) {
        return AG_OK;
    }
    if (file->room + ROOM_STEP_BYTES > USES_FILE_MAX_BYTES) {
        return err_why(AG_EBUSY, "the use journal is full");
    }
    do {
        failed = posix_fallocate(file->fd, (off_t)file->room, ROOM_STEP_BYTES);
    } while (failed == EINTR);
    if (failed != 0) {
        return err_from_errno(failed);
    }
    file->room += ROOM_STEP_BYTES;
    return AG_OK;
}

/* The number comes last: without it there is no record. */
static void
put_record(uint8_t *to, const uint8_t record[USE_RECORD_BYTES])
{
    memcpy(to + NUMBER_BYTES, record + NUMBER_BYTES,
           USE_RECORD_BYTES - NUMBER_BYTES);
    atomic_thread_fence(memory_order_release);
    memcpy(to, record, NUMBER_BYTES);
}

static enum ag_err
append_locked(struct uses *u, uint8_t record[USE_RECORD_BYTES])
{
    struct journal *file = &u->files[u->active];
    struct span part = span_of(record, FIELDS_BYTES);
    enum ag_err err = make_room(file);

    if (err != AG_OK) {
        return err;
    }
    put_le(record, u->last_number + 1);
    chain_step(u->key, file->chain, &part, 1, record + FIELDS_BYTES);
    put_record(file->map + file->len, record);
    file->len += USE_RECORD_BYTES;
    memcpy(file->chain, record + FIELDS_BYTES, CHAIN_BYTES);
    u->last_number++;
    return AG_OK;
}

enum ag_err
uses_append(struct uses *u, const struct use *use, bool *ret_first)
{
    uint8_t record[USE_RECORD_BYTES] = {0};
    enum ag_err err;

    encode(use, record);
    (void)pthread_mutex_lock(&u->lock);
    AG_ASSERT(u->recovered);
    *ret_first = u->files[u->active].len == 0;
    err = append_locked(u, record);
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
    ret->lost += number - u->folded_number - 1;
    u->folded_number = number;
    ret->uses++;
    return uses_sum_add(sum, &seen);
}

/* No record begins here, nor did one that was cut. */
static bool
is_room(const uint8_t *bytes, size_t len)
{
    return len >= NUMBER_BYTES && get_le(bytes) == 0;
}

/* A walk over the records of one file. */
struct summing {
    struct uses *u;
    struct uses_sum *sum;
    struct uses_folded *ret;
    uint8_t chain[CHAIN_BYTES]; /* of the record before */
    bool ended;                 /* by room, or by what does not verify */
};

/* The records of one read; what is left behind them is the next read's. */
static enum ag_err
sum_block(struct summing *s, const uint8_t *bytes, size_t len, size_t *ret_used)
{
    enum ag_err err = AG_OK;
    size_t i = 0;

    while (err == AG_OK && !s->ended && i + USE_RECORD_BYTES <= len) {
        const uint8_t *record = bytes + i;
        struct span part = span_of(record, FIELDS_BYTES);

        s->ended = is_room(record, len - i);
        if (s->ended) {
            break;
        }
        chain_step(s->u->key, s->chain, &part, 1, s->chain);
        if (chain_equal(s->chain, record + FIELDS_BYTES)) {
            err = take_record(s->u, record, s->sum, s->ret);
            i += USE_RECORD_BYTES;
        } else {
            s->ret->torn++;
            s->ended = true;
        }
    }
    *ret_used = i;
    return err;
}

/* The records of a file's first `len` bytes up to the zeros behind them, or to
 * the first that does not verify. */
static enum ag_err
sum_file(struct uses *u, const struct journal *file, size_t len,
         struct uses_sum *sum, struct uses_folded *ret)
{
    uint8_t block[READ_RECORDS * USE_RECORD_BYTES];
    struct summing s = {.u = u, .sum = sum, .ret = ret};
    enum ag_err err = AG_OK;
    size_t at = 0;

    start_chain(u, s.chain);
    while (err == AG_OK && !s.ended && at < len) {
        size_t left = len - at;
        size_t used = 0;
        ssize_t got =
            pread(file->fd, block, left < sizeof(block) ? left : sizeof(block),
                  (off_t)at);

        if (got <= 0) {
            return got < 0 ? err_from_errno(errno) : AG_OK;
        }
        err = sum_block(&s, block, (size_t)got, &used);
        if (used == 0 && !s.ended && err == AG_OK) {
            /* The end of the file, within a record. */
            ret->torn += is_room(block, (size_t)got) ? 0 : 1;
            s.ended = true;
        }
        at += used;
    }
    return err;
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

bool
uses_empty(const struct uses *u)
{
    struct stat st;
    size_t i;

    for (i = 0; i < FILES; i++) {
        if (fstat(u->files[i].fd, &st) != 0 || st.st_size != 0) {
            return false;
        }
    }
    return true;
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
        err = sum_file(u, &u->files[(older + i) % FILES], USES_FILE_MAX_BYTES,
                       sum, &found);
    }
    if (err == AG_OK) {
        err = uses_sum_end(sum, u->folded_number, &found);
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
        u->turned_number = u->last_number;
    }
    file = &u->files[(u->active + 1) % FILES];
    (void)pthread_mutex_unlock(&u->lock);
    err = uses_sum_start(sum, &u->folded_number);
    if (err == AG_OK) {
        err = sum_file(u, file, file->len, sum, &found);
    }
    if (err == AG_OK && u->folded_number < u->turned_number) {
        found.lost += u->turned_number - u->folded_number;
        u->folded_number = u->turned_number;
        u->spoilt = true;
    }
    if (err == AG_OK) {
        err = uses_sum_end(sum, u->folded_number, &found);
    }
    if (err == AG_OK) {
        *ret = found;
    }
    return err;
}

/* Zeros over what was written; a large file, one that was found and one that
 * may have been cut give their room back. */
static enum ag_err
empty(struct uses *u, struct journal *file)
{
    if (!u->recovered || u->spoilt || file->room > ROOM_KEEP_BYTES) {
        if (ftruncate(file->fd, 0) != 0) {
            return err_from_errno(errno);
        }
        file->room = 0;
    } else {
        memset(file->map, 0, file->len); // ids, no secret
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
        if (u->folded_number > u->last_number) {
            u->last_number = u->folded_number;
        }
    } else if (u->folding) {
        err = empty(u, &u->files[(u->active + 1) % FILES]);
        u->folding = err != AG_OK;
        u->spoilt = u->spoilt && u->folding;
    }
    (void)pthread_mutex_unlock(&u->lock);
    return err;
}
