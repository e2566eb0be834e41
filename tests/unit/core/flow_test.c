/*
 * The use cases on a real store and a real filter process: a vault's life, a
 * secret's, a task's with its tokens, adopt and release, what is refused.
 */
#include "common/broker.h"

/* ---- the vault ---- */

static void
test_init_makes_an_open_vault_and_an_operator(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(secret) struct secret *brief = secret_of("short");
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    assert_int_equal(core_state(flow.core), VAULT_ABSENT);
    assert_int_equal(call.who, CALLER_NEIGHBOUR);
    check_err(vault_init(flow.core, &call, brief, &answer), AG_EINVAL);
    check_ok(vault_init(flow.core, &call, passphrase, &answer));
    assert_int_equal(strlen(text_at(answer, "recovery_code")), 39);
    assert_int_equal(core_state(flow.core), VAULT_OPEN);
    assert_int_equal(call_of(flow.operator_peer).who, CALLER_PROOF);
    assert_int_equal(call_of(flow.stranger_peer).who, CALLER_NEIGHBOUR);
    check_err(vault_init(flow.core, &call, passphrase, &answer), AG_EEXISTS);
}

static void
test_a_value_comes_back_with_proof_only(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct got got = {.request = {.name = "github/bot"}};
    struct got *request = &got;

    (void)state;
    put("github/bot", VALUE, NULL);
    check_ok(act(do_get, &call, &request, NULL));
    check_span(secret_view(got.value), VALUE);
    assert_int_equal(got.version, 1);
    secret_free(AG_TAKE(got.value));
    call.who = CALLER_OPERATOR;
    check_err(act(do_get, &call, &request, NULL), AG_EPROOF);
    call.who = CALLER_NEIGHBOUR;
    check_err(act(do_get, &call, &request, NULL), AG_EPROOF);
    assert_null(got.value);
}

static void
test_put_checks_the_version_it_was_told(void **state)
{
    AG_AUTO(secret) struct secret *value = secret_of(VALUE);
    struct call call = call_of(flow.operator_peer);
    struct put_request request = {
        .name = "github/bot", .value = value, .if_version = 0};

    (void)state;
    check_err(act(do_put, &call, &request, NULL), AG_EEXISTS);
    request.if_version = 7;
    check_err(act(do_put, &call, &request, NULL), AG_ECONFLICT);
    request.if_version = 1;
    check_ok(act(do_put, &call, &request, NULL));
    request.name = "../etc";
    check_err(act(do_put, &call, &request, NULL), AG_EINVAL);
}

static void
test_lock_forgets_and_a_wrong_passphrase_opens_nothing(void **state)
{
    AG_AUTO(secret) struct secret *wrong = secret_of("wrong horse battery");
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request bad = {.passphrase = wrong};
    const struct unlock_request good = {.passphrase = passphrase};

    (void)state;
    check_ok(vault_lock(flow.core, &call));
    assert_int_equal(core_state(flow.core), VAULT_LOCKED);
    assert_int_equal(call_of(flow.operator_peer).who, CALLER_NEIGHBOUR);
    check_err(core_secret_list(flow.core, &call, NULL, &answer), AG_ELOCKED);
    call = call_of(flow.operator_peer);
    check_err(vault_unlock(flow.core, &call, &bad, &answer), AG_EPASSPHRASE);
    check_ok(vault_unlock(flow.core, &call, &good, &answer));
    assert_true(json_is_true(json_object_get(answer, "operator")));
    assert_int_equal(call_of(flow.operator_peer).who, CALLER_PROOF);
}

/* ---- tasks and tokens ---- */

static void
test_a_task_reads_what_it_was_granted(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;

    (void)state;
    put("gitlab/bot", VALUE, NULL);
    start_task();
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(read_as_task(task.token, "github/bot"));
    check_err(read_as_task(task.token, "gitlab/bot"), AG_ENOGRANT);
    check_ok(handout_value(flow.core, &line, task.env_ticket, &value));
    check_span(secret_view(value), VALUE);
    secret_free(AG_TAKE(value));
    check_err(handout_value(flow.core, &line, task.env_ticket, &value),
              AG_ETICKET);
}

static void
test_a_task_that_prints_its_token_is_redacted(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(record_redact(flow.core, &call, span_str(task.token), &answer));
    assert_string_equal(text_at(answer, "text"), "[redacted:auth-guard/token]");
}

