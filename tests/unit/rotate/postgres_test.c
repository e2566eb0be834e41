/* The minter of roles: its parameters, what it asks of the server, and what it
 * makes of the answers. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "common/pgfake.h"
#include "rotate/minter.h"
#include "rotate/pq.h"
#include "wire/json.h"

#define GOOD "\"dbname\":\"app\",\"user\":\"boss\",\"roles\":[\"reader\"]"

static struct pgfake fake;
static int64_t begun_ms = INT64_MAX / 2; /* of a making; a test may set it */

static const struct minter *
postgres(void)
{
    const struct minter *m = NULL;

    check_ok(minter_find("postgres", &m));
    return m;
}

static json_t *
tree_of(const char *text)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(span_str(text), strlen(text), &tree));
    return tree;
}

static void
test_parameters_are_checked(void **state)
{
    static const char *const GOOD_ONES[] = {
        "{\"host\":\"db.example.com\"," GOOD "}",
        ("{\"host\":\"127.0.0.1\",\"port\":5433,\"sslmode\":\"disable\"," GOOD
         "}"),
        ("{\"host\":\"db\",\"sslmode\":\"verify-full\",\"owner\":\"o\","
         "\"sslrootcert\":\"/etc/roots.pem\",\"format\":\"url\"," GOOD "}"),
    };
    static const char *const BAD_ONES[] = {
        "{" GOOD "}",
        "{\"host\":\"/run/postgresql\"," GOOD "}",
        "{\"host\":\"a,b\"," GOOD "}",
        "{\"host\":\"db\",\"port\":0," GOOD "}",
        "{\"host\":\"db\",\"port\":\"5432\"," GOOD "}",
        "{\"host\":\"db\",\"sslmode\":\"disable\"," GOOD "}",
        ("{\"host\":\"127.example.com\",\"sslmode\":\"disable\"," GOOD "}"),
        "{\"host\":\"db\",\"sslmode\":\"prefer\"," GOOD "}",
        "{\"host\":\"127.0.0.1\",\"sslmode\":\"require\"," GOOD "}",
        "{\"host\":\"db\",\"sslrootcert\":\"roots.pem\"," GOOD "}",
        "{\"host\":\"db\",\"format\":\"xml\"," GOOD "}",
        "{\"host\":\"db\",\"format\":1," GOOD "}",
        "{\"host\":\"db\",\"owner\":\"a\\nb\"," GOOD "}",
        "{\"host\":\"db\",\"more\":1," GOOD "}",
        "{\"host\":\"db\",\"dbname\":\"app\",\"user\":\"boss\"}",
        "{\"host\":\"db\",\"dbname\":\"app\",\"user\":\"boss\",\"roles\":[]}",
        ("{\"host\":\"db\",\"dbname\":\"app\",\"user\":\"boss\","
         "\"roles\":[\"boss\"]}"),
        "{\"host\":\"db\",\"user\":\"boss\",\"roles\":[\"reader\"]}",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD_ONES); i++) {
        json_t *params = tree_of(GOOD_ONES[i]);

        check_ok(postgres()->check(params));
        json_decref(params);
    }
    for (size_t i = 0; i < AG_COUNT(BAD_ONES); i++) {
        json_t *params = tree_of(BAD_ONES[i]);

        assert_int_equal(postgres()->check(params), AG_EINVAL);
        assert_string_not_equal(err_text(AG_EINVAL), err_title(AG_EINVAL));
        json_decref(params);
    }
}

static enum ag_err
suits(const char *text)
{
    AG_AUTO(secret) struct secret *source = NULL;
    AG_AUTO(wjson) json_t *params = tree_of("{\"host\":\"db\"," GOOD "}");

    check_ok(secret_from(span_str(text), &source));
    return postgres()->suits(params, source);
}

static void
test_the_source_is_the_password_itself(void **state)
{
    char longest[PQ_PASSWORD_MAX_BYTES + 2];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[PQ_PASSWORD_MAX_BYTES + 1] = '\0';
    check_ok(suits("owner-word"));
    check_ok(suits("{not an object"));
    check_ok(suits(longest + 1));
    check_err(suits("{\"username\":\"boss\",\"password\":\"owner-word\"}"),
              AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "#/password"));
    assert_non_null(strstr(err_text(AG_EINVAL), "boss"));
    assert_null(strstr(err_text(AG_EINVAL), "owner-word"));
    check_err(suits("owner-word\n"), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "one line"));
    check_err(suits(longest), AG_EINVAL);
}

