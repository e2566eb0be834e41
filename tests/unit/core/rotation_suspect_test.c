// WRAP: runner_run runner_is_alive runner_hold
/* What a service refuses after a rotation, and what the broker's own thread does.
 * The program on record is a fake that knows which of two values works. */
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/rotating.h"
#include "core/rotation_impl.h"
#include "privsep/runner.h"

static const char OLD[] = "the-first-value";

static struct {
    atomic_bool is_new_dead;
    atomic_bool is_old_dead;
    atomic_int checks;
} service;

enum ag_err __wrap_runner_run(struct runner *r, const struct runner_job *job,
                              struct runner_result *ret, struct buf *output);
bool __wrap_runner_is_alive(struct runner *r);
void __wrap_runner_hold(struct runner *r, bool held);

static bool
works(int fd)
{
    char text[64] = "";
    ssize_t got = read(fd, text, sizeof(text) - 1);

    assert_true(got > 0);
    atomic_fetch_add(&service.checks, 1);
    return strcmp(text, OLD) == 0 ? !atomic_load(&service.is_old_dead)
                                  : !atomic_load(&service.is_new_dead);
}

enum ag_err
__wrap_runner_run(struct runner *r, const struct runner_job *job,
                  struct runner_result *ret, struct buf *output)
{
    bool refused = strcmp(job->act, "verify") == 0 && !works(job->new_fd);

    (void)r;
    *ret = (struct runner_result){0};
    return buf_add_str(output, refused ? "{\"outcome\":\"refused\"}"
                                       : "{\"outcome\":\"done\"}");
}

bool
__wrap_runner_is_alive(struct runner *r)
{
    (void)r;
    return true;
}

/* There is none to be held. */
void
__wrap_runner_hold(struct runner *r, bool held)
{
    (void)r;
    (void)held;
}

static enum ag_err
do_program(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

static int64_t secret_id;

/* A secret whose new version is current and whose old one is observed. */
static int
open_observed(void **state)
{
    static const struct program_request program = {
        .name = "svc",
        .path = "/no/such/program",
        .sha256 =
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .limit_s = 60};
    struct call call = {0};
    int64_t current = 0;

    if (open_with_clock(state) != 0) {
        return -1;
    }
    atomic_store(&service.is_new_dead, false);
    atomic_store(&service.is_old_dead, false);
    flow.core->parts.runner = (struct runner *)(void *)&service;
    call = call_of(flow.operator_peer);
    check_ok(act(do_program, &call, &program, NULL));
    put("s/watched", OLD, NULL);
    set_rule(&(struct rotation_rule_request){.name = "s/watched",
                                             .every_s = 30 * DAY_MS / 1000,
                                             .grace_s = HOUR_S,
                                             .rotator = "command",
                                             .program = "svc",
                                             .generate = true});
    check_run("s/watched", "rotated");
    secret_id = secret_id_of("s/watched", &current);
    atomic_store(&service.checks, 0);
    return 0;
}

static void
check_state(const char *want)
{
    AG_AUTO(wjson) json_t *log = NULL;

    check_ok(core_rotation_list(flow.core, "s/watched", &log));
    assert_string_equal(
        text_at(json_array_get(json_object_get(log, "rotations"), 0), "state"),
        want);
}

static void
test_what_the_provider_says_is_dead_is_taken_back(void **state)
{
    (void)state;
    atomic_store(&service.is_new_dead, true);
    check_ok(rotation_recheck(flow.core, secret_id, 2));
    assert_int_equal(atomic_load(&service.checks), 2);
    check_current("s/watched", 1);
    check_state("undone");
}

/* A task whose service says 401 as it likes. */
static void
test_a_tasks_word_changes_nothing(void **state)
{
    (void)state;
    check_ok(rotation_recheck(flow.core, secret_id, 2));
    assert_int_equal(atomic_load(&service.checks), 1);
    check_current("s/watched", 2);
    check_state("observing");
}

static void
test_where_neither_works_nothing_is_changed(void **state)
{
    (void)state;
    atomic_store(&service.is_new_dead, true);
    atomic_store(&service.is_old_dead, true);
    check_ok(rotation_recheck(flow.core, secret_id, 2));
    check_current("s/watched", 2);
    check_state("observing");
}

static void
test_other_versions_are_not_asked_about(void **state)
{
    (void)state;
    atomic_store(&service.is_new_dead, true);
    check_ok(rotation_recheck(flow.core, secret_id, 1));
    check_ok(rotation_recheck(flow.core, secret_id + 77, 2));
    set_clock(now_ms + HOUR_MS);
    check_run("s/watched", "done");
    check_ok(rotation_recheck(flow.core, secret_id, 2));
    assert_int_equal(atomic_load(&service.checks), 0);
    check_current("s/watched", 2);
}

/* ---- the thread ---- */

static void
wait_current(const char *name, int64_t want)
{
    int64_t current = 0;

    for (int i = 0; i < 2000 && current != want; i++) {
        (void)secret_id_of(name, &current);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(current, want);
}

static void
test_a_401_is_looked_after_once_in_a_while(void **state)
{
    (void)state;
    check_ok(core_rotation_start(flow.core));
    for (int i = 0; i < 5; i++) {
        rotation_suspect(flow.core, secret_id, 2);
    }
    for (int i = 0; i < 2000 && atomic_load(&service.checks) == 0; i++) {
        (void)poll(NULL, 0, 10);
    }
    atomic_store(&service.is_new_dead, true);
    rotation_suspect(flow.core, secret_id, 2); /* too soon */
    (void)poll(NULL, 0, 50);
    assert_int_equal(atomic_load(&service.checks), 1);
    set_clock(now_ms + ROTATION_SUSPECT_MS);
    rotation_suspect(flow.core, secret_id, 2);
    wait_current("s/watched", 1);
}

static void
test_the_broker_does_what_is_due_if_it_is_told_to(void **state)
{
    struct core_settings settings = core_settings_of(flow.core);

    (void)state;
    begin("s/due", 0);
    set_clock(now_ms + 2 * HOUR_MS);
    check_ok(core_rotation_start(flow.core));
    (void)poll(NULL, 0, 50);
    check_current("s/due", 1); /* cron does */
    core_rotation_stop(flow.core);
    rotation_worker_free(AG_TAKE(flow.core->rotation_worker));
    atomic_store(&flow.core->rotation_stops, false);
    settings.rotation_by_broker = true;
    core_set_settings(flow.core, &settings);
    check_ok(core_rotation_start(flow.core));
    wait_current("s/due", 2);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_what_the_provider_says_is_dead_is_taken_back, open_observed,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_a_tasks_word_changes_nothing,
                                        open_observed, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_where_neither_works_nothing_is_changed, open_observed,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_other_versions_are_not_asked_about,
                                        open_observed, close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_a_401_is_looked_after_once_in_a_while, open_observed,
            close_with_clock),
        cmocka_unit_test_setup_teardown(
            test_the_broker_does_what_is_due_if_it_is_told_to, open_observed,
            close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