static void
test_a_task_is_never_the_operator(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.task_peer);
    const struct unlock_request good = {.passphrase = passphrase};

    (void)state;
    assert_int_equal(call.who, CALLER_TASK);
    check_err(vault_unlock(flow.core, &call, &good, &answer), AG_EDENIED);
    assert_int_equal(call_of(flow.task_peer).who, CALLER_TASK);
}

static void
test_bad_tokens_each_have_their_code(void **state)
{
    char bent[64];

    (void)state;
    check_err(show_token(flow.task_peer, "nonsense"), AG_ETOKEN);
    (void)snprintf(bent, sizeof(bent), "%.52s", task.token);
    check_err(show_token(flow.task_peer, bent), AG_ETOKEN);
    (void)snprintf(bent, sizeof(bent), "%s", task.token);
    bent[10] = bent[10] == 'a' ? 'b' : 'a';
    check_err(show_token(flow.task_peer, bent), AG_ETOKEN);
}

static enum ag_err
revoke_self(const char *token)
{
    const struct revoke_request request = {.self = true};
    struct call call = {0};
    enum ag_err err = AG_OK;

    check_ok(access_check(flow.core, flow.task_peer, span_str(token), &call));
    err = act(do_revoke, &call, &request, NULL);
    access_done(flow.core, &call);
    return err;
}

/* Its newest are, as its first one is. */
static void
test_a_child_that_is_printed_is_redacted(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    make_child((struct token_request){.ttl_ms = 5000}, AG_OK);
    check_ok(core_hide(flow.core));
    check_ok(record_redact(flow.core, &call, span_str(task.child), &answer));
    assert_string_equal(text_at(answer, "text"), "[redacted:auth-guard/token]");
    check_ok(revoke_self(task.child));
}

static void
test_a_child_is_narrower_and_runs_out(void **state)
{
    const struct task_grant_request wide[] = {
        {.secret = "*", .verb = "read", .uses = -1}};
    const struct task_grant_request narrow[] = {
        {.secret = "github/bot", .verb = "read", .uses = -1}};

    (void)state;
    make_child((struct token_request){.grants = wide, .grant_count = 1},
               AG_EWIDER);
    make_child((struct token_request){.ttl_ms = INT64_C(3600) * 1000},
               AG_EWIDER);
    make_child((struct token_request){.unbound = true}, AG_EWIDER);
    make_child(
        (struct token_request){.grants = narrow, .grant_count = 1, .uses = 2},
        AG_OK);
    check_ok(read_as_task(task.child, "github/bot"));
    check_ok(read_as_task(task.child, "github/bot"));
    check_err(read_as_task(task.child, "github/bot"), AG_EUSEDUP);
}

/* Else one use would be as many as its holder makes children. */
static void
test_a_token_of_few_uses_has_no_children(void **state)
{
    const struct token_request request = {.uses = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = {0};

    (void)state;
    make_child((struct token_request){.uses = 1}, AG_OK);
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.child), &call));
    check_err(act(do_token, &call, &request, &answer), AG_EWIDER);
    access_done(flow.core, &call);
}

/* Its own, the two made above, two more: five. */
static void
test_a_task_has_so_many_tokens(void **state)
{
    char last[64];

    (void)state;
    make_child((struct token_request){.ttl_ms = 10000}, AG_OK);
    make_child((struct token_request){.ttl_ms = 20000}, AG_OK);
    (void)snprintf(last, sizeof(last), "%s", task.child);
    make_child((struct token_request){.ttl_ms = 10000}, AG_ELIMIT);
    assert_non_null(strstr(err_text(AG_ELIMIT), "tokens_max"));
    check_ok(revoke_self(last));
    make_child((struct token_request){.ttl_ms = 10000}, AG_OK);
    make_child((struct token_request){.ttl_ms = 10000}, AG_ELIMIT);
    /* It has left the table, and is still told from one that never was. */
    check_err(show_token(flow.task_peer, last), AG_EREVOKED);
    clock_fix_ms(clock_wall_ms() + 10001);
    make_child((struct token_request){.ttl_ms = 5000}, AG_OK);
    clock_fix_ms(-1);
}

/* A read that waited for the writer while its token was revoked. */
static void
test_a_revoked_token_reads_nothing_that_waited(void **state)
{
    struct got got = {.request = {.name = "github/bot"}};
    struct got *request = &got;
    struct call call = {0};

    (void)state;
    make_child((struct token_request){.ttl_ms = 30000}, AG_OK);
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.child), &call));
    check_ok(revoke_self(task.child));
    check_err(act(do_get, &call, &request, NULL), AG_EREVOKED);
    assert_null(got.value);
    access_done(flow.core, &call);
}

