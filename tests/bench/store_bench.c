// LINKS: store
/*
 * store_bench - the vault in process: durable token issue by 16 callers with
 * group commit, against a raw fdatasync loop and against one commit each; and
 * what old rows cost at start and look-up.
 *
 *   store_bench [--old COUNT] [DIR]
 *
 * Both sides of a ratio are interleaved, medians of ROUNDS. Prints rows of
 * NAME VALUE UNIT BUDGET OK.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ftw.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypt/keyring.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/leases.h"
#include "store/meta.h"
#include "store/minted.h"
#include "store/secrets.h"
#include "store/store.h"
#include "store/tasks.h"
#include "store/tokens.h"
#include "store/uses.h"
#include "store/versions.h"

enum {
    ROUNDS = 5,
    CALLERS = 16,
    TOKENS_PER_CALLER = 120,
    ALONE_PER_CALLER = 40,
    RAW_COUNT = 1500,
    LOOKUPS = 20000,
    HOUR_MS = 3600 * 1000,
    PIECE = 5000, /* rows of one job when old ones are made */
};

static struct store *the_store;
static atomic_uint serial;

static void
must(enum ag_err err, const char *what)
{
    if (err != AG_OK) {
        (void)fprintf(stderr, "%s: %s\n", what, err_text(err));
        exit(1); // NOLINT(concurrency-mt-unsafe)
    }
}

static double
now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU of this thread: what a call costs on a busy machine too. */
static double
cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof(v[0]), by_value);
    return v[ROUNDS / 2];
}

static void
row(const char *name, double value, const char *unit, double budget)
{
    if (budget > 0) {
        (void)printf("%-44s %12.2f %-8s >= %.2f %s\n", name, value, unit,
                     budget, value >= budget ? "ok" : "MISSED");
    } else {
        (void)printf("%-44s %12.2f %s\n", name, value, unit);
    }
}

/* ---- the three sides -------------------------------------------------------- */

static double
raw_per_s(const char *dir)
{
    static char block[4096];
    char path[256];
    double begin;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/raw", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fallocate(fd, 0, 0, (off_t)64 * (off_t)sizeof(block)) != 0) {
        must(AG_EIO, "raw");
    }
    begin = now_s();
    for (int i = 0; i < RAW_COUNT; i++) {
        memset(block, i, sizeof(block));
        if (pwrite(fd, block, sizeof(block),
                   (off_t)(i % 64) * (off_t)sizeof(block)) < 0 ||
            fdatasync(fd) != 0) {
            must(AG_EIO, "raw");
        }
    }
    (void)close(fd);
    return RAW_COUNT / (now_s() - begin);
}

static struct token_row
new_token(int64_t expires_ms)
{
    unsigned number = atomic_fetch_add(&serial, 1);
    struct token_row token = {
        .task_id = 1, .expires_ms = expires_ms, .max_expires_ms = expires_ms};
    struct span text = span_of(&number, sizeof(number));
    static const uint8_t KEY[32] = "scatters like a keyed hash does";
    AG_AUTO(secret) struct secret *key = NULL;

    must(secret_from(span_of(KEY, sizeof(KEY)), &key), "key");
    kdf_hash(key, text, token.hash);
    (void)snprintf(token.accessor, sizeof(token.accessor), "aga_%049u", number);
    return token;
}

static enum ag_err
issue(struct db_tx *tx, void *arg)
{
    struct token_row token = new_token(db_tx_now_ms(tx) + HOUR_MS);
    struct audit_event event = {.kind = AUDIT_TOKEN_CREATED, .task_id = 1};
    enum ag_err err = tokens_add(tx, &token);

    (void)arg;
    event.token_id = token.id;
    event.json = span_str("{\"ttl_s\":3600,\"by\":\"operator\"}");
    return err != AG_OK ? err : audit_append(tx, &event, NULL);
}

struct caller {
    unsigned count;
    bool alone;
    pthread_t thread;
};

struct waiter {
    struct store_job job;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
};

static void
wake(void *arg, enum ag_err err)
{
    struct waiter *w = arg;

    must(err, "issue");
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->ready);
    (void)pthread_mutex_unlock(&w->lock);
}

