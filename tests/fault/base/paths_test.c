// WRAP: readlink access
/* Where schema/ is found for a program that lies elsewhere. */
#include <unistd.h>

#include "base/paths.h"
#include "common/fault.h"

static const char *exe; /* NULL: there is no /proc */
static const char *there;

ssize_t __wrap_readlink(const char *path, char *out, size_t cap);

ssize_t
__wrap_readlink(const char *path, char *out, size_t cap)
{
    size_t len;

    assert_string_equal(path, "/proc/self/exe");
    if (exe == NULL) {
        errno = ENOENT;
        return -1;
    }
    len = strnlen(exe, cap);
    memcpy(out, exe, len);
    return (ssize_t)len;
}

int __wrap_access(const char *path, int mode);

int
__wrap_access(const char *path, int mode)
{
    (void)mode;
    return strcmp(path, there) == 0 ? 0 : -1;
}

/* The directory found by a program at `program` when `dir` exists. */
static const char *
found(const char *program, const char *dir)
{
    static struct paths p;

    exe = program;
    there = dir;
    check_ok(paths_find(&p));
    return p.data;
}

static void
test_a_program_of_the_build_tree_uses_the_sources(void **state)
{
    (void)state;
    assert_string_equal(found(AG_BINARY_DIR "/auth-guardd", ""),
                        AG_SOURCE_DIR "/schema");
    assert_string_equal(
        found(AG_BINARY_DIR "/tests/x", "/usr/share/auth-guard"),
        AG_SOURCE_DIR "/schema");
}

static void
test_an_installed_program_uses_what_lies_beside_it(void **state)
{
    static const char *const NAMED = "/share/auth-guard"; /* at build time */
    static char long_path[2000];
    const char *dir;

    (void)state;
    assert_string_equal(found("/usr/bin/auth-guardd", "/usr/share/auth-guard"),
                        "/usr/share/auth-guard");
    assert_string_equal(found("/opt/ag/bin/x", "/opt/ag/share/auth-guard"),
                        "/opt/ag/share/auth-guard");
    dir = found("/opt/ag/bin/x", "");
    assert_string_equal(dir + strlen(dir) - strlen(NAMED), NAMED);
    assert_string_not_equal(dir, "/opt/ag/share/auth-guard");
    assert_string_equal(found(NULL, ""), dir);
    assert_string_equal(found("x", ""), dir);
    /* a neighbour of the build tree is not in it */
    assert_string_equal(found(AG_BINARY_DIR "-other/x", ""), dir);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[0] = '/';
    assert_string_equal(found(long_path, ""), dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_of_the_build_tree_uses_the_sources),
        cmocka_unit_test(test_an_installed_program_uses_what_lies_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
