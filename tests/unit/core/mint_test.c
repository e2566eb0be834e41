/* Minting on a real store with a real filter, at a server that answers by a
 * script: once for each task, revoked at its end, and after every failure. */
#include "common/incidents.h"
#include "common/minting.h"

/* ---- made, used, revoked ---- */

static void
check_destroyed(int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;

    check_ok(store_read(flow.core->store, &r));
    check_ok(
        versions_get(r, secret_id_of("db/app", &current), number, &version));
    assert_int_equal(version.state, VERSION_DESTROYED);
}

static void
test_each_task_has_its_own_and_it_ends_with_it(void **state)
{
    AG_AUTO(secret) struct secret *a = NULL;
    AG_AUTO(secret) struct secret *b = NULL;
    AG_AUTO(secret) struct secret *gone = NULL;
    int64_t one = start_one();
    int64_t two = start_one();
    int64_t version = 0;
    int64_t other = 0;

    (void)state;
    script(NULL, 0);
    check_err(value_for(one, &a, &version), AG_ENOTFOUND);
    check_ok(get(one));
    check_ok(get(one)); /* there already */
    check_ok(get(two));
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 2);
    check_ok(value_for(one, &a, &version));
    check_ok(value_for(two, &b, &other));
    assert_false(secret_equal(a, b));
    assert_int_not_equal(version, other);
    check_current("db/app", 0); /* nobody's current one */
    check_err(value_for(0, &gone, &other), AG_ENOTFOUND);
    assert_int_equal(counts().live, 2);
    end_one(one);
    wait_open(1);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    check_err(value_for(one, &gone, &other), AG_ENOTFOUND);
    check_destroyed(version);
    end_one(two);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 2);
}

struct handles {
    size_t count;
    char texts[2][MINTED_HANDLE_BYTES];
};

static enum ag_err
note_handle(const struct minted_row *row, void *arg)
{
    struct handles *handles = arg;

    assert_true(handles->count < AG_COUNT(handles->texts));
    (void)snprintf(handles->texts[handles->count++], MINTED_HANDLE_BYTES, "%s",
                   row->handle);
    return AG_OK;
}

/* ag_VAULT_NUMBER_ and 64 bits of its own: the number alone comes again in a
 * copy of the vault. */
static const char *
own_part(const char *handle)
{
    const char *own = strrchr(handle, '_');

    assert_int_equal(strspn(handle, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(handle));
    assert_true(strncmp(handle, "ag_", 3) == 0 && own != NULL);
    assert_int_equal(strspn(own + 1, "0123456789abcdef"), 16);
    assert_int_equal(strlen(own + 1), 16);
    return own;
}

static void
test_a_name_at_the_provider_is_no_others(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct handles handles = {0};
    char made[MINTED_HANDLE_BYTES + 16];
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_ok(get(start_one()));
    check_ok(store_read(flow.core->store, &r));
    check_ok(minted_open_each(r, 0, 10, note_handle, &handles));
    assert_int_equal(handles.count, 2);
    assert_string_not_equal(own_part(handles.texts[0]),
                            own_part(handles.texts[1]));
    for (size_t i = 0; i < 2; i++) { /* the row's is what the server was told */
        (void)snprintf(made, sizeof(made), "CREATE ROLE \"%s\"",
                       handles.texts[i]);
        assert_int_equal(pgfake_count(&fake, made), 1);
    }
}

static void
test_a_reading_waits_for_it_only_by_its_grant(void **state)
{
    struct call call = {0};
    struct get_request request = {.name = "db/app"};
    struct mint_wait wait = {0};
    enum mint_say say = MINT_WAIT;

    (void)state;
    script(NULL, 0);
    (void)start_one();
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    request.name = "github/bot";
    check_ok(mint_ask_reading(flow.core, &call, &request, &wait, &say));
    assert_int_equal(say, MINT_GO);
    request.name = "db/app";
    request.version = 1;
    check_ok(mint_ask_reading(flow.core, &call, &request, &wait, &say));
    assert_int_equal(say, MINT_GO);
    assert_int_equal(counts().open, 0);
    access_done(flow.core, &call);
}

/* What may have leaked makes nothing more; what it made is revoked. */
static void
test_a_source_on_hold_makes_nothing(void **state)
{
    int64_t one = start_one();
    int64_t two = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(get(one));
    check_ok(set_on_leak("db/boss", "hold"));
    check_ok(leaked("db/boss", 0, NULL));
    check_err(get(two), AG_EONHOLD);
    assert_null(strstr(err_text(AG_EONHOLD), "db/boss"));
    check_ok(get(one)); /* it has it */
    end_one(one);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 1);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    close_newest();
    check_ok(get(two));
    check_ok(set_on_leak("db/boss", "record"));
}

