/* The use journal: folding, limits, recovery after a crash, torn records. */
#include <pthread.h>

#include "common/vault.h"
#include "store/uses.h"
#include "wire/json.h"

static int64_t token_id;
static int64_t secret_id;

static int
set_up(void **state)
{
    struct token_row token;

    (void)vault_set_up(state);
    secret_id = vault_put("a", "1");
    token = vault_token(vault_add_task("t"), 0);
    token.uses_max = 100;
    check_ok(vault_do(vault_add_token_step, &token));
    token_id = token.id;
    return 0;
}

static struct use
a_use(void)
{
    return (struct use){.token_id = token_id,
                        .task_id = 1,
                        .secret_id = secret_id,
                        .version = 1,
                        .verb = VERB_READ};
}

/* Adds up what the AUDIT_USES rows say. */
static enum ag_err
add_uses(const struct audit_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    uint64_t *sum = arg;
    size_t i;

    if (row->kind != AUDIT_USES) {
        return AG_OK;
    }
    check_ok(wjson_parse(row->json, WJSON_MAX_BYTES, &tree));
    for (i = 0; i < json_array_size(json_object_get(tree, "uses")); i++) {
        json_t *item = json_array_get(json_object_get(tree, "uses"), i);

        *sum += (uint64_t)json_integer_value(json_object_get(item, "count"));
    }
    return AG_OK;
}

static uint64_t
recorded_uses(void)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    uint64_t sum = 0;

    check_ok(audit_each(r, 0, 1000, add_uses, &sum));
    return sum;
}

static int64_t
counted_uses(void)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    AG_AUTO(token_row) struct token_row token = {0};

    check_ok(tokens_get(r, token_id, &token));
    return token.uses_count;
}

static void
test_uses_are_folded(void **state)
{
    struct use use = a_use();

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        check_ok(store_use(vault.s, &use));
    }
    use.verb = VERB_PROXY;
    check_ok(store_use(vault.s, &use));
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 11);
    assert_int_equal(counted_uses(), 11);
    check_ok(store_flush(vault.s)); /* nothing twice */
    assert_int_equal(recorded_uses(), 11);
    vault_check_sound();
}

static void
test_many_different_uses_take_several_rows(void **state)
{
    struct use use = a_use();

    (void)state;
    for (unsigned i = 0; i < USES_FOLD_MAX_COUNT + 100; i++) {
        use.version = (int64_t)i + 1;
        check_ok(store_use(vault.s, &use));
    }
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), USES_FOLD_MAX_COUNT + 100);
    vault_check_sound();
}

/* What was read of values is still so: who caches them need not read anew. */
static void
test_a_fold_is_no_change_of_values(void **state)
{
    struct use use = a_use();
    uint64_t before = store_epoch(vault.s);

    (void)state;
    check_ok(store_use(vault.s, &use));
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 1);
    assert_int_equal(store_epoch(vault.s), before);
}

static enum ag_err
add_items(const struct audit_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    size_t *sum = arg;

    if (row->kind == AUDIT_USES) {
        check_ok(wjson_parse(row->json, WJSON_MAX_BYTES, &tree));
        *sum += json_array_size(json_object_get(tree, "uses"));
    }
    return AG_OK;
}

/* However many others came between. */
static void
test_equal_uses_are_one_item(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct use use = a_use();
    size_t items = 0;

    (void)state;
    for (int i = 0; i < 3 * 500; i++) {
        use.version = i % 500 + 1;
        check_ok(store_use(vault.s, &use));
    }
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 3 * 500);
    r = vault_read();
    check_ok(audit_each(r, 0, 1000, add_items, &items));
    assert_int_equal(items, 500);
}

static void *
use_many(void *arg)
{
    struct use use = a_use();

    (void)arg;
    for (unsigned i = 0; i < 500; i++) {
        if (store_use(vault.s, &use) != AG_OK) {
            abort();
        }
    }
    return NULL;
}

static void
test_no_use_is_lost_between_threads_and_folds(void **state)
{
    pthread_t threads[4];
    unsigned i;

    (void)state;
    for (i = 0; i < AG_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, NULL), 0);
    }
    for (i = 0; i < 5; i++) {
        check_ok(store_flush(vault.s));
    }
    for (i = 0; i < AG_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    store_lock(vault.s);
    check_ok(vault_try_reopen(NULL));
    assert_int_equal(recorded_uses(), 2000);
    assert_int_equal(counted_uses(), 2000);
}

