/* What is sure, at its edges: sure.h. With a real store and a real filter. */
#include "common/incidents.h"
#include "core/redaction.h"
#include "core/sure.h"
#include "store/makers.h"

/* ---- a look ---- */

#define KEY_BODY                                                               \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v90ySdnSLBsTrtcjKJcHsDYFuA1yDLcRsTjWQ\n"

static const char PRIVATE_KEY[] =
    "-----BEGIN PRIVATE KEY-----\n" KEY_BODY "-----END PRIVATE KEY-----\n";
static const char PUBLIC_KEY[] =
    "-----BEGIN PUBLIC KEY-----\n" KEY_BODY "-----END PUBLIC KEY-----\n";

static void
test_what_looks_like_a_credential(void **state)
{
    static const char *const LIKE[] = {
        "q7RzK2mVx9TbW4hN",                     /* as few as may be */
        "9f86d081884c7d659a2feaa0c55ad015",     /* digits of a hash */
        "AKvN-x83hf_Qz21.mB77/aa+kq==",         /* marks of alphabets */
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2lnbg", /* a JWT */
        PRIVATE_KEY,
    };
    static const char *const UNLIKE[] = {
        "",
        "q7RzK2mVx9TbW4h",                      /* one byte fewer */
        "q7RzK2mV x9TbW4hN",                    /* a blank */
        "q7RzK2mV\tx9TbW4hN",                   /* another */
        "q7RzK2m@x9TbW4hNqq",                   /* an address */
        "redis://q7RzK2mVx9T",                  /* another */
        "continuous-integration-runner",        /* words */
        "ContinuousIntegrationRunner",          /* those too */
        "build finished without errors",        /* a phrase */
        "abababababababababab",                 /* two letters */
        "2f1acc6b-3d1a-4e53-9c0f-7c8d1b6e5a90", /* a UUID */
        "example-q7RzK2mVx9TbW4hN",             /* an example */
        "${q7RzK2mVx9TbW4hN}",                  /* a reference */
        "-----BEGIN PRIVATE KEY-----\n...",     /* a part of a key */
        PUBLIC_KEY,
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LIKE); i++) {
        if (!sure_looks(span_str(LIKE[i]))) {
            fail_msg("not like: %s", LIKE[i]);
        }
    }
    for (size_t i = 0; i < AG_COUNT(UNLIKE); i++) {
        if (sure_looks(span_str(UNLIKE[i]))) {
            fail_msg("like: %s", UNLIKE[i]);
        }
    }
}

/* ---- what it is a part of ---- */

/* The entry of this number was found in an output. */
static void
see_entry(const char *name, int64_t number, uint64_t index)
{
    const struct incident_sight sight = {
        .value_id =
            ((uint64_t)version_row_of(name, number) << FILTER_GROUP_BITS) |
            index,
        .form = "raw",
        .is_sure = true,
        .count = 1};

    incident_seen(flow.core, 0, &sight, 1);
}

/* Opens an incident, whatever comes of it. */
static void
check_answer(const char *name, int64_t number, uint64_t index, const char *want)
{
    see_entry(name, number, index);
    check_newest("secret", name);
    check_newest("answer", want);
    close_newest();
}

static const char LOGIN[] =
    "{\"token\":\"q7RzK2mVx9TbW4hNc3\",\"team\":\"continuous-integration\"}";

static void
test_a_field_of_no_profile_is_sure_by_its_looks(void **state)
{
    (void)state;
    put("a/json", LOGIN, NULL);
    check_ok(set_on_leak("a/json", "hold"));
    check_answer("a/json", 1, 0, "hold");   /* the whole */
    check_answer("a/json", 1, 1, "hold");   /* the token */
    check_answer("a/json", 1, 2, "record"); /* the team: anybody's words */
    check_answer("a/json", 1, 3, "record"); /* there is none */
}

/* The longest that is met is told of, not what it has inside. */
static void
test_what_has_a_sure_field_inside_is_sure(void **state)
{
    (void)state;
    put("a/address",
        "{\"url\":\"postgres://svc:q7RzK2mVx9TbW4hNc3@db.example.org/main\","
        "\"page\":\"https://db.example.org/continuous-integration\"}",
        NULL);
    check_ok(set_on_leak("a/address", "hold"));
    check_answer("a/address", 1, 1, "hold");   /* the password or all of it */
    check_answer("a/address", 1, 2, "hold");   /* the other */
    check_answer("a/address", 1, 3, "record"); /* the page */
}