static void
test_an_unknown_minter_is_told_which_there_are(void **state)
{
    const struct minter *m = NULL;

    (void)state;
    assert_int_equal(minter_find("mysql", &m), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "postgres"));
}

/* ---- acts ---- */

static struct minter_answer
act_at(int port, enum minter_act act, const char *more)
{
    struct minter_answer answer = {0};
    struct secret *source = NULL;
    char text[400];
    struct minter_call call = {.act = act,
                               .handle = "ag_0a1b2c3d_7",
                               .begun_ms = begun_ms,
                               .now_ms = 1,
                               .expires_ms = 1796000000000};
    json_t *params = NULL;

    (void)snprintf(text, sizeof(text),
                   "{\"host\":\"127.0.0.1\",\"port\":%d,%s" GOOD "}", port,
                   more);
    params = tree_of(text);
    call.params = params;
    check_ok(postgres()->check(params));
    check_ok(secret_from(span_str("owner-word"), &source));
    call.source = source;
    check_ok(postgres()->act(&call, &answer));
    secret_free(source);
    json_decref(params);
    return answer;
}

static struct minter_answer
act(enum minter_act what, const char *const *answers, size_t count)
{
    pgfake_script(&fake, answers, count);
    return act_at(fake.port, what, "");
}

static void
test_a_role_is_made_for_the_handle(void **state)
{
    struct minter_answer a = act(MINTER_MINT, NULL, 0);
    json_t *value = NULL;
    const char *password = NULL;

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(a.expires_ms, 1796000000000);
    assert_int_equal(fake.asked_count, 1);
    assert_non_null(strstr(fake.asked[0], "CREATE ROLE \"ag_0a1b2c3d_7\" LOGIN "
                                          "PASSWORD 'SCRAM-SHA-256$"));
    assert_non_null(strstr(fake.asked[0], "VALID UNTIL '2026-11-30T"));
    assert_non_null(
        strstr(fake.asked[0], "IN ROLE \"reader\" ROLE CURRENT_USER"));
    check_ok(wjson_parse(secret_view(a.value), 4096, &value));
    password = json_string_value(json_object_get(value, "password"));
    assert_int_equal(strlen(password), 32);
    assert_null(strstr(fake.asked[0], password)); /* nor in the server's log */
    assert_string_equal(json_string_value(json_object_get(value, "username")),
                        "ag_0a1b2c3d_7");
    json_decref(value);
    minter_answer_done(&a);
}

static void
test_the_value_may_be_an_address(void **state)
{
    struct minter_answer a;
    struct span text;
    char want[120];

    (void)state;
    pgfake_script(&fake, NULL, 0);
    a = act_at(fake.port, MINTER_MINT, "\"format\":\"url\",");
    text = secret_view(a.value);
    assert_true(span_starts(text, span_str("postgresql://ag_0a1b2c3d_7:")));
    (void)snprintf(want, sizeof(want), "@127.0.0.1:%d/app?sslmode=disable",
                   fake.port);
    assert_true(text.len > strlen(want));
    assert_memory_equal(text.ptr + text.len - strlen(want), want, strlen(want));
    minter_answer_done(&a);
}

static void
test_a_role_that_is_there_gets_the_new_password(void **state)
{
    static const char *const SCRIPT[] = {"42710"};
    struct minter_answer a = act(MINTER_MINT, SCRIPT, AG_COUNT(SCRIPT));

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(fake.asked_count, 2);
    assert_non_null(strstr(fake.asked[1], "ALTER ROLE \"ag_0a1b2c3d_7\" LOGIN "
                                          "PASSWORD 'SCRAM-SHA-256$"));
    assert_null(strstr(fake.asked[1], "IN ROLE"));
    minter_answer_done(&a);
}

static void
check_fate(enum minter_act what, const char *const *script, size_t count,
           enum rotator_outcome outcome, const char *code)
{
    struct minter_answer a = act(what, script, count);

    assert_int_equal(a.outcome, outcome);
    assert_string_equal(a.code, code);
    assert_null(a.value);
    minter_answer_done(&a);
}

