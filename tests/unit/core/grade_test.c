/*
 * What a profile's tool is given at which grade, who may say otherwise, and
 * what becomes of a file of placeholders that the tool rewrites.
 */
#include "base/encode.h"
#include "common/broker.h"
#include "core/proxied.h"
#include "core/running.h"
#include "core/state.h"
#include "profile/placeholder.h"

/* header {"alg":"RS256","typ":"JWT"}, payload {"exp":1,"sub":"me"} */
#define JWT(tail)                                                              \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEsInN1YiI6Im1lIn0." tail
#define ID_TOKEN  JWT("aWRlbnRpdHkgaWRlbnRpdHkgaWRlbnRpdHkgaWRlbnRpdHk")
#define ACCESS    JWT("YWNjZXNzIGFjY2VzcyBhY2Nlc3MgYWNjZXNzIGFjY2Vzcw")
#define ACCESS_2  JWT("bmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXI")
#define REFRESH   "rt_one.0123456789abcdefghijABCDEFGHIJ0123456789"
#define REFRESH_2 "rt_two.0123456789abcdefghijABCDEFGHIJ9876543210"
#define LOGIN(access, refresh, time)                                           \
    "{\"OPENAI_API_KEY\":null,\"tokens\":{\"id_token\":\"" ID_TOKEN            \
    "\",\"access_token\":\"" access "\",\"refresh_token\":\"" refresh          \
    "\",\"account_id\":\"acc-1\"},\"last_refresh\":\"" time "\"}"
#define OLD_TIME  "2026-01-01T00:00:00Z"
#define NEW_TIME  "2026-02-02T00:00:00Z"
#define API_KEY   "sk-proj-0123456789abcdefghijABCDEFGHIJ0123456789abcdef"
#define API_LOGIN "{\"OPENAI_API_KEY\":\"" API_KEY "\"}"

static struct {
    json_t *answer;
    int64_t id;
} started;

static void
forget(void)
{
    json_decref(started.answer);
    started.answer = NULL;
}

static enum ag_err
start(const char *profile, enum task_grade grade, enum caller_class who)
{
    const struct task_request request = {.name = "tool",
                                         .profiles = &profile,
                                         .profile_count = 1,
                                         .grade = grade};
    struct call call = call_of(flow.operator_peer);
    enum ag_err err;

    forget();
    call.who = who;
    err = act(do_start, &call, &request, &started.answer);
    if (err == AG_OK) {
        started.id = strtoll(text_at(started.answer, "id"), NULL, 10);
        line.peer = flow.operator_peer;
        line.connection_id++;
    }
    return err;
}

static void
end(void)
{
    handout_lost(flow.core, started.id);
    forget();
}

static const json_t *
delivery_at(size_t index)
{
    const json_t *item =
        json_array_get(json_object_get(started.answer, "deliveries"), index);

    assert_non_null(item);
    return item;
}

static void
check_delivery(size_t index, const char *kind, const char *grade)
{
    assert_string_equal(text_at(delivery_at(index), "kind"), kind);
    assert_string_equal(text_at(delivery_at(index), "grade"), grade);
}

static struct secret *
handed(size_t index)
{
    struct secret *value = NULL;

    check_ok(handout_value(flow.core, &line,
                           text_at(delivery_at(index), "ticket"), &value));
    return value;
}

static bool
holds(const struct secret *text, const char *word)
{
    struct span all = secret_view(text);

    return memmem(all.ptr, all.len, word, strlen(word)) != NULL;
}

static struct take_result
wrote(struct span content, enum ag_err want)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct take_result result = {0};

    check_ok(secret_from(content, &value));
    check_err(handout_take(flow.core, &line, text_at(delivery_at(0), "take"),
                           value, &result),
              want);
    return result;
}

static void
check_stored(const char *name, const char *want)
{
    struct call call = call_of(flow.operator_peer);
    struct got got = {.request = {.name = name}};
    struct got *request = &got;

    check_ok(act(do_get, &call, &request, NULL));
    check_span(secret_view(got.value), want);
    secret_free(got.value);
}