static void
test_a_value_without_fields_is_sure_as_it_is(void **state)
{
    (void)state;
    put("a/phrase", "correct horse battery staple", NULL);
    check_ok(set_on_leak("a/phrase", "hold"));
    check_answer("a/phrase", 1, 0, "hold");
    check_answer("a/phrase", 1, 1, "hold");
}

static void
put_login(const char *name, const char *profile, const char *text)
{
    AG_AUTO(secret) struct secret *value = secret_of(text);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = name, .value = value, .profile = profile, .if_version = -1};

    check_ok(act(do_put, &call, &request, NULL));
    check_ok(redaction_commit(flow.core));
}

static void
test_a_declared_field_is_sure_whatever_it_looks_like(void **state)
{
    (void)state;
    put_login("a/codex", "codex",
              "{\"OPENAI_API_KEY\":\"a phrase of my own making\",\"tokens\":"
              "{\"access_token\":\"a://b:the-word-within@c\"}}");
    check_ok(set_on_leak("a/codex", "hold"));
    check_answer("a/codex", 1, 1, "hold");
    check_answer("a/codex", 1, 2, "record"); /* within the next: by its looks */
    check_answer("a/codex", 1, 3, "hold");
}

/* ---- who made it ---- */

struct making {
    const char *name;
    const char *text;
};

/* As a write-back leaves it. */
static enum ag_err
do_make(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    const struct making *m = request;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *value = secret_of(m->text);
    struct version_row added = {0};
    struct version_new add = {.value = value,
                              .state = VERSION_RETAINED,
                              .if_version = -1,
                              .maker = MAKER_TASK};
    enum ag_err err = secrets_find(db_tx_read(tx), span_str(m->name), &row);

    (void)call;
    (void)ret;
    add.secret_id = row.id;
    if (err == AG_OK) {
        err = versions_add(tx, &add, &added);
    }
    if (err == AG_OK) {
        err = core_note(tx, NULL, AUDIT_WRITE_BACK, 0, row.id,
                        json_pack("{s:s}", "name", row.name));
    }
    return err == AG_OK ? redaction_add(core, &row, added.id, value) : err;
}

static void
task_makes(const char *name, const char *text)
{
    struct call call = call_of(flow.operator_peer);
    const struct making making = {name, text};

    check_ok(act(do_make, &call, &making, NULL));
    check_ok(redaction_commit(flow.core));
}

static void
test_what_a_task_made_up_is_only_recorded(void **state)
{
    (void)state;
    put("a/made", LOGIN, NULL);
    check_ok(set_on_leak("a/made", "hold"));
    /* A value that looks right, the whole of it, and what was there before. */
    task_makes("a/made", "{\"more\":\"Wk3vT8qZr5LxN1bY\","
                         "\"token\":\"q7RzK2mVx9TbW4hNc3\"}");
    check_answer("a/made", 2, 0, "hold"); /* it has the last of these inside */
    check_answer("a/made", 2, 1, "record");
    check_answer("a/made", 2, 2, "hold"); /* the first version's too */
    /* Another task's writing it again makes it no truer. */
    task_makes("a/made", "{\"more\":\"Wk3vT8qZr5LxN1bY\"}");
    check_answer("a/made", 3, 0, "record");
    check_answer("a/made", 3, 1, "record");
    /* A person did: now it is. */
    put("a/made", "{\"more\":\"Wk3vT8qZr5LxN1bY\"}", NULL);
    check_answer("a/made", 2, 1, "hold");
    check_answer("a/made", 4, 1, "hold");
}

static void
test_who_made_a_version_is_shown(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *versions = NULL;

    (void)state;
    begin("a/turned", 0);
    task_makes("a/turned", "another value of it");
    json_decref(run("a/turned"));
    check_ok(core_secret_versions(flow.core, &call, "a/turned", &answer));
    versions = json_object_get(answer, "versions");
    assert_int_equal(json_array_size(versions), 3);
    assert_string_equal(text_at(json_array_get(versions, 0), "made_by"),
                        "rotation");
    assert_string_equal(text_at(json_array_get(versions, 1), "made_by"),
                        "task");
    assert_string_equal(text_at(json_array_get(versions, 2), "made_by"),
                        "operator");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_looks_like_a_credential),
        TEST(test_a_field_of_no_profile_is_sure_by_its_looks),
        TEST(test_what_has_a_sure_field_inside_is_sure),
        TEST(test_a_value_without_fields_is_sure_as_it_is),
        TEST(test_a_declared_field_is_sure_whatever_it_looks_like),
        TEST(test_what_a_task_made_up_is_only_recorded),
        TEST(test_who_made_a_version_is_shown),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
