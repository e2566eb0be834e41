// WRAP: runner_run runner_is_alive runner_hold
/* Who is told what came of a rotation. The program on record is a fake. */
#include "common/rotating.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "privsep/runner.h"

enum {
    TEXT_BYTES = 512,
};

static struct {
    char told[TEXT_BYTES]; /* the last input of "notify" */
    int told_count;
    int told_status;         /* how that ends */
    enum ag_err told_err;    /* or that it can't be started */
    bool cut_off;            /* the vault was locked under it, or a crash */
    const char *refused_act; /* of the rotator's */
    const char *unsure_act;
} fake;

enum ag_err __wrap_runner_run(struct runner *r, const struct runner_job *job,
                              struct runner_result *ret, struct buf *output);
bool __wrap_runner_is_alive(struct runner *r);
void __wrap_runner_hold(struct runner *r, bool held);

void
__wrap_runner_hold(struct runner *r, bool held)
{
    (void)r;
    (void)held;
}

static enum ag_err
be_told(const struct runner_job *job, struct runner_result *ret)
{
    assert_true(job->input.len < sizeof(fake.told));
    (void)snprintf(fake.told, sizeof(fake.told), "%.*s", (int)job->input.len,
                   (const char *)job->input.ptr);
    fake.told_count++;
    assert_int_equal(job->old_fd, -1);
    assert_int_equal(job->new_fd, -1);
    assert_int_equal(job->out_fd, -1);
    assert_int_equal(job->limit_ms, 60 * 1000);
    /* However slow it is, other secrets rotate. */
    assert_int_equal(pthread_mutex_trylock(&flow.core->rotate_lock), 0);
    (void)pthread_mutex_unlock(&flow.core->rotate_lock);
    ret->cut_off = fake.cut_off;
    ret->status = fake.told_status;
    return fake.told_err;
}

static bool
is_act(const struct runner_job *job, const char *act)
{
    return act != NULL && strcmp(job->act, act) == 0;
}

enum ag_err
__wrap_runner_run(struct runner *r, const struct runner_job *job,
                  struct runner_result *ret, struct buf *output)
{
    (void)r;
    *ret = (struct runner_result){0};
    if (is_act(job, "notify")) {
        return be_told(job, ret);
    }
    ret->status = is_act(job, fake.unsure_act) ? 1 : 0;
    return buf_add_str(output, is_act(job, fake.refused_act)
                                   ? "{\"outcome\":\"refused\",\"code\":\"no\"}"
                                   : "{\"outcome\":\"done\"}");
}

bool
__wrap_runner_is_alive(struct runner *r)
{
    (void)r;
    return true;
}