/* The document with one text in another's place. */
static struct secret *
changed(const struct secret *document, struct span from, const char *to)
{
    struct span all = secret_view(document);
    const uint8_t *at = memmem(all.ptr, all.len, from.ptr, from.len);
    AG_AUTO(buf) struct buf out = {0};
    struct secret *made = NULL;

    assert_non_null(at);
    buf_init(&out, (size_t)64 * 1024, BUF_WIPE);
    check_ok(buf_add(&out, span_sub(all, 0, (size_t)(at - all.ptr))));
    check_ok(buf_add(&out, span_str(to)));
    check_ok(buf_add(
        &out, span_sub(all, (size_t)(at - all.ptr) + from.len, all.len)));
    check_ok(secret_from(buf_view(&out), &made));
    return made;
}

/* What stands in the member now. */
static struct span
member(const struct secret *document, const char *name)
{
    struct span all = secret_view(document);
    const char *at = memmem(all.ptr, all.len, name, strlen(name));
    const char *value = NULL;

    assert_non_null(at);
    value = at + strlen(name) + 3; /* ":" */
    return span_of(value, (size_t)(strchr(value, '"') - value));
}

static enum ag_err
part_name(size_t index, size_t part, char *field, size_t cap)
{
    struct delivery delivery = {0};
    enum ag_err err =
        running_part(flow.core->running, started.id, index, part, &delivery);

    (void)snprintf(field, cap, "%s", delivery.field);
    return err;
}

static struct secret *
handed_file_of_new_task(void)
{
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    return handed(0);
}

static void
hand_file_to_new_task(void)
{
    AG_AUTO(secret) struct secret *file = handed_file_of_new_task();

    assert_non_null(file);
}

/* ---- which grade ---- */

static void
test_the_best_grade_is_the_default(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const json_t *args = NULL;
    char field[GRANT_FIELD_BYTES];

    (void)state;
    put("codex/default", API_LOGIN, NULL);
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_PROOF));
    assert_int_equal(
        json_array_size(json_object_get(started.answer, "deliveries")), 1);
    check_delivery(0, "env", "proxy");
    value = handed(0);
    assert_int_equal(secret_len(value), strlen(API_KEY));
    assert_false(holds(value, API_KEY));
    assert_true(holds(value, "sk-proj-"));
    check_ok(part_name(0, 0, field, sizeof(field)));
    assert_string_equal(field, "/OPENAI_API_KEY");
    check_err(part_name(0, 1, field, sizeof(field)), AG_ENOTFOUND);
    args = json_array_get(json_object_get(started.answer, "args"), 0);
    assert_non_null(args);
    end();
}

static void
test_a_login_of_another_kind_goes_another_way(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    char field[GRANT_FIELD_BYTES];

    (void)state;
    put("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME), NULL);
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    check_delivery(0, "file", "proxy");
    file = handed(0);
    assert_false(holds(file, ACCESS));
    assert_false(holds(file, REFRESH));
    assert_false(holds(file, ID_TOKEN));
    assert_true(holds(file, "acc-1"));
    assert_true(holds(file, OLD_TIME));
    check_ok(part_name(0, 0, field, sizeof(field)));
    assert_string_equal(field, "/tokens/id_token");
    check_ok(part_name(0, 1, field, sizeof(field)));
    assert_string_equal(field, "/tokens/access_token");
    check_err(part_name(0, 3, field, sizeof(field)), AG_ENOTFOUND);
    check_err(part_name(1, 0, field, sizeof(field)), AG_ENOTFOUND);
    end();
}

static void
test_two_tasks_share_a_login_at_proxy_only(void **state)
{
    const char *const name = "codex";
    const struct task_request request = {
        .name = "tool", .profiles = &name, .profile_count = 1};
    struct call call = call_of(flow.stranger_peer);
    AG_AUTO(wjson) json_t *second = NULL;

    (void)state;
    call.who = CALLER_PROOF;
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_PROOF));
    check_ok(act(do_start, &call, &request, &second));
    handout_lost(flow.core, strtoll(text_at(second, "id"), NULL, 10));
    end();
    check_ok(start("codex", TASK_GRADE_FILE, CALLER_PROOF));
    check_err(act(do_start, &call, &request, &second), AG_EHELD);
    end();
}

