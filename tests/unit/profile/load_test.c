/*
 * Every shipped profile: loads, and finds the secrets in a file made as the tool would make it, here, from random values.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/sample.h"
#include "profile/expand.h"
#include "profile/fields.h"
#include "profile/load.h"
#include "profile/plan.h"

static struct profiles *profiles;

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    profiles_free(profiles);
    return secret_arena_used_bytes() == 0 ? 0 : -1;
}

static void
test_all_that_were_asked_for_are_there(void **state)
{
    static const char *const NAMES[] = {
        "codex",  "claude", "gemini",  "opencode",        "gh",
        "aws",    "azure",  "docker",  "gcloud-adc",      "npm",
        "pypi",   "netrc",  "kube",    "git-credentials", "ssh",
        "cargo",  "vault",  "pgpass",  "terraform",       "huggingface",
        "dotenv", "glab",   "copilot", "cursor",          "mysql",
        "rclone", "openai", "github",  "anthropic",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        const struct profile *p = NULL;

        check_ok(profile_find(profiles, NAMES[i], &p));
        assert_string_equal(p->name, NAMES[i]);
        assert_int_equal(p->origin, ORIGIN_SHIPPED);
    }
    assert_int_equal(profiles_problem_count(profiles), 0);
}

/* ---- a sample of each file, made from its patterns ---- */

struct wanted {
    const char *value;
    size_t found;
};

static enum ag_err
look(void *arg, const char *pointer, struct secret *value)
{
    struct wanted *w = arg;
    struct span v = secret_view(value);

    (void)pointer;
    w->found += memmem(v.ptr, v.len, w->value, strlen(w->value)) != NULL;
    secret_free(value);
    return AG_OK;
}

static void
random_text(char out[41])
{
    static const char ALPHABET[] = "abcdefghijkmnpqrstuvwxyzABCDEFGH23456789";

    for (size_t i = 0; i < 40; i++) {
        out[i] = ALPHABET[randombytes_uniform(sizeof(ALPHABET) - 1)];
    }
    out[40] = '\0';
}

static size_t
check_sample(const struct profile *p, const struct profile_file *f,
             const char *pattern)
{
    AG_AUTO(buf) struct buf text = {0};
    char value[41];
    struct wanted w = {.value = value};

    random_text(value);
    buf_init(&text, 4096, BUF_PLAIN);
    sample(&text, f->format, pattern, value);
    check_ok(fields_check(buf_view(&text), f->format));
    check_ok(fields_secret(buf_view(&text), f, look, &w));
    if (w.found != 1) {
        fail_msg("%s: %s found %zu times in:\n%s", p->name, pattern, w.found,
                 buf_cstr(&text));
    }
    return 1;
}

static void
test_every_declared_secret_is_found(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < profiles_count(profiles); i++) {
        const struct profile *p = profiles_at(profiles, i);

        for (size_t k = 0; k < p->files.count; k++) {
            const struct profile_file *f = &p->files.items[k];

            for (size_t n = 0; n < f->secrets.count; n++) {
                count += check_sample(p, f, f->secrets.items[n]);
            }
            if (f->secrets.count == 0) {
                count += check_sample(p, f, "/any");
            }
        }
    }
    printf("%zu samples of %zu profiles\n", count, profiles_count(profiles));
}

/* ---- paths ---- */

static const char *
relocated(void *arg, const char *name)
{
    return strcmp(name, arg) == 0 ? "/elsewhere" : NULL;
}

static void
check_path(const struct profile *p, size_t index)
{
    struct expand_env env = {.home = "/home/me"};
    AG_AUTO(buf) struct buf path = {0};
    struct profile_match match;

    if (p->files.items[index].path == NULL) {
        return;
    }
    buf_init(&path, EXPAND_MAX_BYTES, BUF_PLAIN);
    check_ok(
        expand_path(p->files.items[index].path, &env, EXPAND_USUAL, &path));
    for (size_t c = 0; c < path.len; c++) {
        path.ptr[c] = path.ptr[c] == '*' ? 'x' : path.ptr[c];
    }
    check_ok(profile_for_path(profiles, &env, buf_cstr(&path), &match));
    if (match.profile != p || match.file_index != index) {
        fail_msg("%s is taken for %s", buf_cstr(&path), match.profile->name);
    }
}

static void
test_paths_lead_back_to_their_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < profiles_count(profiles); i++) {
        const struct profile *p = profiles_at(profiles, i);

        for (size_t k = 0; k < p->files.count; k++) {
            check_path(p, k);
        }
    }
}