static void *
call(void *arg)
{
    const struct caller *c = arg;
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER,
                       .ready = PTHREAD_COND_INITIALIZER};

    for (unsigned i = 0; i < c->count; i++) {
        w.job = (struct store_job){
            .run = issue, .done = wake, .arg = &w, .alone = c->alone};
        w.done = false;
        must(store_submit(the_store, &w.job), "submit");
        (void)pthread_mutex_lock(&w.lock);
        while (!w.done) {
            (void)pthread_cond_wait(&w.ready, &w.lock);
        }
        (void)pthread_mutex_unlock(&w.lock);
    }
    return NULL;
}

static double
issue_per_s(unsigned per_caller, bool alone)
{
    struct caller callers[CALLERS];
    double begin = now_s();

    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.count = per_caller, .alone = alone};
        if (pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0) {
            must(AG_ENOMEM, "thread");
        }
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
    }
    return per_caller * CALLERS / (now_s() - begin);
}

static void
bench_issue(const char *dir)
{
    double raw[ROUNDS];
    double alone[ROUNDS];
    double group[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        raw[i] = raw_per_s(dir);
        alone[i] = issue_per_s(ALONE_PER_CALLER, true);
        group[i] = issue_per_s(TOKENS_PER_CALLER, false);
    }
    row("raw 4 KiB overwrite + fdatasync", median(raw), "/s", 0);
    row("token issue, one commit each", median(alone), "/s", 0);
    row("token issue, group commit, 16 callers", median(group), "/s", 0);
    row("group commit / raw fdatasync", median(group) / median(raw), "x", 1.2);
    row("group commit / one commit each", median(group) / median(alone), "x",
        2.0);
}

/* ---- reads and uses ----------------------------------------------------------- */

static void
bench_reads(void)
{
    struct use use = {.token_id = 1,
                      .task_id = 1,
                      .secret_id = 1,
                      .version = 1,
                      .verb = VERB_READ};
    double begin = cpu_s();

    for (unsigned i = 0; i < LOOKUPS; i++) {
        AG_AUTO(db_read) struct db_read *r = NULL;
        AG_AUTO(secret_row) struct secret_row s = {0};
        AG_AUTO(secret) struct secret *value = NULL;

        must(store_read(the_store, &r), "read");
        must(secrets_find(r, span_str("bench"), &s), "find");
        must(versions_value(r, s.id, 0, NULL, &value), "value");
    }
    row("secret by name, checked and decrypted",
        (cpu_s() - begin) * 1e6 / LOOKUPS, "us CPU", 0);
    begin = cpu_s();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        must(store_use(the_store, &use), "use");
    }
    row("a use on the journal", (cpu_s() - begin) * 1e6 / LOOKUPS, "us CPU", 0);
    must(store_flush(the_store), "flush");
}

/* ---- old rows ------------------------------------------------------------------ */

/* A credential that was made for a task and has ended: its version stays, without
 * the value. */
static enum ag_err
add_minted(struct db_tx *tx, const struct secret *value)
{
    char plan[] = "{}";
    const struct version_new add = {.secret_id = 1,
                                    .state = VERSION_PENDING,
                                    .if_version = -1,
                                    .maker = MAKER_MINT,
                                    .value = value};
    struct version_row version = {0};
    struct minted_row minted = {.secret_id = 1,
                                .task_id = 1,
                                .state = MINTED_ENDED,
                                .expires_ms = db_tx_now_ms(tx),
                                .handle = "ag_0badcafe_1",
                                .plan = plan};
    enum ag_err err = versions_add(tx, &add, &version);

    minted.version = version.number;
    if (err == AG_OK) {
        err = versions_destroy(tx, 1, version.number);
    }
    if (err == AG_OK) {
        err = minted_next_id(tx, &minted.id);
    }
    return err == AG_OK ? minted_write(tx, &minted) : err;
}

static enum ag_err
add_old(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = secret_from(span_str("made for one task"), &value);

    (void)arg;
    for (unsigned i = 0; i < PIECE && err == AG_OK; i++) {
        struct token_row token = new_token(db_tx_now_ms(tx) + 1);
        struct lease_row lease = {.task_id = 1,
                                  .secret_id = 1,
                                  .version = 1,
                                  .verb = VERB_READ,
                                  .expires_ms = db_tx_now_ms(tx)};

        err = tokens_add(tx, &token);
        if (err == AG_OK) {
            err = leases_add(tx, &lease);
        }
        if (err == AG_OK) {
            err = leases_end(tx, lease.id, END_EXPIRED);
        }
        if (err == AG_OK) {
            err = add_minted(tx, value);
        }
    }
    return err != AG_OK ? err : audit_note(tx, AUDIT_TASK_ENDED, 1, 0, NULL);
}

