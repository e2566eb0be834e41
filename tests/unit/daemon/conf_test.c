/* settings.ini: the documented file is the defaults, every key is in it, and
 * every wrong line is refused with its number. */
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/paths.h"
#include "common/check.h"
#include "daemon/conf.h"

enum {
    FILE_MAX_BYTES = 64 * 1024,
};

static void
read_shipped(struct buf *out)
{
    AG_AUTO(fd) int fd = open(AG_SOURCE_DIR "/schema", O_RDONLY | O_DIRECTORY);

    buf_init(out, FILE_MAX_BYTES, BUF_PLAIN);
    check_ok(fs_read(fd, "settings.ini", FILE_MAX_BYTES, out));
}

static void
test_shipped_file_is_the_defaults(void **state)
{
    AG_AUTO(buf) struct buf text;
    struct settings defaults;
    struct settings read;

    (void)state;
    read_shipped(&text);
    settings_default(&defaults);
    memset(&read, 0x11, sizeof(read));
    memset(&read.core, 0,
           sizeof(read.core)); /* padding, and the marker's tail */
    check_ok(settings_parse(buf_view(&text), &read));
    assert_memory_equal(&read.http, &defaults.http, sizeof(read.http));
    assert_int_equal(read.core.idle_lock_ms, defaults.core.idle_lock_ms);
    assert_int_equal(read.core.session_ms, defaults.core.session_ms);
    assert_int_equal(read.core.proof_ms, defaults.core.proof_ms);
    assert_int_equal(read.core.task_ttl_ms, defaults.core.task_ttl_ms);
    assert_int_equal(read.core.task_ttl_max_ms, defaults.core.task_ttl_max_ms);
    assert_int_equal(read.core.wrap_ttl_max_ms, defaults.core.wrap_ttl_max_ms);
    assert_int_equal(read.core.task_tokens_max, defaults.core.task_tokens_max);
    assert_int_equal(read.core.audit_strict, defaults.core.audit_strict);
    assert_string_equal(read.core.marker, defaults.core.marker);
    assert_memory_equal(&read.upstream, &defaults.upstream,
                        sizeof(read.upstream));
    assert_memory_equal(&read.forward, &defaults.forward, sizeof(read.forward));
    assert_string_equal(read.ca_file, "");
    assert_int_equal(read.tcp_port, defaults.tcp_port);
    assert_int_equal(read.log_level, defaults.log_level);
}

