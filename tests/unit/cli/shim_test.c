/* Shims: which program a name has, whether it is still that, and the files. */
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/scratch.h"
#include "shim.h"
#include "wire/json.h"

enum {
    TEXT_BYTES = 1024,
};

static struct paths paths;
static int dir_fd;

static int
set_up(void **state)
{
    wjson_setup();
    if (scratch_open(state) != 0) {
        return -1;
    }
    (void)snprintf(paths.home, sizeof(paths.home), "%s/vault", scratch.path);
    return shim_dir_open(&paths, true, &dir_fd) == AG_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)close(dir_fd);
    return scratch_close(state);
}

static const char *
at(const char *name, char out[TEXT_BYTES])
{
    (void)snprintf(out, TEXT_BYTES, "%s/%s", scratch.path, name);
    return out;
}

static void
program(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text), 0755);
}

static json_t *
record_of(const char *name, const char *path)
{
    json_t *record = NULL;

    assert_int_equal(shim_find(dir_fd, name, path, &record), AG_OK);
    assert_int_equal(json_object_set_new(record, "options", json_array()), 0);
    return record;
}

static const char *
text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

static void
test_a_name_is_a_name(void **state)
{
    static const char *const bad[] = {"",    ".a",         "-a",         "a/b",
                                      "a b", "auth-guard", "auth-guardd"};
    char longest[SHIM_NAME_MAX_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(bad); i++) {
        assert_int_equal(shim_name_check(bad[i]), AG_EUSAGE);
    }
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(shim_name_check(longest), AG_EUSAGE);
    longest[sizeof(longest) - 2] = '\0';
    assert_int_equal(shim_name_check(longest), AG_OK);
    assert_int_equal(shim_name_check("g++-12.1_x"), AG_OK);
}

/* Relative places, our own directory, directories and what can't be executed
 * are passed over. */
static void
test_the_program_is_the_first_in_path(void **state)
{
    char path[TEXT_BYTES];
    char want[TEXT_BYTES];
    json_t *record;

    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "a", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "a/tool", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "b", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "c", 0700), 0);
    scratch_write("b/tool", "x", 1, 0644);
    program("c/tool", "c");
    program("tool", "here");
    program("vault/shims/tool", "ours");
    assert_int_equal(chdir(scratch.path), 0);
    (void)snprintf(path, sizeof(path), ":.:c:%s/vault/shims:%s/a:%s/b:%s/c",
                   scratch.path, scratch.path, scratch.path, scratch.path);
    record = record_of("tool", path);
    assert_string_equal(text_of(record, "path"), at("c/tool", want));
    json_decref(record);
    record = NULL;
    assert_int_equal(shim_find(dir_fd, "tool", ":.:c", &record), AG_ENOTFOUND);
    assert_int_equal(shim_find(dir_fd, "tool", "", &record), AG_ENOTFOUND);
    assert_null(record);
    assert_int_equal(chdir("/"), 0);
}

static void
test_what_is_on_record_is_known_again(void **state)
{
    char want[TEXT_BYTES];
    json_t *record;

    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "bin", 0700), 0);
    program("bin/real", "one");
    assert_int_equal(symlinkat("real", scratch.fd, "bin/it"), 0);
    record = record_of("it", at("bin", want));
    assert_string_equal(text_of(record, "real"), at("bin/real", want));
    assert_int_equal(strlen(text_of(record, "hash")), 64);
    /* Just written: its times prove nothing. */
    assert_string_equal(text_of(record, "seen"), "");
    assert_int_equal(shim_judge(record), SHIM_SAME);

    program("bin/real", "two");
    assert_int_equal(shim_judge(record), SHIM_CHANGED);
    program("bin/real", "one");
    assert_int_equal(shim_judge(record), SHIM_SAME);

    program("bin/other", "one");
    assert_int_equal(unlinkat(scratch.fd, "bin/it", 0), 0);
    assert_int_equal(shim_judge(record), SHIM_GONE);
    assert_int_equal(symlinkat("other", scratch.fd, "bin/it"), 0);
    assert_int_equal(shim_judge(record), SHIM_CHANGED);
    assert_int_equal(unlinkat(scratch.fd, "bin/it", 0), 0);
    assert_int_equal(mkdirat(scratch.fd, "bin/it", 0700), 0);
    assert_int_not_equal(shim_judge(record), SHIM_SAME);
    json_decref(record);
}

/* A system program is old enough to be known by its times, unread; with other
 * times it is read. */
static void
test_an_old_file_is_not_read_again(void **state)
{
    json_t *record = record_of("env", "/usr/bin");

    (void)state;
    assert_string_not_equal(text_of(record, "seen"), "");
    assert_int_equal(json_object_set_new(record, "hash", json_string("0")), 0);
    assert_int_equal(shim_judge(record), SHIM_SAME);
    assert_int_equal(json_object_set_new(record, "seen", json_string("")), 0);
    assert_int_equal(shim_judge(record), SHIM_CHANGED);
    json_decref(record);
}