static void
test_an_expired_token_says_so(void **state)
{
    enum ag_err err;

    (void)state;
    make_child((struct token_request){.ttl_ms = 60000}, AG_OK);
    check_ok(show_token(flow.task_peer, task.child));
    clock_fix_ms(clock_wall_ms() + 60001);
    err = show_token(flow.task_peer, task.child);
    clock_fix_ms(-1);
    check_err(err, AG_EEXPIRED);
}

static void
test_another_process_ends_the_task(void **state)
{
    (void)state;
    check_err(show_token(flow.stranger_peer, task.token), AG_EPROCESS);
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
    assert_non_null(ended_reason);
    /* The line has not closed: whoever is in the tree is still a task. */
    assert_int_equal(call_of(flow.task_peer).who, CALLER_TASK);
    handout_lost(flow.core, 1);
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
}

static void
test_revoking_the_first_token_ends_the_task(void **state)
{
    struct call call = {0};
    const struct revoke_request request = {.self = true};

    (void)state;
    start_task();
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    check_ok(act(do_revoke, &call, &request, NULL));
    access_done(flow.core, &call);
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
    assert_string_equal(ended_reason, "revoked");
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* ---- adopt and release ---- */

static void
begin(const char *kind, char id[32], char ticket[64], enum ag_err want)
{
    struct call call = call_of(flow.operator_peer);
    const struct move_request request = {.kind = kind,
                                         .name = "netrc/default",
                                         .path = "/home/p/.netrc",
                                         .size_bytes = 28,
                                         .mode = 0600};
    AG_AUTO(wjson) json_t *answer = NULL;

    check_err(act(do_begin, &call, &request, &answer), want);
    if (want == AG_OK) {
        (void)snprintf(id, 32, "%s", text_at(answer, "id"));
        (void)snprintf(ticket, 64, "%s", text_at(answer, "ticket"));
    }
}

static void
test_a_move_before_its_commit_is_undone(void **state)
{
    AG_AUTO(secret) struct secret *content = secret_of(VALUE);
    AG_AUTO(wjson) json_t *open = NULL;
    struct call call = call_of(flow.operator_peer);
    struct take_result result = {0};
    char id[32];
    char ticket[64];

    (void)state;
    line.connection_id++;
    begin("adopt", id, ticket, AG_OK);
    check_err(act(do_commit, &call, id, NULL), AG_ECONFLICT);
    check_ok(handout_take(flow.core, &line, ticket, content, &result));
    assert_int_equal(result.version, 1);
    begin("adopt", id, ticket, AG_EBUSY);
    check_ok(core_moves_open(flow.core, &call, &open));
    assert_int_equal(json_array_size(json_object_get(open, "moves")), 1);
    check_ok(act(do_undo, &call, id, NULL));
    check_err(act(do_commit, &call, id, NULL), AG_ECONFLICT);
}

static void
test_adopt_and_release_come_round(void **state)
{
    AG_AUTO(secret) struct secret *content = secret_of(VALUE);
    AG_AUTO(secret) struct secret *back = NULL;
    AG_AUTO(wjson) json_t *list = NULL;
    AG_AUTO(wjson) json_t *versions = NULL;
    struct call call = call_of(flow.operator_peer);
    struct take_result result = {0};
    char id[32];
    char ticket[64];

    (void)state;
    line.connection_id++;
    begin("adopt", id, ticket, AG_OK);
    check_ok(handout_take(flow.core, &line, ticket, content, &result));
    check_ok(act(do_commit, &call, id, NULL));
    check_ok(act(do_erased, &call, id, NULL));
    begin("release", id, ticket, AG_OK);
    check_ok(handout_value(flow.core, &line, ticket, &back));
    assert_true(secret_equal(back, content));
    check_ok(act(do_commit, &call, id, NULL));
    check_ok(act(do_erased, &call, id, NULL));
    begin("release", id, ticket, AG_ENOTFOUND);
    /* It is no secret any more, but what it was is not forgotten. */
    check_ok(core_secret_list(flow.core, &call, "netrc/", &list));
    assert_int_equal(json_array_size(json_object_get(list, "secrets")), 0);
    check_ok(
        core_secret_versions(flow.core, &call, "netrc/default", &versions));
    assert_string_equal(
        text_at(json_array_get(json_object_get(versions, "versions"), 0),
                "state"),
        "released");
}

/* ---- the record ---- */

static void
test_the_record_verifies_and_names_the_exposed(void **state)
{
    AG_AUTO(wjson) json_t *verified = NULL;
    AG_AUTO(wjson) json_t *exposure = NULL;
    AG_AUTO(wjson) json_t *tail = NULL;

    (void)state;
    check_ok(record_verify(flow.core, &verified));
    check_ok(record_exposure(flow.core, "github/bot", NULL, &exposure));
    assert_true(json_array_size(json_object_get(exposure, "exposure")) >= 2);
    check_err(record_exposure(flow.core, NULL, NULL, &exposure), AG_EINVAL);
    check_ok(record_audit(flow.core, -1, 500, &tail));
    assert_true(json_array_size(json_object_get(tail, "rows")) > 20);
}

static void
test_redact_takes_out_what_the_vault_holds(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof(text), "token %s here", VALUE);
    check_ok(record_redact(flow.core, &call, span_str(text), &answer));
    assert_null(strstr(text_at(answer, "text"), VALUE));
    assert_int_equal(json_integer_value(json_object_get(answer, "hits")), 1);
}

