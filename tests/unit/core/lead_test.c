/* How a task's clients are led to the forward proxy: who gets an authority, for
 * which hosts, and what the command line is told. */
#include <time.h>

#include "common/check.h"
#include "core/isolation.h"
#include "core/lead.h"
#include "core/proxied.h"
#include "core/tasks.h"
#include "tls/authority.h"
#include "wire/json.h"

enum {
    TASK_ID = 4711,
    DETAIL_BYTES = 64 * 1024,
    HOSTS_COUNT = 64, /* of one place; of all of them they are too many */
    VALUES_COUNT = AUTHORITY_HOSTS_MAX_COUNT / HOSTS_COUNT + 1,
};

static const struct task_proxy_request WITH_URL = {.ref = "ag://a/b",
                                                   .url_env = "URL"};
static const struct task_proxy_request WITHOUT_URL = {.ref = "ag://a/b"};
static const struct task_isolation ISOLATED = {.preset = "workspace"};
static const struct task_isolation NOT_ISOLATED = {.preset = ISOLATION_NONE};
static const char *const ALLOW[] = {"one.example"};

static int64_t
in_an_hour(void)
{
    return ((int64_t)time(NULL) + 3600) * 1000;
}

/* Of one value: these hosts ("\"a.b\", \"c.d:8443\""). */
static void
read_hosts(const char *hosts, bool plain, struct places *ret)
{
    static char detail[DETAIL_BYTES];
    AG_AUTO(wjson) json_t *json = NULL;

    (void)snprintf(detail, sizeof(detail),
                   "{\"places\": [{\"service\": \"s\", \"hosts\": [%s], "
                   "\"paths\": [], \"methods\": [], \"field\": \"\", "
                   "\"in\": \"header\", \"name\": \"Authorization\", "
                   "\"format\": \"Bearer {}\", \"inner\": %s, \"plain\": %s, "
                   "\"optional\": false, \"with\": []}]}",
                   hosts, plain ? "true" : "false", plain ? "true" : "false");
    check_ok(wjson_parse(span_str(detail), WJSON_MAX_BYTES, &json));
    check_ok(places_read(json, ret));
}

static struct proxied *
set_of(const char *hosts, bool plain)
{
    struct proxied *set = NULL;

    check_ok(proxied_new(1, &set));
    read_hosts(hosts, plain, &set->items[0].places);
    return set;
}

/* With keys, as whoever asks the writer has them. */
static enum ag_err
prepare(const struct task_request *request, struct proxied *set)
{
    AG_AUTO(authority_keys) struct authority_keys *keys = NULL;
    struct task_request with_keys = *request;

    check_ok(lead_keys(request, &keys));
    with_keys.keys = keys;
    return lead_prepare(&with_keys, TASK_ID, in_an_hour(), set);
}

static bool
gets_one(const struct task_request *request, struct proxied *set)
{
    AG_AUTO(proxied) struct proxied *owned = set;

    check_ok(prepare(request, owned));
    return owned->authority != NULL;
}

static void
test_who_gets_an_authority(void **state)
{
    const struct task_request nobody = {0};
    const struct task_request by_url = {.proxies = &WITH_URL, .proxy_count = 1};
    const struct task_request by_key = {.proxies = &WITHOUT_URL,
                                        .proxy_count = 1};
    const struct task_request allowed = {.proxies = &WITH_URL,
                                         .proxy_count = 1,
                                         .allow = ALLOW,
                                         .allow_count = 1};
    const struct task_request isolated = {
        .proxies = &WITH_URL, .proxy_count = 1, .isolation = &ISOLATED};
    const struct task_request open = {
        .proxies = &WITH_URL, .proxy_count = 1, .isolation = &NOT_ISOLATED};
    struct proxied *empty = NULL;

    (void)state;
    check_ok(proxied_new(0, &empty));
    assert_false(gets_one(&allowed, empty));
    assert_false(gets_one(&nobody, set_of("\"a.b\"", false)));
    assert_false(gets_one(&by_url, set_of("\"a.b\"", false)));
    assert_false(gets_one(&open, set_of("\"a.b\"", false)));
    assert_true(gets_one(&by_key, set_of("\"a.b\"", false)));
    assert_true(gets_one(&allowed, set_of("\"a.b\"", false)));
    assert_true(gets_one(&isolated, set_of("\"a.b\"", false)));
    /* Where nothing goes by https there is no TLS to end. */
    assert_false(gets_one(&by_key, set_of("\"a.b\"", true)));
}

