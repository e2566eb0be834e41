/* Programs on record: which rules keep one there. */
#include "common/rotating.h"

static enum ag_err
do_program(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

static enum ag_err
do_program_remove(struct core *core, struct db_tx *tx, const struct call *call,
                  const void *request, json_t **ret)
{
    (void)ret;
    return core_program_remove(core, tx, call, request);
}

static enum ag_err
do_rule_remove(struct core *core, struct db_tx *tx, const struct call *call,
               const void *request, json_t **ret)
{
    (void)ret;
    return core_rotation_rule_remove(core, tx, call, request);
}

static enum ag_err
remove_program(const char *name)
{
    struct call call = call_of(flow.operator_peer);

    return act(do_program_remove, &call, name, NULL);
}

static void
add_program(const char *name)
{
    struct call call = call_of(flow.operator_peer);
    const struct program_request program = {
        .name = name,
        .path = "/no/such/program",
        .sha256 =
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .limit_s = 60};

    check_ok(act(do_program, &call, &program, NULL));
}

static void
use(const char *secret, const char *program, const char *notify)
{
    put(secret, "the-first-value", NULL);
    set_rule(&(struct rotation_rule_request){
        .name = secret,
        .every_s = HOUR_S,
        .rotator = program != NULL ? "command" : "random",
        .program = program,
        .generate = program != NULL,
        .notify = notify});
}

static void
test_one_that_a_rule_starts_stays_on_record(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    add_program("svc");
    add_program("other");
    use("p/one", "svc", NULL);
    use("p/two", NULL, "svc");
    use("p/three", "other", NULL);
    check_err(remove_program("svc"), AG_ECONFLICT);
    assert_non_null(strstr(err_text(AG_ECONFLICT), "2 rules start svc"));
    assert_non_null(strstr(err_text(AG_ECONFLICT), "p/one, p/two"));
    assert_null(strstr(err_text(AG_ECONFLICT), "p/three"));
    check_ok(act(do_rule_remove, &call, "p/one", NULL));
    check_err(remove_program("svc"), AG_ECONFLICT);
    assert_non_null(strstr(err_text(AG_ECONFLICT), "1 rule starts svc"));
    check_ok(act(do_remove, &call, "p/two", NULL)); /* its secret */
    check_ok(remove_program("svc"));
}

static void
test_some_of_many_rules_are_named(void **state)
{
    static const char *const NAMES[] = {"p/a", "p/b", "p/c", "p/d"};

    (void)state;
    add_program("svc");
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        use(NAMES[i], "svc", "svc");
    }
    check_err(remove_program("svc"), AG_ECONFLICT);
    assert_non_null(strstr(err_text(AG_ECONFLICT), "4 rules start svc"));
    assert_non_null(strstr(err_text(AG_ECONFLICT), "p/a, p/b, p/c, …"));
}

static void
test_one_that_is_not_there_is_said_so(void **state)
{
    (void)state;
    check_err(remove_program("nosuch"), AG_ENOTFOUND);
    assert_non_null(
        strstr(err_text(AG_ENOTFOUND), "no program nosuch is on record"));
    check_err(remove_program("no/such"), AG_EINVAL);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_one_that_a_rule_starts_stays_on_record, open_with_clock,
            close_with_clock),
        cmocka_unit_test_setup_teardown(test_some_of_many_rules_are_named,
                                        open_with_clock, close_with_clock),
        cmocka_unit_test_setup_teardown(test_one_that_is_not_there_is_said_so,
                                        open_with_clock, close_with_clock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
