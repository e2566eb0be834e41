/* The rotator of a role's password by two users: its parameters, whom it changes,
 * and what it makes of the answers. */
#include <string.h>

#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "common/pgfake.h"
#include "rotate/pq.h"
#include "rotate/rotator.h"
#include "wire/json.h"

static struct pgfake fake;

static json_t *
tree_of(struct span text)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(text, 8192, &tree));
    return tree;
}

static const struct rotator *
postgres(void)
{
    const struct rotator *r = NULL;

    check_ok(rotator_find("postgres", &r));
    return r;
}

static enum ag_err
check_of(const char *users, const char *endpoint, const char *source)
{
    json_t *params = json_pack("{s:s*, s:s*, s:s*}", "users", users, "endpoint",
                               endpoint, "source", source);
    enum ag_err err = postgres()->check(params);

    json_decref(params);
    return err;
}

static void
test_parameters_are_checked(void **state)
{
    static const char URL[] = "postgresql://boss@127.0.0.1:5433/app";
    static const char *const BAD_USERS[] = {"a", "a,", ",b", "a,a", "a,b,c"};
    static const char *const BAD_URLS[] = {
        "mysql://boss@127.0.0.1/app",     "postgresql://127.0.0.1/app",
        "postgresql://boss@127.0.0.1",    "postgresql://boss@127.0.0.1:0/app",
        "postgresql://boss@h:99999/app",  "postgresql://boss@h:x/app",
        "postgresql://boss:word@h/app",   "postgresql://boss@/app",
        "postgresql://@127.0.0.1/app",    "postgresql://boss@127.0.0.1/",
        "postgresql://boss@h/app?host=x", "postgresql://b%20@h/app",
    };

    (void)state;
    check_ok(check_of("a,b", URL, "db/boss"));
    check_ok(
        check_of("a,b", "postgresql://boss@db.example.com/app", "db/b#/x"));
    check_err(check_of("a,b", URL, NULL), AG_EINVAL);
    check_err(check_of("a,b", NULL, "db/boss"), AG_EINVAL);
    for (size_t i = 0; i < AG_COUNT(BAD_USERS); i++) {
        check_err(check_of(BAD_USERS[i], URL, "db/boss"), AG_EINVAL);
    }
    for (size_t i = 0; i < AG_COUNT(BAD_URLS); i++) {
        if (check_of("a,b", BAD_URLS[i], "db/boss") != AG_EINVAL) {
            fail_msg("%s", BAD_URLS[i]);
        }
    }
}

/* ---- acts ---- */

static struct rotator_answer
act_on(enum rotator_act act, const char *old_value, const char *new_value,
       bool has_source)
{
    struct rotator_answer answer = {0};
    struct secret *source = NULL;
    struct secret *old = NULL;
    struct secret *fresh = NULL;
    json_t *params =
        json_pack("{s:s, s:o, s:s}", "users", "app_a,app_b", "endpoint",
                  json_sprintf("postgresql://boss@127.0.0.1:%d/app", fake.port),
                  "source", "db/boss");
    struct rotator_call call = {.act = act, .params = params};

    check_ok(postgres()->check(params));
    check_ok(secret_from(span_str("the-owner-word"), &source));
    check_ok(secret_from(span_str(old_value), &old));
    check_ok(secret_from(span_str(new_value), &fresh));
    call.source = has_source ? source : NULL;
    call.old_value = old;
    call.new_value = new_value[0] != '\0' ? fresh : NULL;
    check_ok(postgres()->act(&call, &answer));
    secret_free(source);
    secret_free(old);
    secret_free(fresh);
    json_decref(params);
    return answer;
}

#define OLD "{\"username\":\"app_a\",\"password\":\"one\",\"port\":5432}"
#define NEW "{\"username\":\"app_b\",\"password\":\"two\",\"port\":5432}"