/* A copy of the journal from before the fold, as a kill -9 leaves it. */
static size_t
save(const char *name, uint8_t *out, size_t cap)
{
    char path[160];
    int fd;
    ssize_t got;

    (void)snprintf(path, sizeof(path), "%s/%s", vault.home, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    got = read(fd, out, cap);
    (void)close(fd);
    assert_true(got >= 0);
    return (size_t)got;
}

static void
put_back(const char *name, const uint8_t *bytes, size_t len)
{
    char path[160];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", vault.home, name);
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
}

struct saved {
    uint8_t bytes[2][4096];
    size_t len[2];
};

/* Without the room behind its records. */
static size_t
save_journal(const char *name, uint8_t *out, size_t cap)
{
    static const uint8_t ROOM[USE_RECORD_BYTES];
    size_t len = save(name, out, cap) / USE_RECORD_BYTES * USE_RECORD_BYTES;

    while (len > 0 &&
           memcmp(out + len - USE_RECORD_BYTES, ROOM, USE_RECORD_BYTES) == 0) {
        len -= USE_RECORD_BYTES;
    }
    return len;
}

static void
save_both(struct saved *s)
{
    s->len[0] = save_journal("uses.journal", s->bytes[0], sizeof(s->bytes[0]));
    s->len[1] = save_journal("uses.journal2", s->bytes[1], sizeof(s->bytes[1]));
}

static void
put_back_both(const struct saved *s)
{
    put_back("uses.journal", s->bytes[0], s->len[0]);
    put_back("uses.journal2", s->bytes[1], s->len[1]);
}

static void
shut(void)
{
    store_close(vault.s);
    vault.s = NULL;
}

static enum ag_err
step_hold(struct db_tx *tx, void *arg)
{
    struct saved *s = arg;
    struct use use = a_use();
    unsigned i;

    (void)tx;
    /* On the writer thread nothing is folded meanwhile. */
    for (i = 0; i < 7; i++) {
        check_ok(store_use(vault.s, &use));
    }
    save_both(s);
    return AG_OK;
}

static void
test_a_crash_before_the_fold_loses_nothing_and_doubles_nothing(void **state)
{
    static struct saved before;
    struct store_found found;
    struct use use = a_use();

    (void)state;
    check_ok(store_do(vault.s, step_hold, &before));
    assert_int_equal(before.len[0] + before.len[1],
                     7 * (size_t)USE_RECORD_BYTES);
    shut(); /* folds */
    put_back_both(&before);
    check_ok(store_open(vault.home, &vault.s));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    assert_int_equal(found.uses_folded, 0); /* they are on the record */
    assert_int_equal(recorded_uses(), 7);
    check_ok(store_use(vault.s, &use)); /* numbers go on after them */
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 8);
    vault_check_sound();
}

/* The vault of before, with the journal of after: what kill -9 leaves. */
static void
test_leftover_uses_are_folded_by_the_next_unlock(void **state)
{
    static struct saved journal;
    static uint8_t db[1024 * 1024];
    static uint8_t head[4096];
    struct store_found found;
    size_t db_len;
    size_t head_len;

    (void)state;
    shut();
    db_len = save("vault.db", db, sizeof(db));
    head_len = save("vault.head", head, sizeof(head));
    vault_reopen();
    check_ok(store_do(vault.s, step_hold, &journal));
    shut();
    put_back("vault.db", db, db_len);
    put_back("vault.head", head, head_len);
    journal.len[0] -= journal.len[0] > 10 ? 10 : 0; /* a torn last record */
    journal.len[1] -= journal.len[1] > 10 ? 10 : 0;
    put_back_both(&journal);
    check_ok(store_open(vault.home, &vault.s));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    assert_int_equal(found.uses_folded, 6);
    assert_int_equal(found.uses_torn_count, 1);
    assert_int_equal(recorded_uses(), 6);
    assert_int_equal(counted_uses(), 6);
    vault_check_sound();
}

/* Some 400 KiB of records: past a step of room, and past what is kept. */
static enum ag_err
step_fill(struct db_tx *tx, void *arg)
{
    const struct use *use = arg;
    unsigned i;

    (void)tx;
    for (i = 0; i < 5000; i++) {
        check_ok(store_use(vault.s, use));
    }
    return AG_OK;
}

static void
test_the_files_grow_and_give_their_room_back(void **state)
{
    static uint8_t file[512 * 1024];
    struct use use = a_use();

    (void)state;
    check_ok(store_do(vault.s, step_fill, &use));
    check_ok(store_flush(vault.s));
    check_ok(store_do(vault.s, step_fill, &use));
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 10000);
    assert_true(save("uses.journal", file, sizeof(file)) < (size_t)300 * 1024);
    assert_true(save("uses.journal2", file, sizeof(file)) < (size_t)300 * 1024);
    shut();
    assert_int_equal(save("uses.journal", file, sizeof(file)), 0);
    assert_int_equal(save("uses.journal2", file, sizeof(file)), 0);
}