static void
test_a_worse_grade_is_the_operators_word(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;
    const json_t *row = NULL;

    (void)state;
    check_err(start("codex", TASK_GRADE_FILE, CALLER_OPERATOR), AG_EPROOF);
    check_ok(start("codex", TASK_GRADE_FILE, CALLER_PROOF));
    check_delivery(0, "file", "file");
    file = handed(0);
    assert_true(holds(file, ACCESS));
    check_ok(record_exposure(flow.core, "codex/default", NULL, &ledger));
    row = json_array_get(json_object_get(ledger, "exposure"), 0);
    assert_string_equal(text_at(row, "grade"), "file");
    assert_string_equal(text_at(row, "instead_of"), "proxy");
    end();
}

static void
test_what_was_the_best_is_no_downgrade(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;

    (void)state;
    put("gh/default", "github.com:\n    oauth_token: gho_no_shape_here\n",
        NULL);
    check_ok(start("gh", TASK_GRADE_BEST, CALLER_OPERATOR));
    check_delivery(0, "file", "file");
    file = handed(0);
    assert_non_null(file);
    check_ok(record_exposure(flow.core, "gh/default", NULL, &ledger));
    assert_null(json_object_get(
        json_array_get(json_object_get(ledger, "exposure"), 0), "instead_of"));
    end();
}

static void
test_no_word_overrules_the_secret(void **state)
{
    (void)state;
    put("codex/proxied", LOGIN(ACCESS, REFRESH, OLD_TIME), "proxy");
    check_err(start("codex=codex/proxied", TASK_GRADE_FILE, CALLER_PROOF),
              AG_EGRADE);
    check_ok(start("codex=codex/proxied", TASK_GRADE_BEST, CALLER_PROOF));
    end();
    put("gh/proxied", "github.com:\n    oauth_token: gho_x\n", "proxy");
    check_err(start("gh=gh/proxied", TASK_GRADE_BEST, CALLER_PROOF), AG_EGRADE);
    check_err(start("codex=codex/none", TASK_GRADE_BEST, CALLER_PROOF),
              AG_ENOTFOUND);
}

static void
test_a_grade_that_can_not_be_had_is_said(void **state)
{
    (void)state;
    check_err(start("gh", TASK_GRADE_PROXY, CALLER_PROOF), AG_EUNSUPPORTED);
    check_err(start("codex", TASK_GRADE_SIGN, CALLER_PROOF), AG_EUNSUPPORTED);
    put("codex/brief", "{\"OPENAI_API_KEY\":\"sk-short\"}", "env");
    check_err(start("codex=codex/brief", TASK_GRADE_PROXY, CALLER_PROOF),
              AG_EUNSUPPORTED);
    check_ok(start("codex=codex/brief", TASK_GRADE_BEST, CALLER_PROOF));
    check_delivery(0, "file", "file");
    end();
    check_ok(start("codex=codex/brief", TASK_GRADE_ENV, CALLER_PROOF));
    check_delivery(0, "env", "env");
    end();
    check_err(start("codex", TASK_GRADE_ENV, CALLER_PROOF), AG_EUNSUPPORTED);
}

static void
test_where_it_may_go_is_sealed_with_proof(void **state)
{
    (void)state;
    put("codex/unsealed", API_LOGIN, NULL);
    check_err(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_OPERATOR),
              AG_EPROOF);
    check_ok(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_PROOF));
    end();
    check_ok(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_OPERATOR));
    end();
}

/* ---- a file of placeholders that comes back ---- */

