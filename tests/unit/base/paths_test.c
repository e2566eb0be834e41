/* Where everything is, by environment; and the log's lines. */
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "common/check.h"
#include "common/scratch.h"

/* An empty variable counts as none. */
static void
set(const char *name, const char *value)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    assert_int_equal(setenv(name, value, 1), 0);
}

static int
clean(void **state)
{
    static const char *const NAMES[] = {"AUTH_GUARD_HOME", "AUTH_GUARD_SOCKET",
                                        "AUTH_GUARD_ADDR", "XDG_DATA_HOME",
                                        "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        set(NAMES[i], "");
    }
    set("HOME", "/home/a");
    return 0;
}

static void
test_defaults(void **state)
{
    struct paths p;

    (void)state;
    check_ok(paths_find(&p));
    assert_string_equal(p.home, "/home/a/.local/share/auth-guard");
    assert_string_equal(p.run, "/home/a/.local/share/auth-guard/run");
    assert_string_equal(p.config, "/home/a/.config/auth-guard");
    assert_string_equal(p.admin_sock,
                        "/home/a/.local/share/auth-guard/run/admin.sock");
    assert_string_equal(p.api_sock, p.admin_sock);
    assert_string_equal(p.addr, "");
    /* this program lies in a build tree */
    assert_string_equal(p.data, AG_SOURCE_DIR "/schema");
}

static void
test_xdg(void **state)
{
    struct paths p;

    (void)state;
    set("XDG_DATA_HOME", "/d");
    set("XDG_RUNTIME_DIR", "/run/user/1");
    set("XDG_CONFIG_HOME", "relative"); /* to be ignored */
    check_ok(paths_find(&p));
    assert_string_equal(p.home, "/d/auth-guard");
    assert_string_equal(p.run, "/run/user/1/auth-guard");
    assert_string_equal(p.task_sock, "/run/user/1/auth-guard/task.sock");
    assert_string_equal(p.config, "/home/a/.config/auth-guard");
}

static void
test_a_home_by_hand_keeps_its_sockets(void **state)
{
    struct paths p;

    (void)state;
    set("XDG_RUNTIME_DIR", "/run/user/1");
    set("AUTH_GUARD_HOME", "/v");
    set("AUTH_GUARD_ADDR", "127.0.0.1:4");
    check_ok(paths_find(&p));
    assert_string_equal(p.home, "/v");
    assert_string_equal(p.fd_sock, "/v/run/fd.sock");
    assert_string_equal(p.addr, "127.0.0.1:4");
}

static void
test_a_socket_by_hand_brings_its_neighbours(void **state)
{
    struct paths p;

    (void)state;
    set("AUTH_GUARD_SOCKET", "/s/task.sock");
    check_ok(paths_find(&p));
    assert_string_equal(p.api_sock, "/s/task.sock");
    assert_string_equal(p.run, "/s");
    assert_string_equal(p.fd_sock, "/s/fd.sock");
}

static void
test_bad_environments(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } ROWS[] = {
        {"AUTH_GUARD_HOME", "v"},
        {"AUTH_GUARD_SOCKET", "s"},
        {"AUTH_GUARD_SOCKET", "/s"},
        {"AUTH_GUARD_SOCKET", "/s/"},
        {"HOME", ""},
        {"HOME", "relative"},
    };

    char too_long[2000];
    struct paths p;

    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        (void)clean(state);
        set(ROWS[i].name, ROWS[i].value);
        check_err(paths_find(&p), AG_EINVAL);
    }
    (void)clean(state);
    memset(too_long, 'p', sizeof(too_long));
    too_long[0] = '/';
    too_long[120] = '\0'; /* good for a file, not for a socket */
    set("AUTH_GUARD_HOME", too_long);
    check_err(paths_find(&p), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "too long for a socket"));
    too_long[120] = 'p';
    too_long[1999] = '\0';
    set("AUTH_GUARD_HOME", too_long);
    check_err(paths_find(&p), AG_EINVAL);
}

/* What log_event() writes, with stderr turned into a file. */
static void
read_log(char *out, size_t cap)
{
    int fd = openat(scratch.fd, "log", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, out, cap - 1);

    assert_true(n >= 0);
    out[n] = '\0';
    (void)close(fd);
}

static void
test_log_lines(void **state)
{
    static char longest[4000];
    static char text[8000];
    int kept = dup(STDERR_FILENO);
    int fd;

    (void)state;
    (void)scratch_open(NULL);
    fd = openat(scratch.fd, "log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    memset(longest, 'x', sizeof(longest));
    longest[3999] = '\0';
    log_debug("not said");
    log_info("said", "name", "codex/default", "odd", "a b\"\\\n\x1b", "none",
             NULL, "empty", "");
    log_set_level(LOG_ERROR);
    log_warn("not said");
    log_error("long", "x", longest);
    log_set_level(LOG_INFO);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    (void)close(kept);
    (void)close(fd);
    read_log(text, sizeof(text));
    assert_non_null(strstr(text,
                           "Z level=info event=said name=codex/default "
                           "odd=\"a b\\\"\\\\??\" none=\"\" empty=\"\"\n"));
    assert_null(strstr(text, "not said"));
    assert_non_null(strstr(text, "level=error event=long x=xxxx"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_true(strlen(strchr(text, '\n') + 1) == 2048);
    (void)scratch_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, clean),
        cmocka_unit_test_setup(test_xdg, clean),
        cmocka_unit_test_setup(test_a_home_by_hand_keeps_its_sockets, clean),
        cmocka_unit_test_setup(test_a_socket_by_hand_brings_its_neighbours,
                               clean),
        cmocka_unit_test(test_bad_environments),
        cmocka_unit_test_setup(test_log_lines, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
