// WRAP: runner_run runner_is_alive runner_hold filter_commit
/* Runs that don't go on: the broker stops, the vault is locked while a program
 * runs, the process that starts programs is gone. The runner is a fake. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common/rotating.h"
#include "privsep/runner.h"

enum {
    LARGE_BYTES = 60000,
};

enum fake_does {
    FAKE_DONE,
    FAKE_STOPS, /* the broker begins to stop meanwhile */
    FAKE_WAITS, /* until runner_hold() */
    FAKE_DIES,
};

static struct {
    enum fake_does does;
    const char *says;
    atomic_bool dead;
    atomic_bool blind; /* the filter takes nothing any more */
    atomic_int runs;
    size_t used_bytes; /* of locked memory, during the act */
    sem_t begun;
    sem_t held;
} fake;

enum ag_err __wrap_runner_run(struct runner *r, const struct runner_job *job,
                              struct runner_result *ret, struct buf *output);
bool __wrap_runner_is_alive(struct runner *r);
void __wrap_runner_hold(struct runner *r, bool held);

enum ag_err
__wrap_runner_run(struct runner *r, const struct runner_job *job,
                  struct runner_result *ret, struct buf *output)
{
    (void)r;
    (void)job;
    atomic_fetch_add(&fake.runs, 1);
    /* What the writer and the filter have in their hands goes by itself. */
    for (int i = 0; i < 500 && secret_arena_used_bytes() >= LARGE_BYTES; i++) {
        (void)poll(NULL, 0, 10);
    }
    fake.used_bytes = secret_arena_used_bytes();
    *ret = (struct runner_result){0};
    switch (fake.does) {
    case FAKE_DONE:
        break;
    case FAKE_STOPS:
        core_rotation_stop(flow.core);
        break;
    case FAKE_WAITS:
        (void)sem_post(&fake.begun);
        (void)sem_wait(&fake.held);
        ret->cut_off = true;
        break;
    case FAKE_DIES:
        atomic_store(&fake.dead, true);
        return AG_EUNSUPPORTED;
    }
    return buf_add(output, span_str(fake.says));
}

enum ag_err __real_filter_commit(struct filter *filter, uint64_t *ret_epoch);
enum ag_err __wrap_filter_commit(struct filter *filter, uint64_t *ret_epoch);

enum ag_err
__wrap_filter_commit(struct filter *filter, uint64_t *ret_epoch)
{
    return atomic_load(&fake.blind) ? AG_EFILTER
                                    : __real_filter_commit(filter, ret_epoch);
}

bool
__wrap_runner_is_alive(struct runner *r)
{
    (void)r;
    return !atomic_load(&fake.dead);
}

void
__wrap_runner_hold(struct runner *r, bool held)
{
    (void)r;
    if (held && fake.does == FAKE_WAITS) {
        (void)sem_post(&fake.held);
    }
}

/* ---- set-up: two secrets that a program rotates ---- */

static enum ag_err
do_program(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

static const char *const NAMES[] = {"h/one", "h/two"};

static int
open_with_programs(void **state)
{
    static const struct program_request program = {
        .name = "svc",
        .path = "/no/such/program",
        .sha256 =
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .limit_s = 60};
    struct call call = {0};

    if (open_with_clock(state) != 0) {
        return -1;
    }
    fake.does = FAKE_DONE;
    atomic_store(&fake.dead, false);
    atomic_store(&fake.blind, false);
    fake.says = "{\"outcome\":\"done\"}";
    atomic_store(&fake.runs, 0);
    (void)sem_init(&fake.begun, 0, 0);
    (void)sem_init(&fake.held, 0, 0);
    flow.core->parts.runner = (struct runner *)(void *)&fake;
    call = call_of(flow.operator_peer);
    check_ok(act(do_program, &call, &program, NULL));
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        put(NAMES[i], "the-first-value", NULL);
        set_rule(&(struct rotation_rule_request){.name = NAMES[i],
                                                 .every_s = HOUR_S,
                                                 .rotator = "command",
                                                 .program = "svc",
                                                 .generate = true});
    }
    return 0;
}

static enum ag_err
run_both(void)
{
    struct call call = call_of(flow.operator_peer);
    const struct rotate_request request = {.names = NAMES,
                                           .name_count = AG_COUNT(NAMES)};
    AG_AUTO(wjson) json_t *answer = NULL;

    call.now_ms = clock_wall_ms();
    return core_rotate(flow.core, &call, &request, &answer);
}

static void
check_row(const char *name, const char *want_state, const char *want_code)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(rotation_row) struct rotation_row row = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);
    enum ag_err err = AG_OK;

    assert_int_equal(current, 1);
    check_ok(store_read(flow.core->store, &r));
    err = rotations_open_of(r, id, &row);
    if (want_state == NULL) {
        assert_int_equal(err, AG_ENOTFOUND);
        return;
    }
    check_ok(err);
    assert_string_equal(rotation_state_text(row.state), want_state);
    assert_string_equal(row.code, want_code);
}

/* ---- tests ---- */