static void
test_placeholders_never_replace_values(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(secret) struct secret *later = NULL;
    AG_AUTO(secret) struct secret *moved = NULL;
    AG_AUTO(secret) struct secret *told = NULL;
    struct take_result result = {0};
    char access[1024];

    (void)state;
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    file = handed(0);
    result = wrote(secret_view(file), AG_OK);
    assert_false(result.changed);
    assert_false(result.replace);
    /* Nothing but what is not secret: not the task's to say. */
    later = changed(file, span_str(OLD_TIME), "2999-01-01T00:00:00Z");
    result = wrote(secret_view(later), AG_OK);
    assert_false(result.changed);
    /* In another field, or in one that is not secret. */
    (void)snprintf(access, sizeof(access), "%.*s",
                   (int)member(file, "access_token").len,
                   (const char *)member(file, "access_token").ptr);
    moved = changed(file, member(file, "refresh_token"), access);
    (void)wrote(secret_view(moved), AG_EFILE);
    told = changed(file, span_str("acc-1"), access);
    (void)wrote(secret_view(told), AG_EFILE);
    (void)wrote(span_str("{nonsense"), AG_EINVAL);
    check_stored("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME));
    end();
}

static void
test_a_login_by_the_tool_itself_is_adopted(void **state)
{
    AG_AUTO(secret) struct secret *renewed = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;
    struct take_result result = {0};

    (void)state;
    hand_file_to_new_task();
    result = wrote(span_str(LOGIN(ACCESS_2, REFRESH_2, NEW_TIME)), AG_OK);
    assert_true(result.changed);
    assert_false(result.retained);
    assert_true(result.replace);
    check_stored("codex/default", LOGIN(ACCESS_2, REFRESH_2, NEW_TIME));
    /* What belongs there now: placeholders once more. */
    renewed = handed(0);
    assert_false(holds(renewed, ACCESS_2));
    assert_false(holds(renewed, REFRESH_2));
    assert_true(holds(renewed, NEW_TIME));
    result = wrote(secret_view(renewed), AG_OK);
    assert_false(result.changed);
    /* The task has seen what it wrote. */
    check_ok(record_exposure(flow.core, NULL, text_at(started.answer, "id"),
                             &ledger));
    assert_string_equal(
        text_at(json_array_get(json_object_get(ledger, "exposure"), 0),
                "grade"),
        "file");
    end();
}

static void
test_what_is_ours_in_it_keeps_its_value(void **state)
{
    AG_AUTO(secret) struct secret *file = handed_file_of_new_task();
    AG_AUTO(secret)
    struct secret *half = changed(file, member(file, "access_token"), ACCESS);
    AG_AUTO(secret)
    struct secret *newer =
        changed(half, span_str(NEW_TIME), "2026-03-03T00:00:00Z");
    struct take_result result = wrote(secret_view(newer), AG_OK);

    (void)state;
    assert_true(result.changed);
    assert_true(result.replace);
    check_stored("codex/default",
                 LOGIN(ACCESS, REFRESH_2, "2026-03-03T00:00:00Z"));
    end();
}

static void
test_an_older_login_or_anothers_is_kept_beside(void **state)
{
    AG_AUTO(secret) struct secret *other = NULL;
    AG_AUTO(secret)
    struct secret *login =
        secret_of(LOGIN(ACCESS_2, REFRESH, "2026-09-09T00:00:00Z"));
    struct take_result result = {0};

    (void)state;
    hand_file_to_new_task();
    result = wrote(span_str(LOGIN(ACCESS_2, REFRESH, OLD_TIME)), AG_OK);
    assert_true(result.retained);
    assert_true(result.replace);
    other = changed(login, span_str("acc-1"), "acc-2");
    result = wrote(secret_view(other), AG_OK);
    assert_true(result.retained);
    check_stored("codex/default",
                 LOGIN(ACCESS, REFRESH_2, "2026-03-03T00:00:00Z"));
    end();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_grade_is_the_default),
        cmocka_unit_test(test_a_login_of_another_kind_goes_another_way),
        cmocka_unit_test(test_two_tasks_share_a_login_at_proxy_only),
        cmocka_unit_test(test_a_worse_grade_is_the_operators_word),
        cmocka_unit_test(test_what_was_the_best_is_no_downgrade),
        cmocka_unit_test(test_no_word_overrules_the_secret),
        cmocka_unit_test(test_a_grade_that_can_not_be_had_is_said),
        cmocka_unit_test(test_where_it_may_go_is_sealed_with_proof),
        cmocka_unit_test(test_placeholders_never_replace_values),
        cmocka_unit_test(test_a_login_by_the_tool_itself_is_adopted),
        cmocka_unit_test(test_what_is_ours_in_it_keeps_its_value),
        cmocka_unit_test(test_an_older_login_or_anothers_is_kept_beside),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