static enum ag_err
find_lost(const struct audit_row *row, void *arg)
{
    if (row->kind == AUDIT_USES_LOST) {
        (void)snprintf(arg, 64, "%.*s", (int)row->json.len,
                       (const char *)row->json.ptr);
    }
    return AG_OK;
}

static void
lost_rows(char last[64])
{
    AG_AUTO(db_read) struct db_read *r = vault_read();

    check_ok(audit_each(r, 0, 1000, find_lost, last));
}

static void
test_a_forged_record_is_left_out(void **state)
{
    static struct saved journal;
    static uint8_t db[1024 * 1024];
    static uint8_t head[4096];
    struct store_found found;
    size_t db_len;
    size_t head_len;
    unsigned file;
    char lost[64] = "";

    (void)state;
    shut();
    db_len = save("vault.db", db, sizeof(db));
    head_len = save("vault.head", head, sizeof(head));
    vault_reopen();
    check_ok(store_do(vault.s, step_hold, &journal));
    shut();
    put_back("vault.db", db, db_len);
    put_back("vault.head", head, head_len);
    file = journal.len[0] > 0 ? 0 : 1;
    journal.bytes[file][3 * USE_RECORD_BYTES + 32] ^= 1; /* another secret */
    put_back_both(&journal);
    check_ok(store_open(vault.home, &vault.s));
    check_ok(store_unlock(vault.s, vault.ring, &found));
    assert_int_equal(found.uses_folded, 3);
    assert_int_equal(found.uses_torn_count, 1);
    lost_rows(lost);
    assert_string_equal(lost, "{\"lost\":0,\"torn\":1}");
}

/* The active file, overwritten or cut before the fold by somebody else. */
struct spoiling {
    size_t keep_count; /* records left as they are */
    bool zero;         /* the rest: cut off, or garbage */
};

static enum ag_err
step_spoil(struct db_tx *tx, void *arg)
{
    static const uint8_t ZEROS[8 * USE_RECORD_BYTES];
    const struct spoiling *how = arg;
    uint8_t bytes[sizeof(ZEROS)];
    struct use use = a_use();
    char path[160];
    unsigned i;
    int fd;

    (void)tx;
    for (i = 0; i < 8; i++) {
        check_ok(store_use(vault.s, &use));
    }
    memset(bytes, how->zero ? 0 : 'x', sizeof(bytes));
    for (i = 0; i < 2; i++) {
        size_t len = save(i == 0 ? "uses.journal" : "uses.journal2", bytes, 8);
        off_t at = (off_t)how->keep_count * USE_RECORD_BYTES;

        if (len < 8 || memcmp(bytes, ZEROS, 8) == 0) {
            continue; /* the other one */
        }
        memset(bytes, how->zero ? 0 : 'x', 8);
        (void)snprintf(path, sizeof(path), "%s/%s", vault.home,
                       i == 0 ? "uses.journal" : "uses.journal2");
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes, sizeof(bytes) - (size_t)at, at),
                         (ssize_t)sizeof(bytes) - at);
        (void)close(fd);
    }
    return AG_OK;
}

static void
test_what_was_cut_or_overwritten_before_the_fold_is_on_record(void **state)
{
    struct spoiling cut = {.keep_count = 5, .zero = true};
    struct spoiling garbage = {.keep_count = 0, .zero = false};
    struct use use = a_use();
    char lost[64] = "";

    (void)state;
    check_ok(store_do(vault.s, step_spoil, &cut));
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 5);
    lost_rows(lost);
    assert_string_equal(lost, "{\"lost\":3,\"torn\":0}");
    check_ok(store_do(vault.s, step_spoil, &garbage));
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 5);
    lost_rows(lost);
    assert_string_equal(lost, "{\"lost\":8,\"torn\":1}");
    check_ok(store_use(vault.s, &use)); /* and goes on */
    check_ok(store_flush(vault.s));
    assert_int_equal(recorded_uses(), 6);
    vault_check_sound();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, vault_tear_down)
        TEST(test_uses_are_folded),
        TEST(test_many_different_uses_take_several_rows),
        TEST(test_equal_uses_are_one_item),
        TEST(test_a_fold_is_no_change_of_values),
        TEST(test_no_use_is_lost_between_threads_and_folds),
        TEST(test_a_crash_before_the_fold_loses_nothing_and_doubles_nothing),
        TEST(test_leftover_uses_are_folded_by_the_next_unlock),
        TEST(test_a_forged_record_is_left_out),
        TEST(test_what_was_cut_or_overwritten_before_the_fold_is_on_record),
        TEST(test_the_files_grow_and_give_their_room_back),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