static void
test_relocated_and_named_files(void **state)
{
    char var[] = "CODEX_HOME";
    struct expand_env env = {.home = "/home/me", .get = relocated, .arg = var};

    static const struct {
        const char *path;
        const char *profile; /* NULL: none */
    } ROWS[] = {
        {"/elsewhere/auth.json", "codex"},
        {"/home/me/.codex/auth.json", "codex"},
        {"/home/me/.codex/auth.json.bak", NULL},
        {"/srv/project/.env", "dotenv"},
        {"/srv/project/.env.production", "dotenv"},
        {"/srv/project/.env.example", NULL},
        {"/srv/project/.npmrc", "npm"},
        {"/home/me/.ssh/id_ed25519", "ssh"},
        {"/home/me/.ssh/id_ed25519.pub", NULL},
        {"/home/me/.ssh/known_hosts", NULL},
        {"/home/me/.aws/sso/cache/abc.json", "aws"},
        {"/srv/README.md", NULL},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        struct profile_match match;
        enum ag_err err =
            profile_for_path(profiles, &env, ROWS[i].path, &match);

        if (ROWS[i].profile == NULL) {
            assert_int_equal(err, AG_ENOTFOUND);
        } else {
            check_ok(err);
            assert_string_equal(match.profile->name, ROWS[i].profile);
        }
    }
}

static void
test_plans(void **state)
{
    struct delivery_plan plan;
    const struct profile *p = NULL;

    (void)state;
    check_ok(profile_find(profiles, "codex", &p));
    check_ok(delivery_plan(p, 0, "/h/.codex/auth.json", &plan));
    assert_int_equal(plan.by, DELIVER_LINK);
    assert_string_equal(plan.link, "/h/.codex/auth.json");
    assert_string_equal(plan.basename, "auth.json");
    assert_true(plan.watch);
    assert_true(plan.single_holder);

    check_ok(profile_find(profiles, "claude", &p));
    check_ok(delivery_plan(p, 0, NULL, &plan));
    assert_int_equal(plan.by, DELIVER_ENV);
    assert_int_equal(plan.points, POINTS_DIR);
    assert_string_equal(plan.var, "CLAUDE_SECURESTORAGE_CONFIG_DIR");
    assert_string_equal(plan.basename, ".credentials.json");

    check_ok(profile_find(profiles, "dotenv", &p));
    check_ok(delivery_plan(p, 0, "/srv/x/.env.local", &plan));
    assert_string_equal(plan.basename, ".env.local");
    check_err(delivery_plan(p, 0, NULL, &plan), AG_EINVAL);
    check_ok(profile_find(profiles, "openai", &p));
    check_err(delivery_plan(p, 0, NULL, &plan), AG_EUNSUPPORTED);
}

/* ---- what is refused ---- */

/* One place, at a.b. */
#define PLACED(way)                                                            \
    ",\"places\":[{\"hosts\":[\"a.b\"],\"in\":\"header\",\"name\":\"a\"}],"    \
    "\"run\":{\"proxy\":[" way "]}}"

static const char *const WRONG_TAILS[] = {
    ",\"colour\":1}",
    ",\"profile\":1}",
    ",\"files\":[]}",
    ",\"files\":[{\"format\":\"json\",\"rewrite\":\"never\"}]}",
    ",\"files\":[{\"path\":\"x\",\"format\":\"json\","
    "\"rewrite\":\"never\"}]}",
    ",\"files\":[{\"path\":\"~/x${A\",\"format\":\"json\","
    "\"rewrite\":\"never\"}]}",
    ",\"files\":[{\"path\":\"~/x\",\"format\":\"xml\","
    "\"rewrite\":\"never\"}]}",
    ",\"files\":[{\"path\":\"~/x\",\"format\":\"json\","
    "\"rewrite\":\"never\",\"secrets\":[\"a\"]}]}",
    ",\"files\":[{\"path\":\"~/x\",\"format\":\"sqlite\","
    "\"rewrite\":\"never\"}]}",
    ",\"files\":[{\"path\":\"~/x\",\"format\":\"json\","
    "\"rewrite\":\"never\",\"deliver\":{\"by\":\"env\"}}]}",
    ",\"files\":[{\"path\":\"~/x\",\"format\":\"json\","
    "\"rewrite\":\"never\",\"names\":[\"a/b\"]}]}",
    ",\"places\":[{\"hosts\":[\"EVIL\"],\"in\":\"header\","
    "\"name\":\"a\"}]}",
    ",\"places\":[{\"hosts\":[\"a.b\"],\"in\":\"header\","
    "\"name\":\"a\",\"format\":\"Bearer\"}]}",
    ",\"places\":[{\"hosts\":[\"a.b\"],\"paths\":[\"x\"],"
    "\"in\":\"header\",\"name\":\"a\"}]}",
    ",\"refresh\":{\"url\":\"http://a\",\"body\":\"json\","
    "\"client_id\":\"c\",\"refresh_field\":\"/r\",\"replaces\":"
    "[{\"member\":\"m\",\"field\":\"/f\"}]}}",
    ",\"conflict\":{\"rule\":\"newest\"}}",
    ",\"transcripts\":[\"logs\"]}",
    ",\"transcripts\":[\"~/x\",\"~/*/logs\"]}",
    ",\"shapes\":[{\"min_len\":9,\"max_len\":3}]}",
    ",\"run\":{\"unset\":[\"NOT-A-NAME\"]}}",
    ",\"min_grade\":\"whatever\"}",
    ",\"places\":[{\"hosts\":[\"a.b\"],\"in\":\"header\","
    "\"name\":\"a\",\"plain\":true}]}",
    /* Ways to grade proxy: no place; a host without one; an open mark; a
     * path that is none; a file that is not there. */
    ",\"run\":{\"proxy\":[{\"env\":[{\"var\":\"K\"}]}]}}",
    PLACED("{\"urls\":[{\"var\":\"U\",\"service\":\"c.d\"}]}"),
    PLACED("{\"args\":[\"{url:c.d}\"]}"),
    PLACED("{\"args\":[\"{url:a.b}{url:a.b\"]}"),
    PLACED("{\"urls\":[{\"var\":\"U\",\"service\":\"a.b\",\"path\":"
           "\"v1\"}]}"),
    PLACED("{\"file\":true}"),
    "} x",
    "",
};

