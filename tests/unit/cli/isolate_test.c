/* Presets are decoded strictly; options become places and hidden paths; what
 * would open too much is refused by a sentence. */
#include <sys/stat.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/check.h"
#include "run/isolate.h"
#include "run/preset.h"
#include "run/sweep.h"
#include "wire/json.h"

static char dir[64];
static struct paths paths;
static char *command[] = {(char[]){"true"}, NULL};

static const char *
in_dir(const char *name)
{
    static char texts[8][256];
    static int next;
    char *text = texts[next++ % 8];

    (void)snprintf(text, sizeof(texts[0]), "%s/%s", dir, name);
    return text;
}

static void
make_dir(const char *name)
{
    assert_int_equal(mkdir(in_dir(name), 0700), 0);
}

/* home/work/.git with the tree, home/.ssh, vault, run, other. */
static int
setup(void **state)
{
    static const char *const names[] = {
        "home",      "home/work",   "home/work/.git", "home/work/sub",
        "home/.ssh", "home/.codex", "real",           "real/dots",
        "vault",     "run",         "other"};

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-isolate-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < AG_COUNT(names); i++) {
        make_dir(names[i]);
    }
    (void)setenv("HOME", in_dir("home"), 1);
    (void)unsetenv("CODEX_HOME");
    (void)unsetenv("AUTH_GUARD_PASSPHRASE_FILE");
    memset(&paths, 0, sizeof(paths));
    (void)snprintf(paths.home, sizeof(paths.home), "%s/vault", dir);
    (void)snprintf(paths.run, sizeof(paths.run), "%s/run", dir);
    (void)snprintf(paths.config, sizeof(paths.config), "%s/home/.config/ag",
                   dir);
    (void)snprintf(paths.data, sizeof(paths.data), "%s/schema", AG_SOURCE_DIR);
    (void)snprintf(paths.task_sock, sizeof(paths.task_sock), "%s/run/task.sock",
                   dir);
    return chdir(in_dir("home/work/sub"));
}

static int
teardown(void **state)
{
    (void)state;
    (void)!chdir("/");
    sweep_dir(dir);
    return 0;
}

