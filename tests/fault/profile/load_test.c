/* Loading with each allocation and each call of the system failing in turn:
 * an error, nothing leaked, nothing half loaded. */
// LINKS: wire
// WRAP: malloc calloc strdup open openat scandirat fstat fstatat read
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/secret.h"
#include "common/fault.h"
#include "profile/fields.h"
#include "profile/load.h"

FAULT_WRAPPER(void *, malloc, (size_t n), (n), NULL)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t size), (n, size), NULL)
FAULT_WRAPPER(char *, strdup, (const char *text), (text), NULL)
FAULT_WRAPPER(int, fstat, (int fd, struct stat *st), (fd, st), -1)
FAULT_WRAPPER(int, fstatat, (int d, const char *p, struct stat *st, int f),
              (d, p, st, f), -1)
FAULT_WRAPPER(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), -1)
FAULT_WRAPPER(int, open, (const char *path, int flags, mode_t mode),
              (path, flags, mode), -1)
FAULT_WRAPPER(int, openat, (int d, const char *path, int flags, mode_t mode),
              (d, path, flags, mode), -1)
FAULT_WRAPPER(int, scandirat,
              (int d, const char *p, struct dirent ***list,
               int (*filter)(const struct dirent *),
               int (*order)(const struct dirent **, const struct dirent **)),
              (d, p, list, filter, order), -1)

static char dir[] = "/tmp/ag-load-XXXXXX";

/* One profile with every part, so that the points stay few. */
static int
setup(void **state)
{
    char path[128];
    FILE *to;
    FILE *from;
    static char text[8192];
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/codex.json", dir);
    from = fopen(AG_SOURCE_DIR "/schema/profiles/codex.json", "re");
    to = fopen(path, "we");
    assert_true(from != NULL && to != NULL);
    len = fread(text, 1, sizeof(text), from);
    assert_int_equal(fwrite(text, 1, len, to), len);
    assert_int_equal(fclose(from), 0);
    assert_int_equal(fclose(to), 0);
    return secret_arena_open(SECRET_ARENA_CLI_BYTES) == AG_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/codex.json", dir);
    assert_int_equal(unlink(path), 0);
    return rmdir(dir);
}

static void
test_each_failure_is_an_error(void **state)
{
    unsigned n = 1;

    (void)state;
    for (;; n++) {
        struct profiles *ps = NULL;
        enum ag_err err;

        fault_arm(n);
        err = profiles_load(dir, "/nowhere/profiles", &ps);
        if (!fault_done()) {
            check_ok(err);
            assert_int_equal(profiles_count(ps), 1);
            profiles_free(ps);
            break;
        }
        if (err == AG_OK || ps != NULL) {
            fail_msg("point %u was not noticed", n);
        }
    }
    printf("%u points\n", n - 1);
    assert_true(n > 10);
}

static enum ag_err
drop(void *arg, const char *pointer, struct secret *value)
{
    size_t *count = arg;

    (void)pointer;
    secret_free(value);
    return ++*count == 2 ? AG_ETIMEOUT : AG_OK;
}

/* What the callee raises ends the walk and comes through; nothing is left. */
static void
test_the_callee_may_stop_a_walk(void **state)
{
    size_t count = 0;

    (void)state;
    check_err(fields_secret(span_str("{\"a\":\"value-number-1\","
                                     "\"b\":\"value-number-2\","
                                     "\"c\":\"value-number-3\"}"),
                            NULL, drop, &count),
              AG_ETIMEOUT);
    assert_int_equal(count, 2);
    assert_int_equal(secret_arena_used_bytes(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failure_is_an_error),
        cmocka_unit_test(test_the_callee_may_stop_a_walk),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
