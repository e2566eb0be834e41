// WRAP: calloc
/* What was minted, when the vault is locked, or a rule, a secret or its source is
 * removed. */
#include <sys/resource.h>

#include "common/minting.h"
#include "core/mint_impl.h"
#include "store/pack.h"

static void
unlock_vault(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    check_ok(vault_unlock(flow.core, &call,
                          &(struct unlock_request){.passphrase = passphrase},
                          &answer));
}

static void
test_a_lock_revokes_and_keeps_what_it_could_not(void **state)
{
    static const char *const ONCE[] = {NULL, NULL, "2BP01"};
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(ONCE, AG_COUNT(ONCE));
    check_ok(get(one));
    end_one(one);
    check_ok(vault_lock(flow.core, &call)); /* waits for the try, which fails */
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    set_clock(now_ms + 1001);
    unlock_vault();
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 2);
}

/* Of what a piece of work needs. */
static atomic_bool no_memory;
static atomic_int refused_count;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
    if (size == sizeof(struct minting) && atomic_load(&no_memory)) {
        (void)atomic_fetch_add(&refused_count, 1);
        return NULL;
    }
    return __real_calloc(count, size);
}

/* What was due and found no memory is not forgotten. */
static void
test_without_memory_it_is_revoked_later(void **state)
{
    int64_t one = start_one();

    (void)state;
    check_ok(get(one));
    atomic_store(&no_memory, true);
    end_one(one);
    for (int i = 0; i < LOOKS_COUNT && atomic_load(&refused_count) == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    atomic_store(&no_memory, false);
    assert_int_not_equal(atomic_load(&refused_count), 0);
    set_clock(now_ms + 1001);
    wait_open(0);
}

static void
test_a_rule_is_for_a_secret_without_a_value(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(secret) struct secret *value = secret_of("another-word");
    const struct put_request request = {
        .name = "db/app", .value = value, .if_version = -1};

    (void)state;
    check_err(try_rule("db/boss", "db/boss", 3600), AG_ECONFLICT);
    check_err(try_rule("db/new", "db/none", 3600), AG_ENOTFOUND);
    check_err(try_rule("db/new", "db/app", 3600), AG_ENOTFOUND);
    check_err(try_rule("db/new", "db/boss", 1), AG_EINVAL);
    check_err(try_rule("auth-guard/x", "db/boss", 3600), AG_EDENIED);
    check_err(act(do_put, &call, &request, NULL), AG_ECONFLICT);
    check_ok(act(do_mint_remove, &call, "db/app", NULL));
    check_err(act(do_mint_remove, &call, "db/app", NULL), AG_ENOTFOUND);
    check_ok(act(do_put, &call, &request, NULL));
}

/* The item of db/app in the list; NULL: it is not there. */
static json_t *
listed(json_t **ret_list)
{
    struct call call = call_of(flow.operator_peer);
    json_t *item = NULL;
    size_t i = 0;

    check_ok(core_secret_list(flow.core, &call, "db/", ret_list));
    json_array_foreach(json_object_get(*ret_list, "secrets"), i, item)
    {
        if (strcmp(text_at(item, "name"), "db/app") == 0) {
            return item;
        }
    }
    return NULL;
}

static void
test_it_is_listed_as_what_it_is(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *with = NULL;
    AG_AUTO(wjson) json_t *without = NULL;
    const json_t *item = listed(&with);

    (void)state;
    assert_non_null(item);
    assert_string_equal(text_at(item, "kind"), "minted");
    assert_string_equal(text_at(item, "minter"), "postgres");
    assert_int_equal(json_integer_value(json_object_get(item, "version")), 0);
    item = json_array_get(json_object_get(with, "secrets"), 0);
    assert_string_equal(text_at(item, "name"), "db/boss");
    assert_string_equal(text_at(item, "kind"), "opaque");
    assert_true(json_is_null(json_object_get(item, "minter")));
    check_ok(act(do_mint_remove, &call, "db/app", NULL));
    assert_null(listed(&without));
}

static void
test_nothing_is_removed_while_it_works_at_its_provider(void **state)
{
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_err(act(do_remove, &call, "db/app", NULL), AG_ECONFLICT);
    check_ok(act(do_mint_remove, &call, "db/app", NULL));
    end_one(one);
    wait_open(0); /* by the copy of its rule */
    check_ok(act(do_remove, &call, "db/app", NULL));
}

static void
test_a_source_that_went_is_waited_for(void **state)
{
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_ok(act(do_remove, &call, "db/boss", NULL));
    end_one(one);
    wait_attempts(1);
    put("db/boss", "the-owner-word-of-ours", NULL);
    set_clock(now_ms + 1001);
    tick();
    wait_open(0);
}

/* ---- how often ---- */

/* Of this process in so many milliseconds. */
static int64_t
cpu_ms(int wait_ms)
{
    struct rusage at[2];
    int64_t us = 0;

    (void)getrusage(RUSAGE_SELF, &at[0]);
    (void)poll(NULL, 0, wait_ms);
    (void)getrusage(RUSAGE_SELF, &at[1]);
    us = (at[1].ru_utime.tv_sec - at[0].ru_utime.tv_sec +
          at[1].ru_stime.tv_sec - at[0].ru_stime.tv_sec) *
             1000000 +
         at[1].ru_utime.tv_usec - at[0].ru_utime.tv_usec +
         at[1].ru_stime.tv_usec - at[0].ru_stime.tv_usec;
    return us / 1000;
}

struct asking {
    struct mint_wait wait;
    atomic_int err; /* -1: not told yet */
};

static void
on_told(struct mint_wait *wait, enum ag_err err)
{
    atomic_store(&((struct asking *)wait)->err, (int)err); /* the first */
}

/* The server has the question, and keeps its answer. */
static void
ask_and_hold(int64_t task_id, struct asking *asking)
{
    static const char *const HOLD[] = {"HOLD"};
    enum mint_say say = MINT_GO;
    int64_t current = 0;

    script(HOLD, AG_COUNT(HOLD));
    *asking = (struct asking){.wait.done = on_told, .err = -1};
    check_ok(mint_ask(flow.core, task_id, secret_id_of("db/app", &current),
                      &asking->wait, &say));
    assert_int_equal(say, MINT_WAIT);
    for (int i = 0; i < LOOKS_COUNT && !atomic_load(&fake.is_held); i++) {
        (void)poll(NULL, 0, 1);
    }
}

static void
test_one_that_ends_too_soon_is_not_made_again_and_again(void **state)
{
    static struct asking
        asking; /* a failure leaves the test before it is told */
    int64_t one = 0;

    (void)state;
    check_ok(try_rule("db/app", "db/boss", 10));
    one = start_one();
    ask_and_hold(one, &asking);
    set_clock(now_ms + 11001);
    atomic_store(&fake.released, true);
    for (int i = 0; i < LOOKS_COUNT && atomic_load(&asking.err) < 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(&asking.err), AG_EMINT);
    check_err(get(one), AG_EMINT); /* it pauses */
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 1);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
}