static bool
hides(const struct view *v, const char *path)
{
    for (size_t i = 0; i < v->hidden_count; i++) {
        if (strcmp(v->hidden[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- presets ---- */

static void
test_shipped_presets_are_read(void **state)
{
    static const char *const names[] = {"workspace", "strict", "offline"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(names); i++) {
        AG_AUTO(preset) struct preset *p = NULL;

        check_ok(preset_load(paths.data, names[i], &p));
        assert_string_equal(p->name, names[i]);
        assert_true(p->system.count > 5 && p->hide.count > 20);
        assert_int_equal(p->network, strcmp(names[i], "offline") == 0
                                         ? PRESET_NETWORK_NONE
                                         : PRESET_NETWORK_BROKER);
    }
}

#define PRESET(members)                                                        \
    "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","       \
    "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"   \
    "\"system\":[\"/usr\"],\"hide\":[],"                                       \
    "\"allow\":[],\"unset\":[]" members "}"

static void
test_presets_are_decoded_strictly(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        PRESET(",\"colour\":1"),
        PRESET(",\"name\":\"y\""),
        "{\"preset\":2,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"
        "\"system\":[\"/usr\"],"
        "\"hide\":[],\"allow\":[],\"unset\":[]}",
        "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"all\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"
        "\"system\":[\"/usr\"],"
        "\"hide\":[],\"allow\":[],\"unset\":[]}",
        "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"
        "\"system\":[\"usr\"],"
        "\"hide\":[],\"allow\":[],\"unset\":[]}",
        "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"
        "\"system\":[\"/\"],"
        "\"hide\":[],\"allow\":[],\"unset\":[]}",
        "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":64,"
        "\"system\":[\"/usr\"],"
        "\"hide\":[\"${UNCLOSED\"],\"allow\":[],\"unset\":[]}",
        "{\"preset\":1,\"name\":\"x\",\"title\":\"X\",\"network\":\"none\","
        "\"home\":\"empty\",\"without_namespaces\":\"refuse\",\"layer_mib\":0,"
        "\"system\":[\"/usr\"],"
        "\"hide\":[],\"allow\":[],\"unset\":[]}",
    };
    struct preset *p = NULL;

    (void)state;
    check_ok(preset_decode(span_str(PRESET("")), &p));
    preset_free(p);
    p = NULL;
    for (size_t i = 0; i < AG_COUNT(bad); i++) {
        assert_int_equal(preset_decode(span_str(bad[i]), &p), AG_EINVAL);
        assert_null(p);
    }
}

static void
test_a_wrong_preset_is_answered_with_the_right_ones(void **state)
{
    static const char *const bad[] = {"nonsense", "../settings",
                                      "../presets/strict", "WORKSPACE", "."};
    struct preset *p = NULL;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(bad); i++) {
        assert_int_equal(preset_load(paths.data, bad[i], &p), AG_EUSAGE);
        assert_non_null(strstr(err_text(AG_EUSAGE), "workspace"));
    }
}

/* ---- places ---- */

static void
test_the_repository_is_the_tree(void **state)
{
    static struct run_options o = {.isolate = "", .command = command};
    struct isolation is;

    (void)state;
    check_ok(isolation_make(&o, &paths, &is));
    assert_string_equal(is.view->tree, in_dir("home/work"));
    assert_string_equal(is.view->cwd, in_dir("home/work/sub"));
    assert_true(view_is_host(is.view, in_dir("home/work/new")));
    assert_false(view_is_host(is.view, in_dir("home/workmate")));
    isolation_done(&is);
}

/* A .git in the home, or planted above it, opens nothing. */
static void
test_the_home_is_never_the_tree(void **state)
{
    static struct run_options o = {.isolate = "", .command = command};
    struct isolation is;

    (void)state;
    make_dir("home/.git");
    make_dir("home/plain");
    assert_int_equal(chdir(in_dir("home/plain")), 0);
    check_ok(isolation_make(&o, &paths, &is));
    assert_string_equal(is.view->tree, in_dir("home/plain"));
    isolation_done(&is);
    assert_int_equal(chdir(in_dir("home")), 0);
    check_err(isolation_make(&o, &paths, &is), AG_EUSAGE);
    assert_int_equal(chdir("/"), 0);
    check_err(isolation_make(&o, &paths, &is), AG_EUSAGE);
}

enum wrong {
    WRONG_RO,
    WRONG_RW,
    WRONG_HIDE,
    WRONG_KEEP,
    WRONG_BOTH, /* --isolate and --no-isolate */
};

static const struct {
    enum wrong what;
    const char *isolate;
    const char *path; /* below the scratch directory unless absolute */
} WRONG[] = {
    {WRONG_BOTH, "", NULL},     {WRONG_RO, NULL, "/srv"},
    {WRONG_RW, NULL, "/srv"},   {WRONG_HIDE, NULL, "/srv"},
    {WRONG_KEEP, NULL, "/srv"}, {WRONG_RO, "", "/"},
    {WRONG_RW, "", "home"},     {WRONG_RW, "", "vault"},
    {WRONG_RO, "", "run"},      {WRONG_RO, "", "missing"},
    {WRONG_HIDE, "", ""},       {WRONG_HIDE, "", "home/work"},
    {WRONG_HIDE, "", "home/"},  {WRONG_KEEP, "", "home/work/kept"},
};

static void
test_what_would_open_too_much_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(WRONG); i++) {
        static struct run_options o;
        struct isolation is;
        const char *path = WRONG[i].path;

        if (path != NULL && path[0] != '/' && path[0] != '\0') {
            path = in_dir(path);
        }
        o = (struct run_options){.isolate = WRONG[i].isolate,
                                 .no_isolate = WRONG[i].isolate == NULL ||
                                               WRONG[i].what == WRONG_BOTH,
                                 .keep_home =
                                     WRONG[i].what == WRONG_KEEP ? path : NULL,
                                 .command = command};
        o.ro = (struct arg_list){WRONG[i].what == WRONG_RO, {path}};
        o.rw = (struct arg_list){WRONG[i].what == WRONG_RW, {path}};
        o.hide = (struct arg_list){WRONG[i].what == WRONG_HIDE, {path}};
        check_err(isolation_make(&o, &paths, &is), AG_EUSAGE);
        assert_null(is.view);
    }
}

static void
test_links_do_not_hide_what_is_refused(void **state)
{
    static struct run_options o = {.isolate = "", .command = command};
    struct isolation is;

    (void)state;
    assert_int_equal(symlink(in_dir("vault"), in_dir("other/v")), 0);
    assert_int_equal(symlink(in_dir("home"), in_dir("other/h")), 0);
    o.ro = (struct arg_list){1, {in_dir("other/v")}};
    check_err(isolation_make(&o, &paths, &is), AG_EUSAGE);
    o.ro = (struct arg_list){1, {in_dir("other/h")}};
    check_err(isolation_make(&o, &paths, &is), AG_EUSAGE);
}

static void
test_a_kept_home_has_one_task_at_a_time(void **state)
{
    static struct run_options o;
    struct isolation one;
    struct isolation two;

    (void)state;
    o.isolate = "";
    o.keep_home = in_dir("kept");
    o.command = command;
    check_ok(isolation_make(&o, &paths, &one));
    assert_true(hides(one.view, in_dir("kept")));
    check_err(isolation_make(&o, &paths, &two), AG_EBUSY);
    isolation_done(&one);
    check_ok(isolation_make(&o, &paths, &two));
    isolation_done(&two);
}

/* ---- hidden paths ---- */

static struct isolation
hidden_by(const char *answer)
{
    static struct run_options o = {.isolate = "", .command = command};
    struct isolation is;
    json_auto_t *tree = json_loads(answer, 0, NULL);

    assert_non_null(tree);
    check_ok(isolation_make(&o, &paths, &is));
    check_ok(isolation_hide(&is, tree));
    return is;
}

static void
test_credentials_are_hidden_existing_or_not(void **state)
{
    struct isolation is;

    (void)state;
    (void)setenv("CODEX_HOME", in_dir("other"), 1);
    is = hidden_by("{\"hide\":[\"${CODEX_HOME:-~/.codex}/auth.json\","
                   "\"~/.ssh/id_*\",\"~/.tool/*/x.json\",\"${UNSET_}/y\","
                   "\"~/*.pem\"],\"hide_copies\":[\"~/.codex/.auth-*\"]}");
    assert_true(hides(is.view, in_dir("other/auth.json")));
    assert_true(hides(is.view, in_dir("home/.codex/auth.json")));
    assert_true(hides(is.view, in_dir("home/.ssh")));
    assert_true(hides(is.view, in_dir("home/.tool")));
    assert_true(hides(is.view, in_dir("vault")));
    assert_true(hides(is.view, in_dir("run")));
    assert_false(hides(is.view, in_dir("home")));
    assert_false(hides(is.view, in_dir("home/.codex")));
    isolation_done(&is);
    (void)unsetenv("CODEX_HOME");
}

static void
test_links_on_the_way_are_followed(void **state)
{
    struct isolation is;

    (void)state;
    assert_int_equal(symlink(in_dir("real/dots"), in_dir("home/.aws")), 0);
    is = hidden_by("{\"hide\":[\"~/.aws/credentials\"],\"hide_copies\":[]}");
    assert_true(hides(is.view, in_dir("real/dots/credentials")));
    isolation_done(&is);
}

static void
test_the_passphrase_file_is_hidden(void **state)
{
    struct isolation is;

    (void)state;
    (void)setenv("AUTH_GUARD_PASSPHRASE_FILE", in_dir("other/pass"), 1);
    is = hidden_by("{\"hide\":[],\"hide_copies\":[]}");
    assert_true(hides(is.view, in_dir("other/pass")));
    isolation_done(&is);
}

static void
test_an_older_broker_is_noticed(void **state)
{
    static struct run_options o = {.isolate = "", .command = command};
    struct isolation is;
    json_auto_t *none = json_object();

    (void)state;
    check_ok(isolation_make(&o, &paths, &is));
    check_err(isolation_hide(&is, none), AG_ECORRUPT);
    isolation_done(&is);
}

static void
test_the_record_is_told(void **state)
{
    static struct run_options o;
    struct isolation is;
    json_t *body = NULL;

    (void)state;
    o.isolate = "strict";
    o.rw = (struct arg_list){1, {in_dir("other")}};
    o.command = command;
    check_ok(isolation_make(&o, &paths, &is));
    check_ok(isolation_body(&is, &body));
    assert_string_equal(json_string_value(json_object_get(body, "network")),
                        "broker");
    assert_string_equal(json_string_value(json_object_get(body, "home")),
                        "empty");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(body, "rw"), 0)),
        in_dir("other"));
    json_decref(body);
    isolation_done(&is);
    o.isolate = NULL;
    o.rw.count = 0;
    o.no_isolate = true;
    body = NULL;
    check_ok(isolation_make(&o, &paths, &is));
    check_ok(isolation_body(&is, &body));
    assert_string_equal(json_string_value(json_object_get(body, "preset")),
                        "none");
    json_decref(body);
}