static void
test_what_a_failure_means(void **state)
{
    static const char *const DENIED[] = {"42501"};
    static const char *const CUT[] = {"CUT"};
    static const char *const BUSY[] = {"XX000", "XX000", "XX000", "XX000"};
    static const char *const DOWN[] = {"57P01"};
    static const char *const LOGIN[] = {"!28P01"};
    static const char *const FULL[] = {"!53300"};

    (void)state;
    check_fate(MINTER_MINT, DENIED, 1, ROTATOR_REFUSED, "sqlstate_42501");
    check_fate(MINTER_MINT, CUT, 1, ROTATOR_UNSURE, "cut_off");
    check_fate(MINTER_MINT, BUSY, 4, ROTATOR_LATER, "sqlstate_xx000");
    assert_int_equal(fake.asked_count, 4);
    check_fate(MINTER_MINT, DOWN, 1, ROTATOR_UNSURE, "sqlstate_57p01");
    pq_close_idle(true);
    check_fate(MINTER_MINT, LOGIN, 1, ROTATOR_REFUSED, "sqlstate_28p01");
    check_fate(MINTER_MINT, FULL, 1, ROTATOR_LATER, "sqlstate_53300");
}

static void
test_a_hostile_server_is_not_waited_for_nor_quoted(void **state)
{
    static const char *const COPY[] = {"COPY"};
    static const char *const BYTES[] = {"\xff\n\"\\\x01"};
    static const char *const SHORT[] = {"425"};
    static const char *const LONG[] = {"42P01AAA"};

    (void)state;
    check_fate(MINTER_MINT, COPY, 1, ROTATOR_UNSURE, "garbage");
    check_fate(MINTER_MINT, BYTES, 1, ROTATOR_UNSURE, "no_answer");
    check_fate(MINTER_REVOKE, SHORT, 1, ROTATOR_UNSURE, "no_answer");
    check_fate(MINTER_RENEW, LONG, 1, ROTATOR_UNSURE, "no_answer");
}

static void
test_nobody_is_told_the_owners_password_in_clear(void **state)
{
    static const char *const CLEAR[] = {"!clear"};
    static const char *const SLOW[] = {"!slow"};

    (void)state;
    pq_close_idle(true);
    check_fate(MINTER_MINT, CLEAR, 1, ROTATOR_REFUSED, "asks_for_password");
    assert_int_equal(pgfake_count(&fake, "owner-word"), 0);
    check_fate(MINTER_MINT, SLOW, 1, ROTATOR_REFUSED, "asks_for_password");
    assert_int_equal(pgfake_count(&fake, "owner-word"), 0);
}

static void
test_a_name_that_begins_as_an_address_is_verified(void **state)
{
    json_t *params = tree_of("{\"host\":\"127.0.0.1.example.com\"," GOOD "}");
    struct pq_login login = {0};

    (void)state;
    pq_login_of(params, NULL, &login);
    assert_string_equal(login.sslmode, "verify-full");
    json_decref(params);
}

static void
test_others_at_the_same_moment_are_waited_for(void **state)
{
    static const char *const BUSY[] = {"XX000", "40001", NULL};
    struct minter_answer a = act(MINTER_RENEW, BUSY, AG_COUNT(BUSY));

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(fake.asked_count, 3);
    assert_non_null(strstr(
        fake.asked[2], "ALTER ROLE \"ag_0a1b2c3d_7\" VALID UNTIL '2026-11-30"));
    minter_answer_done(&a);
}

static void
test_a_revoke_closes_ends_gives_away_and_drops(void **state)
{
    struct minter_answer a = act(MINTER_REVOKE, NULL, 0);

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_int_equal(fake.asked_count, 2);
    assert_string_equal(fake.asked[0], "ALTER ROLE \"ag_0a1b2c3d_7\" NOLOGIN "
                                       "PASSWORD NULL");
    assert_string_equal(
        fake.asked[1],
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename "
        "= 'ag_0a1b2c3d_7'; REASSIGN OWNED BY \"ag_0a1b2c3d_7\" TO "
        "\"reader\"; DROP OWNED BY \"ag_0a1b2c3d_7\"; DROP ROLE "
        "\"ag_0a1b2c3d_7\"");
    minter_answer_done(&a);
}

static void
test_a_revoke_of_what_is_gone_is_done(void **state)
{
    static const char *const GONE[] = {"42704"};
    static const char *const NO_OWNER[] = {NULL, "42704"};
    struct minter_answer a = act(MINTER_REVOKE, GONE, AG_COUNT(GONE));

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_string_equal(a.code, MINTER_NONE_THERE);
    assert_int_equal(fake.asked_count, 1);
    minter_answer_done(&a);
    /* What is missing later is not the role. */
    check_fate(MINTER_REVOKE, NO_OWNER, 2, ROTATOR_REFUSED, "sqlstate_42704");
}