static void
test_what_is_being_made_is_waited_for_in_peace(void **state)
{
    static struct asking
        asking; /* a failure leaves the test before it is told */
    int64_t one = start_one();

    (void)state;
    ask_and_hold(one, &asking);
    end_one(one);
    (void)poll(NULL, 0, 50);
    assert_true(cpu_ms(400) < 60);
    atomic_store(&fake.released, true);
    wait_open(0);
    assert_int_equal(atomic_load(&asking.err), AG_EREVOKED);
}

static enum ag_err
note_id(const struct minted_row *row, void *arg)
{
    *(int64_t *)arg = row->id;
    return AG_OK;
}

/* What it was made by can't be read any more. */
static enum ag_err
do_spoil(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    AG_AUTO(minted_row) struct minted_row row = {0};
    AG_AUTO(wjson) json_t *plan = json_object();
    int64_t id = 0;

    (void)core;
    (void)request;
    (void)ret;
    check_ok(minted_open_each(db_tx_read(tx), 0, 1, note_id, &id));
    check_ok(minted_get(db_tx_read(tx), id, &row));
    text_free(AG_TAKE(row.plan));
    check_ok(core_dump(plan, &row.plan));
    check_ok(minted_write(tx, &row));
    return core_note(tx, call, AUDIT_MINT_FAILED, 0, 0, json_object());
}

static void
test_a_row_that_cannot_be_read_is_not_tried_without_a_pause(void **state)
{
    struct call call = call_of(flow.operator_peer);
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_ok(act(do_spoil, &call, "", NULL));
    end_one(one);
    (void)poll(NULL, 0, 50);
    assert_true(cpu_ms(400) < 60);
    assert_int_equal(counts().revoking, 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MINTING(test_a_lock_revokes_and_keeps_what_it_could_not),
        MINTING(test_without_memory_it_is_revoked_later),
        MINTING(test_a_rule_is_for_a_secret_without_a_value),
        MINTING(test_it_is_listed_as_what_it_is),
        MINTING(test_nothing_is_removed_while_it_works_at_its_provider),
        MINTING(test_a_source_that_went_is_waited_for),
        MINTING(test_one_that_ends_too_soon_is_not_made_again_and_again),
        MINTING(test_what_is_being_made_is_waited_for_in_peace),
        MINTING(test_a_row_that_cannot_be_read_is_not_tried_without_a_pause),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