static enum ag_err
do_program(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

static const struct rotation_rule_request RULE = {.name = "n/one",
                                                  .every_s = HOUR_S,
                                                  .rotator = "command",
                                                  .program = "svc",
                                                  .generate = true,
                                                  .notify = "svc"};

static const struct program_request PROGRAM = {
    .name = "svc",
    .path = "/no/such/program",
    .sha256 =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    .limit_s = 60};

static int
open_told(void **state)
{
    struct call call = {0};

    if (open_with_clock(state) != 0) {
        return -1;
    }
    memset(&fake, 0, sizeof(fake));
    flow.core->parts.runner = (struct runner *)(void *)&fake;
    call = call_of(flow.operator_peer);
    check_ok(act(do_program, &call, &PROGRAM, NULL));
    put("n/one", "the-first-value", NULL);
    set_rule(&RULE);
    return 0;
}

/* Runs it; the item says both, notify "" if nobody was told. */
static void
check_told(const char *want_result, const char *want_notify)
{
    AG_AUTO(wjson) json_t *answer = run("n/one");
    const json_t *item = json_array_get(json_object_get(answer, "items"), 0);
    const json_t *notify = json_object_get(item, "notify");

    assert_string_equal(text_at(item, "result"), want_result);
    assert_string_equal(notify != NULL ? json_string_value(notify) : "",
                        want_notify);
}

static void
check_event(const char *want)
{
    char member[64];

    (void)snprintf(member, sizeof(member), "\"event\":\"%s\"", want);
    assert_non_null(strstr(fake.told, member));
}

static void
test_what_is_current_is_told_once(void **state)
{
    struct rotation_rule_request rule = RULE;

    (void)state;
    rule.grace_s = HOUR_S;
    set_rule(&rule);
    check_told("rotated", "done");
    assert_string_equal(
        fake.told, "{\"event\":\"rotated\",\"secret\":\"n/one\",\"rotation\":"
                   "\"1\",\"rotator\":\"command\",\"old_version\":1,"
                   "\"new_version\":2,\"code\":\"\"}");
    check_told("waiting", "");
    set_clock(now_ms + HOUR_MS + 1);
    check_told("done", "");
    assert_int_equal(fake.told_count, 1);
}

static void
test_what_fails_changes_nothing(void **state)
{
    (void)state;
    fake.told_status = 3;
    check_told("done", "failed");
    check_current("n/one", 2);
    fake.told_status = 0;
    fake.told_err = AG_ECHANGED;
    check_told("done", "failed");
    check_current("n/one", 3);
    fake.told_err = AG_OK;
    check_told("done", "done");
    check_event("rotated");
}

/* What came of a run that finds nothing to do. */
static void
run_due(void)
{
    struct call call = call_of(flow.operator_peer);
    const struct rotate_request request = {.due = true};
    AG_AUTO(wjson) json_t *answer = NULL;

    check_ok(core_rotate(flow.core, &call, &request, &answer));
    assert_int_equal(json_array_size(json_object_get(answer, "items")), 0);
}

/* At least once: what is cut off is told again, the same. */
static void
test_what_is_cut_off_is_told_by_the_next_run(void **state)
{
    char first[TEXT_BYTES];

    (void)state;
    fake.cut_off = true;
    check_told("done", "waiting");
    memcpy(first, fake.told, sizeof(first));
    run_due();
    assert_int_equal(fake.told_count, 2);
    fake.cut_off = false;
    run_due();
    assert_int_equal(fake.told_count, 3);
    assert_string_equal(fake.told, first);
    run_due();
    assert_int_equal(fake.told_count, 3);
}

/* Who finds another at it leaves it to him. */
static void
test_one_tells_at_a_time(void **state)
{
    (void)state;
    (void)pthread_mutex_lock(&flow.core->tell_lock);
    check_told("done", "waiting");
    (void)pthread_mutex_unlock(&flow.core->tell_lock);
    assert_int_equal(fake.told_count, 0);
    run_due();
    assert_int_equal(fake.told_count, 1);
}

static enum ag_err
do_forget(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    (void)ret;
    return core_program_remove(core, tx, call, request);
}

/* It would never be: once is enough. */
static void
test_a_program_that_is_gone_is_not_waited_for(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct rotation_rule_request rule = RULE;

    (void)state;
    rule.rotator = "random";
    rule.program = NULL;
    rule.generate = false;
    set_rule(&rule);
    fake.cut_off = true;
    check_told("done", "waiting");
    fake.cut_off = false;
    rule.notify = NULL; /* one that a rule names stays */
    set_rule(&rule);
    check_ok(act(do_forget, &call, "svc", NULL));
    run_due();
    check_ok(act(do_program, &call, &PROGRAM, NULL));
    run_due();
    assert_int_equal(fake.told_count, 1);
}

static void
test_undone_and_in_need_of_a_person(void **state)
{
    (void)state;
    fake.refused_act = "verify";
    check_told("failed", "done");
    check_event("undone");
    fake.refused_act = NULL;
    fake.unsure_act = "retire";
    check_told("failed", "done"); /* it is current all the same */
    check_event("rotated");
    check_told("failed", "");
    check_told("needs_person", "done");
    check_event("needs_person");
    check_told("needs_person", ""); /* told already */
    assert_int_equal(fake.told_count, 3);
}

static void
test_nobody_is_told_without_a_word(void **state)
{
    struct rotation_rule_request rule = RULE;

    (void)state;
    rule.notify = NULL;
    set_rule(&rule);
    check_told("done", "");
    assert_int_equal(fake.told_count, 0);
}

static void
test_a_rule_that_names_a_program_needs_proof_and_the_program(void **state)
{
    struct rotation_rule_request rule = {.name = "n/one",
                                         .every_s = HOUR_S,
                                         .rotator = "random",
                                         .notify = "svc"};
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(act(do_rule, &call, &rule, NULL));
    call.who = CALLER_OPERATOR;
    check_err(act(do_rule, &call, &rule, NULL), AG_EPROOF);
    call = call_of(flow.operator_peer);
    rule.notify = "none";
    check_err(act(do_rule, &call, &rule, NULL), AG_ENOTFOUND);
    rule.notify = "not a name";
    check_err(act(do_rule, &call, &rule, NULL), AG_EINVAL);
}

#define TOLD(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_told, close_with_clock)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TOLD(test_what_is_current_is_told_once),
        TOLD(test_what_fails_changes_nothing),
        TOLD(test_what_is_cut_off_is_told_by_the_next_run),
        TOLD(test_one_tells_at_a_time),
        TOLD(test_a_program_that_is_gone_is_not_waited_for),
        TOLD(test_undone_and_in_need_of_a_person),
        TOLD(test_nobody_is_told_without_a_word),
        TOLD(test_a_rule_that_names_a_program_needs_proof_and_the_program),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