/* Each once, without its port; of a wildcard the name behind it. */
static void
test_it_is_for_the_hosts_of_the_values(void **state)
{
    static const char *const FOR[] = {"a.b",         "c.d",       "e.example",
                                      "x.e.example", "127.0.0.1", "[::1]"};
    const struct task_request request = {.proxies = &WITHOUT_URL,
                                         .proxy_count = 1};
    AG_AUTO(proxied)
    struct proxied *set =
        set_of("\"a.b\", \"c.d:8443\", \"c.d\", \"*.e.example\", "
               "\"127.0.0.1:8080\", \"[::1]\"",
               false);

    (void)state;
    check_ok(prepare(&request, set));
    for (size_t i = 0; i < AG_COUNT(FOR); i++) {
        AG_AUTO(leaf) struct leaf *leaf = NULL;

        check_ok(authority_leaf(set->authority, FOR[i], &leaf));
    }
}

/* The same host in all places is one; too many are refused. */
static void
test_hosts_have_a_limit(void **state)
{
    static char hosts[DETAIL_BYTES / 2];
    const struct task_request request = {.proxies = &WITHOUT_URL,
                                         .proxy_count = 1};
    AG_AUTO(proxied) struct proxied *same = NULL;
    AG_AUTO(proxied) struct proxied *set = NULL;

    (void)state;
    check_ok(proxied_new(VALUES_COUNT, &same));
    check_ok(proxied_new(VALUES_COUNT, &set));
    for (int v = 0; v < VALUES_COUNT; v++) {
        size_t at = 0;

        for (int i = 0; i < HOSTS_COUNT; i++) {
            at += (size_t)snprintf(hosts + at, sizeof(hosts) - at,
                                   "%s\"h%d.example\"", i == 0 ? "" : ", ", i);
        }
        read_hosts(hosts, false, &same->items[v].places);
        at = 0;
        for (int i = 0; i < HOSTS_COUNT; i++) {
            at += (size_t)snprintf(hosts + at, sizeof(hosts) - at,
                                   "%s\"h%d-%d.example\"", i == 0 ? "" : ", ",
                                   v, i);
        }
        read_hosts(hosts, false, &set->items[v].places);
    }
    check_ok(prepare(&request, same));
    assert_non_null(same->authority);
    check_err(prepare(&request, set), AG_ELIMIT);
    assert_null(set->authority);
    assert_non_null(strstr(err_text(AG_ELIMIT), "more than 256 hosts"));
}

/* ---- what the command line is told ---- */

static bool
has_text(json_t *list, const char *text)
{
    size_t i = 0;
    json_t *item = NULL;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

static void
check_answer(const struct task_request *request, struct proxied *set,
             bool wanted, bool has_ca)
{
    AG_AUTO(proxied) struct proxied *owned = set;
    AG_AUTO(wjson) json_t *answer = json_object();
    json_t *forward = NULL;
    const char *ca = NULL;

    check_ok(prepare(request, owned));
    check_ok(lead_answer(request, owned, answer));
    forward = json_object_get(answer, "forward");
    assert_int_equal(json_is_true(json_object_get(forward, "wanted")), wanted);
    assert_true(has_text(json_object_get(forward, "urls"), "HTTPS_PROXY"));
    assert_true(has_text(json_object_get(forward, "urls"), "http_proxy"));
    assert_true(has_text(json_object_get(forward, "no_proxy"), "no_proxy"));
    assert_true(has_text(json_object_get(forward, "files"), "SSL_CERT_FILE"));
    assert_true(
        has_text(json_object_get(forward, "files"), "NODE_EXTRA_CA_CERTS"));
    ca = json_string_value(json_object_get(forward, "ca"));
    assert_int_equal(ca != NULL, has_ca);
    assert_true(ca == NULL ||
                strncmp(ca, "-----BEGIN CERTIFICATE-----", 27) == 0);
    /* The key of it is nobody's. */
    assert_true(ca == NULL || strstr(ca, "PRIVATE") == NULL);
}

static void
test_what_the_command_line_is_told(void **state)
{
    const struct task_request by_url = {.proxies = &WITH_URL, .proxy_count = 1};
    const struct task_request by_key = {.proxies = &WITHOUT_URL,
                                        .proxy_count = 1};
    const struct task_request isolated = {
        .proxies = &WITH_URL, .proxy_count = 1, .isolation = &ISOLATED};
    const struct task_request allowed = {.allow = ALLOW, .allow_count = 1};
    struct proxied *empty = NULL;

    (void)state;
    check_ok(proxied_new(0, &empty));
    check_answer(&by_url, set_of("\"a.b\"", false), false, false);
    check_answer(&by_key, set_of("\"a.b\"", false), true, true);
    check_answer(&isolated, set_of("\"a.b\"", false), false, true);
    check_answer(&allowed, empty, true, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_an_authority),
        cmocka_unit_test(test_it_is_for_the_hosts_of_the_values),
        cmocka_unit_test(test_hosts_have_a_limit),
        cmocka_unit_test(test_what_the_command_line_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