static void
test_a_script_and_its_record(void **state)
{
    char path[TEXT_BYTES];
    char text[TEXT_BYTES];
    json_t *record = record_of("env", "/usr/bin");
    json_t *back = NULL;
    json_t *names = NULL;
    struct stat st;
    FILE *f;
    size_t n;

    (void)state;
    assert_int_equal(shim_read(dir_fd, "env", &back), AG_ENOTFOUND);
    assert_int_equal(shim_write(dir_fd, record, "/opt/it's/auth-guard", "/h'"),
                     AG_OK);
    assert_int_equal(stat(at("vault/shims/env", path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(shim_is_one(path));
    f = fopen(path, "re");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    assert_non_null(strstr(text, "\nAUTH_GUARD_HOME='/h'\\'''\n"));
    assert_non_null(strstr(
        text, "\nexec '/opt/it'\\''s/auth-guard' shim exec env -- \"$@\"\n"));
    /* Written over, not beside; found as no program. */
    assert_int_equal(shim_write(dir_fd, record, "/bin/auth-guard", NULL),
                     AG_OK);
    (void)snprintf(path, sizeof(path), "%s/vault/shims", scratch.path);
    assert_int_equal(shim_find(scratch.fd, "env", path, &back), AG_ENOTFOUND);

    assert_int_equal(shim_read(dir_fd, "env", &back), AG_OK);
    assert_true(json_equal(record, back));
    json_decref(back);
    back = NULL;
    assert_int_equal(shim_names(dir_fd, &names), AG_OK);
    assert_int_equal(json_array_size(names), 1);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "env");
    json_decref(names);

    assert_int_equal(shim_remove(dir_fd, "env"), AG_OK);
    assert_int_equal(shim_remove(dir_fd, "env"), AG_ENOTFOUND);
    assert_int_equal(shim_names(dir_fd, &names), AG_OK);
    assert_int_equal(json_array_size(names), 0);
    json_decref(names);
    json_decref(record);
}

static void
test_a_damaged_record_starts_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"name\":\"x\",\"path\":\"/x\",\"real\":\"/x\",\"hash\":\"\","
        "\"seen\":\"\"}",
        "{\"name\":\"x\",\"path\":\"x\",\"real\":\"/x\",\"hash\":\"\","
        "\"seen\":\"\",\"options\":[]}",
        "{\"name\":\"y\",\"path\":\"/x\",\"real\":\"/x\",\"hash\":\"\","
        "\"seen\":\"\",\"options\":[]}",
        "{\"name\":\"x\",\"path\":\"/x\",\"real\":\"/x\",\"hash\":\"\","
        "\"seen\":\"\",\"options\":[1]}",
    };
    static const char good[] =
        "{\"name\":\"x\",\"path\":\"/x\",\"real\":\"/x\",\"hash\":\"\","
        "\"seen\":\"\",\"options\":[\"--name\"]}";
    json_t *record = NULL;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(bad); i++) {
        scratch_write("vault/shims/.x.json", bad[i], strlen(bad[i]), 0600);
        assert_int_equal(shim_read(dir_fd, "x", &record), AG_ECORRUPT);
    }
    scratch_write("vault/shims/.x.json", good, sizeof(good) - 1, 0644);
    assert_int_equal(shim_read(dir_fd, "x", &record), AG_EMODE);
    scratch_write("vault/shims/.x.json", good, sizeof(good) - 1, 0600);
    assert_int_equal(shim_read(dir_fd, "x", &record), AG_OK);
    json_decref(record);
}

static void
test_path_without_the_directory(void **state)
{
    char shims[TEXT_BYTES];
    char path[4 * TEXT_BYTES];
    char *out = NULL;

    (void)state;
    at("vault/shims", shims);
    (void)snprintf(path, sizeof(path), "%s/:/usr/bin::%s/../shims:/bin:%s",
                   shims, shims, shims);
    assert_int_equal(shim_path_without(dir_fd, path, &out), AG_OK);
    assert_string_equal(out, "/usr/bin::/bin");
    free(out);
    assert_int_equal(shim_path_without(dir_fd, shims, &out), AG_OK);
    assert_string_equal(out, "");
    free(out);
    assert_true(shim_is_first(dir_fd, path, "/usr/bin/env"));
    (void)snprintf(path, sizeof(path), "/bin:%s:/usr/bin", shims);
    assert_false(shim_is_first(dir_fd, path, "/bin/env"));
    assert_true(shim_is_first(dir_fd, path, "/usr/bin/env"));
    assert_false(shim_is_first(dir_fd, "/opt", "/usr/bin/env"));
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_name_is_a_name),
        T(test_the_program_is_the_first_in_path),
        T(test_what_is_on_record_is_known_again),
        T(test_an_old_file_is_not_read_again),
        T(test_a_script_and_its_record),
        T(test_a_damaged_record_starts_nothing),
        T(test_path_without_the_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
