/* What run asks for, the links it places, and what it keeps of a login when the
 * broker is gone. */
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypt/box.h"
#include "run/place.h"
#include "run/plan.h"
#include "run/spill.h"
#include "run/task.h"
#include "wire/json.h"

static char dir[64];

static const char *
in_dir(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void
put_file(const char *name, const char *text)
{
    FILE *file = fopen(in_dir(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static char *command[] = {(char[]){"/usr/bin/tool"}, NULL};

static void
test_request_holds_what_was_asked(void **state)
{
    struct run_options o = {.purpose = "why",
                            .ttl_ms = 1500,
                            .profiles = {1, {"codex"}},
                            .grade = "file",
                            .env = {1, {"KEY=ag://a/b#/c"}},
                            .files = {2, {"rel=x", "/abs/a=b=ag://y"}},
                            .grants = {1, {"z/*:read"}},
                            .command = command};
    struct run_plan *plan = NULL;
    json_t *body = NULL;
    const json_t *files;

    (void)state;
    assert_int_equal(plan_make(&o, &plan), AG_OK);
    assert_int_equal(plan_body(plan, 2, &body), AG_OK);
    assert_string_equal(json_string_value(json_object_get(body, "name")),
                        "tool");
    assert_string_equal(json_string_value(json_object_get(body, "grade")),
                        "file");
    assert_int_equal(json_integer_value(json_object_get(body, "ttl_s")), 2);
    assert_int_equal(json_integer_value(json_object_get(body, "streams")), 2);
    files = json_object_get(body, "files");
    assert_int_equal(
        json_string_value(json_object_get(json_array_get(files, 0), "path"))[0],
        '/');
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(files, 1), "path")),
        "/abs/a=b");
    json_decref(body);
    plan_free(plan);
}

static void
test_env_files_mix_values_and_references(void **state)
{
    struct run_options o = {.command = command};
    struct run_plan *plan = NULL;

    (void)state;
    put_file("env", "A=plain\nB=ag://b#/x\n");
    o.env_files = (struct arg_list){1, {in_dir("env")}};
    assert_int_equal(plan_make(&o, &plan), AG_OK);
    assert_int_equal(plan->plain_count, 1);
    assert_string_equal(plan->plain[0], "A=plain");
    assert_int_equal(json_array_size(plan->env), 1);
    plan_free(plan);
    put_file("env", "A=1\nbad line\n");
    assert_int_equal(plan_make(&o, &plan), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "line 2"));
}

static void
test_mistakes_are_named(void **state)
{
    static struct run_options bad[] = {
        {.env = {1, {"novalue"}}, .command = command},
        {.env = {1, {"1X=ag://a"}}, .command = command},
        {.env = {1, {"X=ag://UPPER"}}, .command = command},
        {.env = {2, {"X=ag://a", "X=ag://b"}}, .command = command},
        {.files = {1, {"/x"}}, .command = command},
        {.files = {1, {"=ag://x"}}, .command = command},
        {.pty = true, .no_pty = true, .command = command},
        {.profiles = {1, {"codex"}}, .grade = "best", .command = command},
        {.grade = "file", .command = command},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct run_plan *plan = NULL;

        assert_int_equal(plan_make(&bad[i], &plan), AG_EUSAGE);
        assert_null(plan);
    }
}

static void
test_link_lives_as_long_as_its_last_user(void **state)
{
    struct place *one = NULL;
    struct place *two = NULL;
    const char *link = in_dir("tool/auth.json");
    struct stat st;

    (void)state;
    assert_int_equal(place_link(dir, link, "/target", &one), AG_OK);
    assert_int_equal(place_link(dir, link, "/target", &two), AG_OK);
    place_free(one);
    assert_int_equal(lstat(link, &st), 0);
    place_free(two);
    assert_int_equal(lstat(link, &st), -1);
}

static void
test_link_never_covers_something(void **state)
{
    struct place *place = NULL;
    struct stat st;

    (void)state;
    put_file("plain", "text");
    assert_int_equal(place_link(dir, in_dir("plain"), "/target", &place),
                     AG_EEXISTS);
    assert_non_null(strstr(err_text(AG_EEXISTS), "auth-guard adopt"));
    assert_int_equal(symlink("/elsewhere", in_dir("other")), 0);
    assert_int_equal(place_link(dir, in_dir("other"), "/target", &place),
                     AG_EEXISTS);
    assert_int_equal(lstat(in_dir("other"), &st), 0);
    assert_int_equal(place_link(dir, in_dir("no/such/place"), "/t", &place),
                     AG_ENOTFOUND);
    assert_null(place);
}