/* The kind of the newest row of the record. */
static void
check_newest(const char *kind)
{
    AG_AUTO(wjson) json_t *tail = NULL;

    check_ok(record_audit(flow.core, -1, 1, &tail));
    assert_string_equal(
        text_at(json_array_get(json_object_get(tail, "rows"), 0), "kind"),
        kind);
}

/* Every place that asks for the passphrase notes a wrong one and lets the next
 * ones wait. */
static void
test_wrong_passphrases_count_wherever_they_are_asked_for(void **state)
{
    AG_AUTO(secret) struct secret *wrong = secret_of("wrong horse battery");
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_err(vault_rekey(flow.core, &call, wrong, &answer), AG_EPASSPHRASE);
    check_newest("proof.failed");
    check_err(vault_change_passphrase(flow.core, &call, wrong, passphrase),
              AG_EPASSPHRASE);
    check_newest("proof.failed");
    check_ok(vault_prove(flow.core, &call, passphrase, &answer));
    check_newest("proof.given");
}

static void
test_rekey_keeps_every_value(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *verified = NULL;
    struct call call = call_of(flow.operator_peer);
    struct got got = {.request = {.name = "github/bot"}};
    struct got *request = &got;

    (void)state;
    check_ok(vault_rekey(flow.core, &call, passphrase, &answer));
    check_ok(act(do_get, &call, &request, NULL));
    check_span(secret_view(got.value), VALUE);
    secret_free(AG_TAKE(got.value));
    check_ok(record_verify(flow.core, &verified));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_makes_an_open_vault_and_an_operator),
        cmocka_unit_test(test_a_value_comes_back_with_proof_only),
        cmocka_unit_test(test_put_checks_the_version_it_was_told),
        cmocka_unit_test(
            test_lock_forgets_and_a_wrong_passphrase_opens_nothing),
        cmocka_unit_test(test_a_task_reads_what_it_was_granted),
        cmocka_unit_test(test_a_task_that_prints_its_token_is_redacted),
        cmocka_unit_test(test_a_task_is_never_the_operator),
        cmocka_unit_test(test_bad_tokens_each_have_their_code),
        cmocka_unit_test(test_a_child_that_is_printed_is_redacted),
        cmocka_unit_test(test_a_child_is_narrower_and_runs_out),
        cmocka_unit_test(test_a_token_of_few_uses_has_no_children),
        cmocka_unit_test(test_a_task_has_so_many_tokens),
        cmocka_unit_test(test_a_revoked_token_reads_nothing_that_waited),
        cmocka_unit_test(test_an_expired_token_says_so),
        cmocka_unit_test(test_another_process_ends_the_task),
        cmocka_unit_test(test_revoking_the_first_token_ends_the_task),
        cmocka_unit_test(test_a_move_before_its_commit_is_undone),
        cmocka_unit_test(test_adopt_and_release_come_round),
        cmocka_unit_test(test_the_record_verifies_and_names_the_exposed),
        cmocka_unit_test(test_redact_takes_out_what_the_vault_holds),
        cmocka_unit_test(
            test_wrong_passphrases_count_wherever_they_are_asked_for),
        cmocka_unit_test(test_rekey_keeps_every_value),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open, flow_close);
}