static void
test_a_stop_ends_a_run_at_its_next_step(void **state)
{
    (void)state;
    fake.does = FAKE_STOPS;
    check_err(run_both(), AG_EBUSY);
    assert_int_equal(atomic_load(&fake.runs), 1);
    check_row("h/one", "prepared", ""); /* what came of it is kept */
    check_row("h/two", NULL, NULL);
    check_err(run_both(), AG_EBUSY);
    assert_int_equal(atomic_load(&fake.runs), 1);
}

static void *
lock_meanwhile(void *arg)
{
    struct call call = call_of(flow.operator_peer);

    (void)sem_wait(&fake.begun);
    *(enum ag_err *)arg = vault_lock(flow.core, &call);
    return NULL;
}

static void
unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

static void
test_a_lock_ends_the_act_and_what_came_of_it_is_kept(void **state)
{
    enum ag_err err = AG_EIO;
    pthread_t locker;

    (void)state;
    fake.does = FAKE_WAITS;
    assert_int_equal(pthread_create(&locker, NULL, lock_meanwhile, &err), 0);
    check_err(run_both(), AG_ELOCKED);
    assert_int_equal(pthread_join(locker, NULL), 0);
    check_ok(err);
    assert_int_equal(atomic_load(&fake.runs), 1);
    fake.does = FAKE_DONE;
    unlock();
    check_row("h/one", "prepared", "cut_off"); /* the check will decide */
    check_row("h/two", NULL, NULL);
    check_ok(run_both());
    check_current("h/one", 2);
    check_current("h/two", 2);
}

static void
test_an_act_under_way_holds_no_value(void **state)
{
    static char value[LARGE_BYTES + 1];

    (void)state;
    memset(value, 'v', LARGE_BYTES);
    put(NAMES[0], value, NULL);
    put(NAMES[1], value, NULL);
    check_ok(run_both());
    assert_in_range(fake.used_bytes, 0, LARGE_BYTES - 1);
}

static void
check_runner(bool want)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *status = NULL;

    check_ok(core_status(flow.core, &call, &status));
    assert_int_equal(json_is_true(json_object_get(
                         json_object_get(status, "runner"), "alive")),
                     want);
}

static void
test_without_a_runner_a_run_ends_with_one_sentence(void **state)
{
    (void)state;
    check_runner(true);
    fake.does = FAKE_DIES;
    check_err(run_both(), AG_EUNSUPPORTED);
    assert_non_null(strstr(err_text(AG_EUNSUPPORTED), "auth-guard stop"));
    assert_int_equal(atomic_load(&fake.runs), 1);
    check_row("h/one", "prepared", "unsupported");
    check_row("h/two", NULL, NULL);
    check_err(run_both(), AG_EUNSUPPORTED);
    check_row("h/two", NULL, NULL); /* nor is another begun */
    check_runner(false);
}

/* It would be printed in clear by whoever gets it. */
static void
test_what_the_filter_does_not_know_goes_nowhere(void **state)
{
    (void)state;
    check_ok(core_hide(flow.core));
    atomic_store(&fake.blind, true);
    check_err(run_both(), AG_EFILTER);
    atomic_store(&fake.blind, false);
    assert_int_equal(atomic_load(&fake.runs), 0);
    check_row("h/one", "preparing", "");
    check_row("h/two", NULL, NULL);
}

/* The old value is "the-first-value", all of it letters of a code. */
static void
test_a_code_does_not_carry_a_value(void **state)
{
    static const struct {
        const char *says;
        const char *code;
    } TRIES[] = {
        {"{\"outcome\":\"refused\",\"code\":\"not_known\"}", "not_known"},
        {"{\"outcome\":\"refused\",\"code\":\"a.the-first-value\"}", "garbage"},
        {"{\"outcome\":\"refused\",\"code\":\"a-first-value\"}", "garbage"},
        {"{\"outcome\":\"refused\",\"code\":\"a.first-value\"}",
         "a.first-value"}, /* eleven of it */
        {"{\"outcome\":\"refused\",\"code\":\"7th\"}", "garbage"},
        {"{\"outcome\":\"refused\",\"code\":"
         "\"abcdefghijklmnopqrstuvwxyz0123456\"}",
         "garbage"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(TRIES); i++) {
        AG_AUTO(wjson) json_t *log = NULL;
        const json_t *rows = NULL;
        char name[16];

        fake.says = TRIES[i].says;
        (void)snprintf(name, sizeof(name), "c/%zu", i);
        put(name, "the-first-value", NULL);
        set_rule(&(struct rotation_rule_request){.name = name,
                                                 .every_s = HOUR_S,
                                                 .rotator = "command",
                                                 .program = "svc",
                                                 .generate = true});
        json_decref(run(name));
        check_ok(core_rotation_list(flow.core, name, &log));
        rows = json_object_get(log, "rotations");
        assert_string_equal(text_at(json_array_get(rows, 0), "code"),
                            TRIES[i].code);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_stop_ends_a_run_at_its_next_step,
                                        open_with_programs, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_lock_ends_the_act_and_what_came_of_it_is_kept,
            open_with_programs, close_with_clock),
        cmocka_unit_test_setup_teardown(test_an_act_under_way_holds_no_value,
                                        open_with_programs, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_what_the_filter_does_not_know_goes_nowhere, open_with_programs,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_code_does_not_carry_a_value,
                                        open_with_programs, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_without_a_runner_a_run_ends_with_one_sentence,
            open_with_programs, close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