static void
test_login_is_sealed_when_the_broker_is_gone(void **state)
{
    /* The seed and its public key, by crypt/box. */
    struct secret *seed = NULL;
    struct secret *opened = NULL;
    uint8_t key[BOX_PUBLIC_BYTES];
    char text[64] = "";
    struct buf box;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    int fd;

    (void)state;
    assert_int_equal(secret_new(32, &seed), AG_OK);
    assert_int_equal(box_public(seed, key), AG_OK);
    for (size_t i = 0; i < sizeof(key); i += 3) { /* base64 by hand */
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
                                     "pqrstuvwxyz0123456789+/";
        uint32_t v = (uint32_t)key[i] << 16 |
                     (i + 1 < sizeof(key) ? (uint32_t)key[i + 1] << 8 : 0) |
                     (i + 2 < sizeof(key) ? key[i + 2] : 0);
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "%c%c%c%c", digits[v >> 18],
                 digits[v >> 12 & 63], digits[v >> 6 & 63],
                 i + 2 < sizeof(key) ? digits[v & 63] : '=');
    }
    put_file("login", "the new login");
    fd = open(in_dir("login"), O_RDONLY);
    assert_int_equal(spill_file(fd, dir, text, "41"), AG_OK);
    assert_int_equal(spill_file(fd, dir, NULL, "41"), AG_ENOBROKER);
    assert_int_equal(spill_file(fd, dir, text, ""), AG_ENOBROKER);
    buf_init(&box, 4096, BUF_PLAIN);
    assert_int_equal(fs_read(dir_fd, "spill/41.sealed", 4096, &box), AG_OK);
    assert_null(memmem(box.ptr, box.len, "new login", 9));
    assert_int_equal(box_open(seed, buf_view(&box), &opened), AG_OK);
    assert_true(span_is(secret_view(opened), "the new login"));
    secret_free(opened);
    secret_free(seed);
    buf_done(&box);
    close(fd);
    close(dir_fd);
}

/* Two runs share a link, so both must mean the same target by it. */
static void
test_a_link_has_one_target_wherever_it_stands(void **state)
{
    struct task *t = NULL;

    (void)state;
    assert_int_equal(
        task_decode(
            json_loads(
                "{\"id\":\"1\",\"token\":\"t\",\"life\":\"l\",\"deliveries\":["
                "{\"kind\":\"file\",\"path\":\"/a/x\",\"ticket\":\"1\"},"
                "{\"kind\":\"file\",\"path\":\"/b/x\",\"ticket\":\"2\"},"
                "{\"kind\":\"file\",\"path\":\"/a/x\",\"ticket\":\"3\"},"
                "{\"kind\":\"file\",\"profile\":\"p\",\"name\":\"x\","
                "\"ticket\":\"4\"},"
                "{\"kind\":\"file\",\"profile\":\"p\",\"name\":\"x\","
                "\"ticket\":\"5\"}]}",
                0, NULL),
            &t),
        AG_OK);
    assert_string_equal(t->deliveries[0].dir, t->deliveries[2].dir);
    assert_string_not_equal(t->deliveries[0].dir, t->deliveries[1].dir);
    assert_string_equal(t->deliveries[3].dir, "p-3");
    assert_string_equal(t->deliveries[4].dir, "p-4");
    task_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_holds_what_was_asked),
        cmocka_unit_test(test_env_files_mix_values_and_references),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_link_lives_as_long_as_its_last_user),
        cmocka_unit_test(test_link_never_covers_something),
        cmocka_unit_test(test_a_link_has_one_target_wherever_it_stands),
        cmocka_unit_test(test_login_is_sealed_when_the_broker_is_gone),
    };
    char line[128];
    int failed;

    wjson_setup();
    snprintf(dir, sizeof(dir), "/tmp/ag-plan-XXXXXX");
    if (mkdtemp(dir) == NULL ||
        secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(line, sizeof(line), "rm -rf '%s'", dir);
    (void)!system(line); // NOLINT(cert-env33-c): a test, its own directory
    return failed;
}