static void
test_the_other_user_gets_the_new_password(void **state)
{
    struct rotator_answer a;
    json_t *value = NULL;

    (void)state;
    pgfake_script(&fake, NULL, 0);
    a = act_on(ROTATOR_PREPARE, OLD, "", true);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(
        pgfake_count(&fake, "ALTER ROLE \"app_b\" LOGIN PASSWORD 'SCRAM-SHA"),
        1);
    assert_int_equal(fake.asked_count, 1);
    value = tree_of(secret_view(a.value));
    assert_string_equal(json_string_value(json_object_get(value, "username")),
                        "app_b");
    assert_int_equal(
        strlen(json_string_value(json_object_get(value, "password"))), 32);
    assert_int_equal(json_integer_value(json_object_get(value, "port")), 5432);
    json_decref(value);
    rotator_answer_done(&a);
    /* And back. */
    pgfake_script(&fake, NULL, 0);
    a = act_on(ROTATOR_PREPARE, NEW, "", true);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(pgfake_count(&fake, "\"app_a\""), 1);
    rotator_answer_done(&a);
}

static void
test_who_loses_the_password(void **state)
{
    struct rotator_answer a;

    (void)state;
    pgfake_script(&fake, NULL, 0);
    a = act_on(ROTATOR_RETIRE, OLD, NEW, true);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_string_equal(fake.asked[0], "ALTER ROLE \"app_a\" PASSWORD NULL");
    pgfake_script(&fake, NULL, 0);
    a = act_on(ROTATOR_UNDO, OLD, NEW, true);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_string_equal(fake.asked[0], "ALTER ROLE \"app_b\" PASSWORD NULL");
    pgfake_script(&fake, NULL, 0);
    a = act_on(ROTATOR_UNDO, OLD, "", true); /* its value was never known */
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_string_equal(fake.asked[0], "ALTER ROLE \"app_b\" PASSWORD NULL");
}

static void
check_fate(enum rotator_act act, const char *answer,
           enum rotator_outcome outcome, const char *code)
{
    const char *const script[] = {answer};
    struct rotator_answer a;

    pq_close_idle(true);
    pgfake_script(&fake, script, 1);
    a = act_on(act, OLD, NEW, true);
    assert_int_equal(a.outcome, outcome);
    assert_string_equal(a.code, code);
    assert_null(a.value);
}

static void
test_what_a_failure_means(void **state)
{
    struct rotator_answer a;

    (void)state;
    check_fate(ROTATOR_VERIFY, NULL, ROTATOR_DONE, "");
    assert_int_equal(fake.asked_count, 0); /* a login is enough */
    check_fate(ROTATOR_VERIFY, "!28P01", ROTATOR_REFUSED, "sqlstate_28p01");
    check_fate(ROTATOR_VERIFY, "!53300", ROTATOR_LATER, "sqlstate_53300");
    check_fate(ROTATOR_PREPARE, "42501", ROTATOR_REFUSED, "sqlstate_42501");
    check_fate(ROTATOR_PREPARE, "CUT", ROTATOR_UNSURE, "cut_off");
    check_fate(ROTATOR_RETIRE, "55P03", ROTATOR_LATER, "sqlstate_55p03");
    a = act_on(ROTATOR_PREPARE, OLD, "", false);
    assert_int_equal(a.outcome, ROTATOR_LATER);
    assert_string_equal(a.code, "source_gone");
    a = act_on(ROTATOR_PREPARE, "{\"username\":\"else\"}", "", true);
    assert_int_equal(a.outcome, ROTATOR_REFUSED);
    assert_string_equal(a.code, "not_of_the_two");
}

static int
set_up(void **state)
{
    wjson_setup();
    pgfake_start(&fake);
    return arena_set_up(state);
}

static int
tear_down(void **state)
{
    pq_close_idle(true);
    pgfake_stop(&fake);
    return arena_tear_down(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_are_checked),
        cmocka_unit_test(test_the_other_user_gets_the_new_password),
        cmocka_unit_test(test_who_loses_the_password),
        cmocka_unit_test(test_what_a_failure_means),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