static void
test_wrong_profiles_are_refused(void **state)
{
    static const char HEAD[] = "{\"profile\":1,\"name\":\"x\",\"title\":\"X\","
                               "\"kind\":\"file\",\"secret\":\"x/y\"";
    struct profiles *ps = NULL;
    char text[1024];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s}", HEAD);
    check_ok(profiles_load_one(span_str(text), "test", &ps));
    profiles_free(ps);
    (void)snprintf(
        text, sizeof(text), "%s%s", HEAD,
        PLACED("{\"args\":[\"-x={url:a.b}/v1\"],\"urls\":[{\"var\":\"U\","
               "\"service\":\"a.b\",\"path\":\"/v1\"}]}"));
    check_ok(profiles_load_one(span_str(text), "test", &ps));
    profiles_free(ps);
    (void)snprintf(text, sizeof(text), "%s,\"transcripts\":[\"~/x/*.log\"]}",
                   HEAD);
    check_ok(profiles_load_one(span_str(text), "test", &ps));
    profiles_free(ps);
    for (size_t i = 0; i < AG_COUNT(WRONG_TAILS); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", HEAD, WRONG_TAILS[i]);
        if (profiles_load_one(span_str(text), "test", &ps) != AG_EINVAL) {
            fail_msg("taken: %s", text);
        }
    }
}

static void
write_profile(const char *dir, const char *name, const char *own_name,
              mode_t mode)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f,
                  "{\"profile\":1,\"name\":\"%s\",\"title\":\"T\",\"kind\":"
                  "\"file\",\"secret\":\"mine/x\"}\n",
                  own_name);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void
test_a_users_profiles(void **state)
{
    char dir[] = "/tmp/ag-profiles-XXXXXX";
    AG_AUTO(profiles) struct profiles *ps = NULL;
    const struct profile *p = NULL;
    const struct profile *again = NULL;
    char command[128];

    (void)state;
    assert_non_null(mkdtemp(dir));
    write_profile(dir, "mine.json", "mine", 0600);
    write_profile(dir, "codex.json", "codex", 0600);
    write_profile(dir, "open.json", "open", 0622);
    write_profile(dir, "other.json", "another", 0600);
    (void)snprintf(command, sizeof(command), "%s/link.json", dir);
    assert_int_equal(symlink("mine.json", command), 0);
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", dir, &ps));
    check_ok(profile_find(ps, "mine", &p));
    assert_int_equal(p->origin, ORIGIN_USER);
    check_ok(profile_find(ps, "codex", &again));
    assert_int_equal(again->origin, ORIGIN_SHIPPED);
    assert_memory_not_equal(p->hash, again->hash, PROFILE_HASH_BYTES);
    check_err(profile_find(ps, "open", &again), AG_ENOTFOUND);
    check_err(profile_find(ps, "another", &again), AG_ENOTFOUND);
    assert_int_equal(profiles_problem_count(ps), 4);
    for (size_t i = 0; i < 5; i++) {
        static const char *const NAMES[] = {"mine", "codex", "open", "other",
                                            "link"};

        (void)snprintf(command, sizeof(command), "%s/%s.json", dir, NAMES[i]);
        assert_int_equal(unlink(command), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_were_asked_for_are_there),
        cmocka_unit_test(test_every_declared_secret_is_found),
        cmocka_unit_test(test_paths_lead_back_to_their_profile),
        cmocka_unit_test(test_relocated_and_named_files),
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_wrong_profiles_are_refused),
        cmocka_unit_test(test_a_users_profiles),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