/* So that it is known when a making whose answer was lost is over. */
static void
test_a_making_is_bounded_here_and_at_the_server(void **state)
{
    struct minter_answer a;
    char limit[64];

    (void)state;
    begun_ms = clock_wall_ms() - 10001;
    check_fate(MINTER_MINT, NULL, 0, ROTATOR_LATER, "too_slow");
    assert_int_equal(fake.asked_count, 0);
    begun_ms = clock_wall_ms() - 1000;
    a = act(MINTER_MINT, NULL, 0);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    minter_answer_done(&a);
    begun_ms = 0; /* a revoke is asked for at any time */
    a = act(MINTER_REVOKE, NULL, 0);
    assert_int_equal(a.outcome, ROTATOR_DONE);
    minter_answer_done(&a);
    begun_ms = INT64_MAX / 2;
    (void)snprintf(limit, sizeof(limit), "SET statement_timeout = %d;",
                   PQ_STATEMENT_MS);
    assert_non_null(strstr(fake.limits, limit));
    assert_true(postgres()->settled_ms >=
                10 * 1000 + PQ_UNACKED_MS + PQ_STATEMENT_MS);
}

static void
test_nobody_there_is_later(void **state)
{
    struct minter_answer a = act_at(1, MINTER_MINT, "");

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_LATER);
    assert_string_equal(a.code, "unreachable");
    minter_answer_done(&a);
}

static void
test_a_session_is_used_again(void **state)
{
    struct minter_answer a = act(MINTER_REVOKE, NULL, 0);
    struct minter_answer b = {0};
    static const char *const NEVER[] = {"!28P01"};

    (void)state;
    minter_answer_done(&a);
    /* A new login would be refused. */
    b = act(MINTER_REVOKE, NEVER, AG_COUNT(NEVER));
    assert_int_equal(b.outcome, ROTATOR_DONE);
    minter_answer_done(&b);
    pq_close_idle(false);
    b = act(MINTER_REVOKE, NEVER, AG_COUNT(NEVER));
    assert_int_equal(b.outcome, ROTATOR_DONE);
    minter_answer_done(&b);
    pq_close_idle(true);
    b = act(MINTER_REVOKE, NEVER, AG_COUNT(NEVER));
    assert_int_equal(b.outcome, ROTATOR_REFUSED);
    minter_answer_done(&b);
}

/* Where nobody is, a file that is none, what no server takes: for all of the
 * tests. */
static int
set_up(void **state)
{
    assert_int_equal(setenv("PGHOSTADDR", "127.0.0.2", 1), 0);
    assert_int_equal(setenv("PGSERVICE", "none", 1), 0);
    assert_int_equal(setenv("PGOPTIONS", "-c none=1", 1), 0);
    assert_int_equal(setenv("PGREQUIREPEER", "nobody", 1), 0);
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

static void
test_nothing_is_taken_from_the_environment(void **state)
{
    struct minter_answer a = act(MINTER_RENEW, NULL, 0);

    (void)state;
    assert_int_equal(a.outcome, ROTATOR_DONE);
    assert_null(getenv("PGHOSTADDR"));
    assert_null(getenv("PGSERVICE"));
    assert_null(getenv("PGOPTIONS"));
    minter_answer_done(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_are_checked),
        cmocka_unit_test(test_the_source_is_the_password_itself),
        cmocka_unit_test(test_an_unknown_minter_is_told_which_there_are),
        cmocka_unit_test(test_a_role_is_made_for_the_handle),
        cmocka_unit_test(test_the_value_may_be_an_address),
        cmocka_unit_test(test_a_role_that_is_there_gets_the_new_password),
        cmocka_unit_test(test_what_a_failure_means),
        cmocka_unit_test(test_a_hostile_server_is_not_waited_for_nor_quoted),
        cmocka_unit_test(test_nobody_is_told_the_owners_password_in_clear),
        cmocka_unit_test(test_a_name_that_begins_as_an_address_is_verified),
        cmocka_unit_test(test_others_at_the_same_moment_are_waited_for),
        cmocka_unit_test(test_a_revoke_closes_ends_gives_away_and_drops),
        cmocka_unit_test(test_a_revoke_of_what_is_gone_is_done),
        cmocka_unit_test(test_a_making_is_bounded_here_and_at_the_server),
        cmocka_unit_test(test_nobody_there_is_later),
        cmocka_unit_test(test_a_session_is_used_again),
        cmocka_unit_test(test_nothing_is_taken_from_the_environment),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