/* Without namespaces the record has what that lacks; hidden paths stay. */
static void
test_a_fence_is_on_the_record(void **state)
{
    static struct run_options o = {.command = command};
    struct isolation is;
    char scratch[64];
    json_t *body = NULL;

    (void)state;
    check_ok(isolation_make(&o, &paths, &is));
    check_ok(isolation_fence(&is));
    assert_null(is.view);
    assert_ptr_equal(isolation_shown(&is), is.fence);
    check_ok(isolation_body(&is, &body));
    assert_true(json_array_size(json_object_get(body, "lacks")) >= 4);
    json_decref(body);
    body = json_pack("{s:[s]}", "allow", "example.org");
    check_ok(isolation_allow(&is, body));
    assert_true(json_array_size(json_object_get(body, "allow")) > 5);
    json_decref(body);
    (void)snprintf(scratch, sizeof(scratch), "%s", is.scratch);
    assert_int_equal(access(scratch, W_OK), 0);
    isolation_done(&is);
    assert_int_equal(access(scratch, F_OK), -1);
}

static void
test_what_is_not_said_is_the_default(void **state)
{
    static struct run_options o = {.command = command};
    struct isolation is;

    (void)state;
    check_ok(isolation_make(&o, &paths, &is));
    assert_string_equal(is.view->preset->name, PRESET_DEFAULT);
    isolation_done(&is);
    o.no_isolate = true;
    check_ok(isolation_make(&o, &paths, &is));
    assert_null(is.view);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_shipped_presets_are_read),
        T(test_presets_are_decoded_strictly),
        T(test_a_wrong_preset_is_answered_with_the_right_ones),
        T(test_the_repository_is_the_tree),
        T(test_the_home_is_never_the_tree),
        T(test_what_would_open_too_much_is_refused),
        T(test_links_do_not_hide_what_is_refused),
        T(test_a_kept_home_has_one_task_at_a_time),
        T(test_credentials_are_hidden_existing_or_not),
        T(test_links_on_the_way_are_followed),
        T(test_the_passphrase_file_is_hidden),
        T(test_an_older_broker_is_noticed),
        T(test_the_record_is_told),
        T(test_a_fence_is_on_the_record),
        T(test_what_is_not_said_is_the_default),
    };

    wjson_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