static void
test_an_ended_task_gets_none(void **state)
{
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    end_one(one);
    check_err(get(one), AG_EREVOKED);
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 0);
}

/* ---- failures ---- */

static void
test_what_was_refused_is_said_and_paused(void **state)
{
    static const char *const DENIED[] = {"42501"};
    int64_t one = start_one();

    (void)state;
    script(DENIED, AG_COUNT(DENIED));
    check_err(get(one), AG_EMINT);
    assert_non_null(strstr(err_text(AG_EMINT), "sqlstate_42501"));
    assert_int_equal(counts().open, 0); /* nothing came of it */
    check_err(get(one), AG_EMINT);
    assert_non_null(strstr(err_text(AG_EMINT), "next try is in 1 s"));
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 1);
    set_clock(now_ms + 1001);
    check_ok(get(one));
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 2);
}

static void
test_a_lost_answer_is_revoked_by_its_handle(void **state)
{
    static const char *const CUT[] = {"CUT"};
    int64_t one = start_one();

    (void)state;
    script(CUT, AG_COUNT(CUT));
    check_err(get(one), AG_EMINT);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    set_clock(now_ms + 2000);
    check_ok(get(one)); /* by another name */
    assert_int_equal(counts().live, 1);
}

static const int64_t SETTLED_MS = 25 * INT64_C(1000); /* of `postgres` */

/* The revoke came before the making was through at the server. */
static void
test_a_lost_answer_is_looked_for_once_more(void **state)
{
    static const char *const COMES_LATE[] = {"CUT", "42704"};
    int64_t one = start_one();

    (void)state;
    script(COMES_LATE, AG_COUNT(COMES_LATE));
    check_err(get(one), AG_EMINT);
    wait_attempts(1);
    assert_int_equal(counts().revoking, 1);
    set_clock(now_ms + SETTLED_MS - 1);
    tick();
    (void)poll(NULL, 0, 20);
    assert_int_equal(pgfake_count(&fake, "NOLOGIN"), 1); /* not before */
    set_clock(now_ms + 1);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "NOLOGIN"), 2);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
}

static void
test_a_lost_answer_that_nothing_came_of_ends(void **state)
{
    static const char *const NEVER_CAME[] = {"CUT", "42704", "42704"};
    int64_t one = start_one();

    (void)state;
    script(NEVER_CAME, AG_COUNT(NEVER_CAME));
    check_err(get(one), AG_EMINT);
    wait_attempts(1);
    set_clock(now_ms + SETTLED_MS);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "NOLOGIN"), 2);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 0);
}

/* Its making was heard of: what is gone was dropped by somebody else. */
static void
test_what_is_gone_has_ended(void **state)
{
    static const char *const GONE[] = {NULL, "42704"};
    int64_t one = start_one();

    (void)state;
    script(GONE, AG_COUNT(GONE));
    check_ok(get(one));
    end_one(one);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "NOLOGIN"), 1);
}

static void
test_the_end_of_a_task_waits_for_what_is_being_made(void **state)
{
    static const char *const HOLD[] = {"HOLD"};
    struct mint_wait wait = {0};
    enum mint_say say = MINT_GO;
    int64_t one = start_one();
    int64_t current = 0;

    (void)state;
    script(HOLD, AG_COUNT(HOLD));
    check_ok(mint_ask(flow.core, one, secret_id_of("db/app", &current), &wait,
                      &say));
    assert_int_equal(say, MINT_WAIT);
    for (int i = 0; i < LOOKS_COUNT && !atomic_load(&fake.is_held); i++) {
        (void)poll(NULL, 0, 1);
    }
    mint_forget(flow.core, &wait);
    end_one(one);
    assert_int_equal(counts().revoking, 1);
    (void)poll(NULL, 0, 50); /* a revoke now would find nothing to revoke */
    assert_int_equal(pgfake_count(&fake, "NOLOGIN"), 0);
    atomic_store(&fake.released, true);
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
}