static enum ag_err
count_token(const struct token_row *token, void *arg)
{
    (void)token;
    (*(unsigned *)arg)++;
    return AG_OK;
}

static enum ag_err
count_version(const struct secret_row *row, const struct version_row *version,
              const struct secret *value, void *arg)
{
    (void)row;
    (void)version;
    (void)value;
    (*(unsigned *)arg)++;
    return AG_OK;
}

static void
bench_start(const char *home, struct keyring *ring, const char *label)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    char name[64];
    struct store_found found;
    struct token_row token = {0};
    struct token_row same = {0};
    struct minted_counts minted = {0};
    unsigned live = 0;
    double begin;

    store_close(the_store);
    begin = cpu_s();
    must(store_open(home, &the_store), "open");
    must(store_unlock(the_store, ring, &found), "unlock");
    must(store_read(the_store, &r), "read");
    must(tokens_live_each(r, clock_wall_ms(), count_token, &live), "live");
    must(versions_live_each(r, count_version, &live), "versions");
    must(minted_count(r, 0, &minted), "minted");
    (void)snprintf(name, sizeof(name), "open, unlock, all that lives: %s",
                   label);
    row(name, (cpu_s() - begin) * 1e3, "ms CPU", 0);
    begin = cpu_s();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        must(tokens_get(r, 1 + i % 50, &token), "get");
        must(tokens_by_hash(r, token.hash, &same), "hash");
        token_row_done(&token);
        token_row_done(&same);
    }
    (void)snprintf(name, sizeof(name), "token by hash: %s", label);
    row(name, (cpu_s() - begin) * 1e6 / LOOKUPS / 2, "us CPU", 0);
}

/* ---- main ------------------------------------------------------------------------ */

static enum ag_err
first_rows(struct db_tx *tx, void *arg)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct task_row task = {.name = "bench",
                            .deadline_ms =
                                db_tx_now_ms(tx) + (int64_t)24 * HOUR_MS};
    struct secret_row secret = {
        .name = "bench", .kind = SECRET_OPAQUE, .min_grade = GRADE_ENV};
    struct version_new add = {
        .state = VERSION_CURRENT, .if_version = -1, .maker = MAKER_OPERATOR};
    struct version_row version;
    char text[100];
    enum ag_err err = tasks_add(tx, &task);

    (void)arg;
    memset(text, 'v', sizeof(text));
    if (err == AG_OK) {
        err = secrets_add(tx, &secret);
    }
    if (err == AG_OK) {
        err = secret_from(span_of(text, sizeof(text)), &value);
    }
    add.secret_id = secret.id;
    add.value = value;
    if (err == AG_OK) {
        err = versions_add(tx, &add, &version);
    }
    return err != AG_OK ? err : audit_note(tx, AUDIT_TASK_STARTED, 1, 1, NULL);
}

static struct keyring *
make_ring(void)
{
    static const uint8_t ID[KEYRING_VAULT_ID_BYTES] = "vault of a bench";
    AG_AUTO(secret) struct secret *root = NULL;
    struct keyring *ring = NULL;

    must(kdf_root_new(&root), "root");
    must(keyring_new(ID, &ring), "keyring");
    must(keyring_open(ring, root), "keyring");
    return ring;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int
main(int argc, char **argv)
{
    struct slot_row slot = {
        .id = 1, .kind = SLOT_PASSPHRASE, .blob_len = 4, .blob = "slot"};
    char home[] = "/tmp/ag-store-bench-XXXXXX";
    long old = 10000;
    struct keyring *ring;
    char label[32];

    if (argc == 3 && strcmp(argv[1], "--old") == 0) {
        old = strtol(argv[2], NULL, 10);
    }
    must(secret_arena_open((size_t)1024 * 1024), "locked memory");
    if (mkdtemp(home) == NULL) {
        return 1;
    }
    ring = make_ring();
    must(store_create(home, ring, &slot, 1, &the_store), "create");
    must(store_do(the_store, first_rows, NULL), "first rows");
    bench_issue(home);
    bench_reads();
    bench_start(home, ring, "few");
    for (long i = 0; i < old; i += PIECE) {
        must(store_do(the_store, add_old, NULL), "old rows");
    }
    (void)snprintf(label, sizeof(label), "%ld old more", old);
    bench_start(home, ring, label);
    store_close(the_store);
    keyring_free(ring);
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
