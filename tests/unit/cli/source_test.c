/* Every kind of file that may stand where a credential should be. */
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/secret.h"
#include "common/check.h"
#include "move/source.h"

static char dir[64];
static char path[128];

static void
write_file(const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(close(fd), 0);
}

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-source-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/auth.json", dir);
    return 0;
}

static int
teardown(void **state)
{
    char other[160];

    (void)state;
    (void)snprintf(other, sizeof(other), "%s.other", path);
    (void)unlink(other);
    (void)unlink(path);
    assert_int_equal(chmod(dir, 0700), 0);
    return rmdir(dir);
}

static void
check_refused(enum ag_err want, const char *word)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;
    enum ag_err err = source_open(path, &s);

    if (err != want || strstr(err_text(err), word) == NULL) {
        fail_msg("%s (%s), not %s with \"%s\"", err_code(err), err_text(err),
                 err_code(want), word);
    }
}

static void
test_a_file_is_read_whole(void **state)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;
    AG_AUTO(secret) struct secret *content = NULL;

    (void)state;
    write_file("{\"a\":1}\n", 8);
    check_ok(source_open(path, &s));
    assert_string_equal(s.path, path);
    assert_string_equal(s.name, "auth.json");
    check_ok(source_read(&s, &content));
    check_span(secret_view(content), "{\"a\":1}\n");
    assert_int_equal(lseek(s.fd, 0, SEEK_CUR), 0);
    check_ok(source_unchanged(&s));
}

static void
test_a_relative_path_becomes_absolute(void **state)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;
    char before[256];

    (void)state;
    write_file("x", 1);
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(dir), 0);
    check_ok(source_open("auth.json", &s));
    assert_string_equal(s.path, path);
    assert_int_equal(chdir(before), 0);
}

static void
test_link_is_refused_and_named(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", path), 0);
    check_refused(AG_EFILE, "/etc/passwd");
}

static void
test_dangling_link_is_refused(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", path), 0);
    check_refused(AG_EFILE, "symbolic link");
}

static void
test_hard_link_is_refused(void **state)
{
    char other[160];

    (void)state;
    write_file("x", 1);
    (void)snprintf(other, sizeof(other), "%s.other", path);
    assert_int_equal(link(path, other), 0);
    check_refused(AG_EFILE, "2 names");
}

static void
test_directory_and_fifo_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused(AG_EFILE, "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_refused(AG_EFILE, "not a regular file");
}

static void
test_empty_is_refused(void **state)
{
    (void)state;
    write_file("", 0);
    check_refused(AG_EFILE, "empty");
}

static void
test_too_large_is_refused(void **state)
{
    char *big = calloc(1, SOURCE_MAX_BYTES + 1);
    AG_AUTO(source) struct source s = SOURCE_NONE;

    (void)state;
    write_file(big, SOURCE_MAX_BYTES + 1);
    check_refused(AG_ELIMIT, "limit");
    write_file(big, SOURCE_MAX_BYTES);
    check_ok(source_open(path, &s));
    free(big);
}

static void
test_missing_is_said(void **state)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;

    (void)state;
    check_refused(AG_ENOTFOUND, "auth.json");
    check_err(source_open("/no/such/dir/file", &s), AG_ENOTFOUND);
    check_err(source_open("/tmp/", &s), AG_EINVAL);
    check_err(source_open("/tmp/..", &s), AG_EINVAL);
}

static void
test_other_owner_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    write_file("x", 1);
    assert_int_equal(chown(path, 12345, 12345), 0);
    check_refused(AG_EFILE, "another user");
}

static void
test_open_directory_is_refused(void **state)
{
    (void)state;
    write_file("x", 1);
    assert_int_equal(chmod(dir, 0777), 0);
    check_refused(AG_EFILE, "anybody");
    assert_int_equal(chmod(dir, 01777), 0);
    {
        AG_AUTO(source) struct source s = SOURCE_NONE;

        check_ok(source_open(path, &s));
    }
}

static void
test_unwritable_directory_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        skip();
    }
    write_file("x", 1);
    assert_int_equal(chmod(dir, 0500), 0);
    check_refused(AG_EFILE, "can't be removed");
}

static void
test_changes_are_noticed(void **state)
{
    static const char *const AFTER[] = {"longer text", "same"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(AFTER); i++) {
        AG_AUTO(source) struct source s = SOURCE_NONE;
        AG_AUTO(secret) struct secret *content = NULL;
        struct timespec back[2];

        write_file("text", 4);
        check_ok(source_open(path, &s));
        back[0] = s.st.st_atim;
        back[1] = s.st.st_mtim;
        write_file(AFTER[i], strlen(AFTER[i]));
        assert_int_equal(utimensat(AT_FDCWD, path, back, 0), 0);
        check_err(source_unchanged(&s), AG_ECHANGED);
        check_err(source_read(&s, &content), AG_ECHANGED);
    }
}

static void
test_a_replaced_file_is_noticed(void **state)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;

    (void)state;
    write_file("text", 4);
    check_ok(source_open(path, &s));
    assert_int_equal(unlink(path), 0);
    check_err(source_unchanged(&s), AG_ECHANGED);
    write_file("text", 4);
    check_err(source_unchanged(&s), AG_ECHANGED);
}

static int
group_setup(void **state)
{
    (void)state;
    return secret_arena_open(SECRET_ARENA_CLI_BYTES) == AG_OK ? 0 : -1;
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_a_file_is_read_whole),
        CASE(test_a_relative_path_becomes_absolute),
        CASE(test_link_is_refused_and_named),
        CASE(test_dangling_link_is_refused),
        CASE(test_hard_link_is_refused),
        CASE(test_directory_and_fifo_are_refused),
        CASE(test_empty_is_refused),
        CASE(test_too_large_is_refused),
        CASE(test_missing_is_said),
        CASE(test_other_owner_is_refused),
        CASE(test_open_directory_is_refused),
        CASE(test_unwritable_directory_is_refused),
        CASE(test_changes_are_noticed),
        CASE(test_a_replaced_file_is_noticed),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