/* The table of limits, as the file shows it: each with its reason. */
static void
test_every_limit_is_in_the_file(void **state)
{
    AG_AUTO(buf) struct buf text;

    (void)state;
    read_shipped(&text);
#define CHECK_ROW(name, otherwise, min, max, what)                             \
    assert_non_null(strstr(buf_cstr(&text), "\n" #name " = " #otherwise "\n"));
    HTTP_LIMITS(CHECK_ROW)
    UPSTREAM_LIMITS(CHECK_ROW)
    FORWARD_LIMITS(CHECK_ROW)
#undef CHECK_ROW
}

static void
test_values(void **state)
{
    struct settings s;

    (void)state;
    settings_default(&s);
    check_ok(settings_parse(
        span_str("[vault]\nidle_lock = 0\naudit = strict\n"
                 "[operator]\nsession=90m\n[task]\nttl = 500s\n"
                 "[redact]\nmarker = <%s>\n[log]\nlevel = debug\n"
                 "[http]\nconnections = 64\nadmin_spare = 8\ntcp_port = 4711\n"
                 "[upstream]\nca_file = /etc/my.pem\ncalls = 3\n"),
        &s));
    assert_int_equal(s.core.idle_lock_ms, 0);
    assert_true(s.core.audit_strict);
    assert_int_equal(s.core.session_ms, 90 * 60 * 1000);
    assert_int_equal(s.core.task_ttl_ms, 500 * 1000);
    assert_string_equal(s.core.marker, "<%s>");
    assert_int_equal(s.log_level, LOG_DEBUG);
    assert_int_equal(s.http.connections, 64);
    assert_int_equal(s.tcp_port, 4711);
    assert_string_equal(s.ca_file, "/etc/my.pem");
    assert_int_equal(s.upstream.calls, 3);
}

static void
check_refused(const char *text, const char *says)
{
    struct settings s;
    struct settings before;

    settings_default(&s);
    before = s;
    check_err(settings_parse(span_str(text), &s), AG_EINVAL);
    if (strstr(err_text(AG_EINVAL), says) == NULL) {
        fail_msg("%s: says \"%s\", not \"%s\"", text, err_text(AG_EINVAL),
                 says);
    }
    assert_memory_equal(&s, &before, sizeof(s));
}

static void
test_wrong_lines_are_refused(void **state)
{
    (void)state;
    check_refused("[http]\nconnection = 5\n", "line 2: [http] connection: no");
    check_refused("[nothing]\na = b\n", "no such setting");
    check_refused("a = b\n", "no such setting");
    check_refused("[http]\nidle_s = ten\n", "[http] idle_s: not a number");
    check_refused("[http]\nidle_s = 0\n", "between 1 and 3600");
    check_refused("[http]\nidle_s = -5\n", "not a number");
    check_refused("[http]\ntcp_port = 65536\n", "between 0 and 65535");
    check_refused("[upstream]\ncalls = 0\n", "between 1 and 1024");
    check_refused("[upstream]\nca_file = my.pem\n", "an absolute path");
    check_refused("[task]\nttl = 5 weeks\n", "not a duration");
    check_refused("[task]\nttl = 8d\n", "ttl: is above ttl_max");
    check_refused("[vault]\naudit = loose\n", "must be normal");
    check_refused("[log]\nlevel = loud\n", "must be error");
    check_refused("[redact]\nmarker = %d\n", "at most one %s");
    check_refused("[redact]\nmarker = %s%s\n", "at most one %s");
    check_refused("[redact]\nmarker =\n", "1 to 63");
    check_refused("[http]\nadmin_spare = 1024\n", "below connections");
    check_refused("nonsense\n", "line 1");
    check_refused("[http]\nidle_s = 5\n[http\n", "line 3");
}

static void
test_file_that_others_can_write_is_refused(void **state)
{
    char dir[] = "/tmp/ag-conf-XXXXXX";
    struct paths paths;
    struct settings s;
    AG_AUTO(fd) int dir_fd = -1;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    memset(&paths, 0, sizeof(paths));
    (void)snprintf(paths.config, sizeof(paths.config), "%s", dir);
    check_ok(settings_load(&paths, &s)); /* none is there */
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = openat(dir_fd, "settings.ini", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "[http]\nidle_s = 7\n", 18), 18);
    check_ok(settings_load(&paths, &s));
    assert_int_equal(s.http.idle_s, 7);
    assert_int_equal(fchmod(dir_fd, 0770), 0);
    check_err(settings_load(&paths, &s), AG_EMODE);
    assert_int_equal(fchmod(dir_fd, 0703), 0);
    check_err(settings_load(&paths, &s), AG_EMODE);
    assert_int_equal(fchmod(dir_fd, 01777), 0);
    check_ok(settings_load(&paths, &s));
    assert_int_equal(fchmod(dir_fd, 0700), 0);
    assert_int_equal(fchmod(fd, 0620), 0);
    check_err(settings_load(&paths, &s), AG_EMODE);
    (void)close(fd);
    assert_int_equal(unlinkat(dir_fd, "settings.ini", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir_fd, "settings.ini"), 0);
    check_err(settings_load(&paths, &s), AG_EMODE);
    assert_int_equal(unlinkat(dir_fd, "settings.ini", 0), 0);
    assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_file_is_the_defaults),
        cmocka_unit_test(test_every_limit_is_in_the_file),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong_lines_are_refused),
        cmocka_unit_test(test_file_that_others_can_write_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