static void
test_a_revoke_is_tried_until_it_succeeds(void **state)
{
    static const char *const FAILS[] = {NULL, NULL, "2BP01", NULL, "2BP01"};
    int64_t one = start_one();

    (void)state;
    script(FAILS, AG_COUNT(FAILS));
    check_ok(get(one));
    end_one(one);
    wait_attempts(1);
    assert_int_equal(counts().failed, 1);
    tick();
    assert_int_equal(counts().open, 1); /* not before its time */
    set_clock(now_ms + 1001);
    tick();
    wait_attempts(2);
    set_clock(now_ms + DAY_MS * 30); /* long after its end: it lingers */
    for (int i = 0; i < LOOKS_COUNT && counts().open != 0; i++) {
        tick();
        (void)poll(NULL, 0, 1);
    }
    wait_open(0);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 3);
}

static void
test_a_clock_that_was_ahead_does_not_hold_up_a_revoke(void **state)
{
    static const char *const FAILS[] = {NULL, NULL, "2BP01"};
    int64_t one = start_one();

    (void)state;
    script(FAILS, AG_COUNT(FAILS));
    check_ok(get(one));
    set_clock(now_ms + 10000);
    end_one(one);
    wait_attempts(1);
    set_clock(now_ms - DAY_MS);
    for (int i = 0; i < LOOKS_COUNT && counts().open != 0; i++) {
        tick();
        (void)poll(NULL, 0, 1);
    }
    wait_open(0);
}

static void
test_it_is_renewed_while_its_task_runs(void **state)
{
    AG_AUTO(secret) struct secret *before = NULL;
    AG_AUTO(secret) struct secret *after = NULL;
    int64_t version = 0;
    int64_t one = 0;

    (void)state;
    script(NULL, 0);
    check_ok(try_rule("db/app", "db/boss", 60));
    one = start_one();
    check_ok(get(one));
    check_ok(value_for(one, &before, &version));
    set_clock(now_ms + 44000);
    tick();
    assert_int_equal(pgfake_count(&fake, "VALID UNTIL"), 1);
    set_clock(now_ms + 2000); /* a quarter before its end */
    tick();
    wait_expires(now_ms + 60000);
    set_clock(now_ms + 20000); /* past its first end */
    check_ok(get(one));
    check_ok(value_for(one, &after, &version));
    assert_true(secret_equal(before, after));
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 1);
}

static void
test_one_that_the_provider_lost_is_made_anew(void **state)
{
    static const char *const GONE[] = {NULL, "42704"};
    int64_t one = 0;

    (void)state;
    script(GONE, AG_COUNT(GONE));
    check_ok(try_rule("db/app", "db/boss", 60));
    one = start_one();
    check_ok(get(one));
    set_clock(now_ms + 46000);
    tick();
    wait_open(0);
    check_ok(get(one));
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 2);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MINTING(test_each_task_has_its_own_and_it_ends_with_it),
        MINTING(test_a_name_at_the_provider_is_no_others),
        MINTING(test_a_reading_waits_for_it_only_by_its_grant),
        MINTING(test_a_source_on_hold_makes_nothing),
        MINTING(test_an_ended_task_gets_none),
        MINTING(test_what_was_refused_is_said_and_paused),
        MINTING(test_a_lost_answer_is_revoked_by_its_handle),
        MINTING(test_a_lost_answer_is_looked_for_once_more),
        MINTING(test_a_lost_answer_that_nothing_came_of_ends),
        MINTING(test_what_is_gone_has_ended),
        MINTING(test_the_end_of_a_task_waits_for_what_is_being_made),
        MINTING(test_a_revoke_is_tried_until_it_succeeds),
        MINTING(test_a_clock_that_was_ahead_does_not_hold_up_a_revoke),
        MINTING(test_it_is_renewed_while_its_task_runs),
        MINTING(test_one_that_the_provider_lost_is_made_anew),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
