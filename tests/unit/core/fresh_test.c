// WRAP: core_write_wait filter_drop_group filter_load pthread_mutex_unlock
/* A value that is new in the store is given to nobody before the filter has it. */
#include "common/broker.h"
#include "core/core.h"
#include "core/redaction.h"
#include "core/state.h"
#include "privsep/filter.h"

static bool puts_first; /* another's put comes between a call and its job */

enum ag_err __real_core_write_wait(struct core *core, struct core_job *job);
enum ag_err __wrap_core_write_wait(struct core *core, struct core_job *job);

enum ag_err
__wrap_core_write_wait(struct core *core, struct core_job *job)
{
    if (puts_first) {
        puts_first = false;
        put("github/bot", "a-value-that-came-in-between", NULL);
    }
    return __real_core_write_wait(core, job);
}

/* ---- who commits as soon as he may ---- */

static struct core *hasty; /* NULL: nobody */
static bool is_out;        /* the value is out of the set */
static size_t commit_count;

enum ag_err __real_filter_drop_group(struct filter *f, uint64_t id);
enum ag_err __wrap_filter_drop_group(struct filter *f, uint64_t id);
enum ag_err __real_filter_load(struct filter *f, uint64_t id, const char *name,
                               const struct secret *value,
                               enum filter_load_flags flags);
enum ag_err __wrap_filter_load(struct filter *f, uint64_t id, const char *name,
                               const struct secret *value,
                               enum filter_load_flags flags);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

enum ag_err
__wrap_filter_drop_group(struct filter *f, uint64_t id)
{
    is_out = hasty != NULL;
    return __real_filter_drop_group(f, id);
}

enum ag_err
__wrap_filter_load(struct filter *f, uint64_t id, const char *name,
                   const struct secret *value, enum filter_load_flags flags)
{
    is_out = false;
    return __real_filter_load(f, id, name, value, flags);
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    struct core *core = hasty;
    int result = __real_pthread_mutex_unlock(lock);

    if (core != NULL && lock == &core->set_lock) {
        hasty = NULL;
        assert_false(is_out);
        check_ok(core_hide(core));
        commit_count++;
        hasty = core;
    }
    return result;
}

static enum ag_err
read_quick(void)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const struct get_request request = {.name = "github/bot"};
    struct call call = {0};
    int64_t version = 0;
    enum ag_err err = AG_OK;

    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    err = core_secret_get_quick(flow.core, &call, &request, &version, &value);
    access_done(flow.core, &call);
    return err;
}

static void
test_a_quick_reading_waits_for_the_filter(void **state)
{
    (void)state;
    start_task();
    check_ok(core_hide(flow.core));
    assert_false(core_must_hide(flow.core));
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(read_quick());
    put("some/other", "a-value-of-another-secret", NULL);
    assert_true(core_must_hide(flow.core));
    check_err(read_quick(), AG_EBUSY); /* to the slow one, which waits */
    check_ok(core_hide(flow.core));
    assert_false(core_must_hide(flow.core));
    check_ok(read_quick());
}

static void
test_what_is_delivered_is_in_force(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;

    (void)state;
    start_task();
    puts_first = true;
    check_ok(handout_value(flow.core, &line, task.env_ticket, &value));
    assert_false(puts_first);
    check_span(secret_view(value), "a-value-that-came-in-between");
    assert_false(core_must_hide(flow.core));
}

static void
test_what_is_filled_anew_is_never_out(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;

    (void)state;
    put("some/other", "a-value-of-another-secret", NULL);
    check_ok(store_read(flow.core->store, &r));
    commit_count = 0;
    hasty = flow.core;
    check_ok(redaction_refill(flow.core, r, ""));
    hasty = NULL;
    assert_true(commit_count > 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_quick_reading_waits_for_the_filter, flow_open_vault,
            flow_close),
        cmocka_unit_test_setup_teardown(test_what_is_delivered_is_in_force,
                                        flow_open_vault, flow_close),
        cmocka_unit_test_setup_teardown(test_what_is_filled_anew_is_never_out,
                                        flow_open_vault, flow_close),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
