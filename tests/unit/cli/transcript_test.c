/* Files changed where they lie: which, when not, and what stays of them. */
#include <sys/wait.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <signal.h>
#include <time.h>

#include "base/fdx.h"
#include "common/transcripts.h"
#include "move/erase.h"
#include "transcript/swap.h"
#include "transcript/treat.h"
#include "transcript/walk.h"

#define OLD "a " TRANSCRIPT_VALUE " b\n"
#define NEW "a [x] b\n"

static struct passage passage = {.run = transcript_pass};

static int
setup(void **state)
{
    (void)signal(SIGIO, SIG_IGN);
    transcript_meanwhile = NULL;
    passage.failed = false;
    return scratch_open(state);
}

static void
write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text), 0600);
}

static void
treat(const char *name, bool look_only, struct treat_result *ret)
{
    const struct treat t = {.passage = &passage, .look_only = look_only};

    check_ok(treat_file(&t, scratch.fd, name, name, ret));
    treat_result_done(ret);
}

static void
check_left(const char *name, enum ag_err err, const char *why)
{
    struct treat_result r;

    treat(name, false, &r);
    assert_int_equal(r.state, TREAT_LEFT);
    assert_int_equal(r.err, err);
    if (strstr(r.why, why) == NULL) {
        fail_msg("%s: no \"%s\"", r.why, why);
    }
}

static void
check_holds(const char *name, const char *text)
{
    assert_string_equal(transcript_read(scratch.fd, name), text);
}

/* Nothing but these many names. */
static void
check_count(int count)
{
    struct dirent **entries = NULL;
    int found = scandirat(scratch.fd, ".", &entries, NULL, alphasort);

    for (int i = 0; i < found; i++) {
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(found, count + 2);
}

static void
test_names_of_ours(void **state)
{
    (void)state;
    assert_true(swap_is_ours(".ag-inplace-0123456789abcdef"));
    assert_true(swap_is_ours(".ag-inplace-0123456789abcdef-wal"));
    assert_true(swap_is_ours(".ag-inplace-0123456789abcdef-journal"));
    assert_false(swap_is_ours(".ag-inplace-0123456789abcdeX"));
    assert_false(swap_is_ours(".ag-inplace-0123456789abcde"));
    assert_false(swap_is_ours(".ag-inplace-0123456789abcdef0"));
    assert_false(swap_is_ours(".ag-inplace-0123456789abcdef.txt"));
    assert_false(swap_is_ours(".ag-inplace-0123456789abcdef-something-else"));
    assert_false(swap_is_ours("ag-inplace-0123456789abcdef"));
}

static void
test_what_is_found_is_changed_and_dressed(void **state)
{
    const struct timespec times[2] = {{1000, 5}, {2000, 7}};
    struct treat_result r;
    struct stat st;
    struct stat was;

    (void)state;
    scratch_write("f", OLD, strlen(OLD), 0640);
    assert_int_equal(utimensat(scratch.fd, "f", times, 0), 0);
    assert_int_equal(fstatat(scratch.fd, "f", &was, 0), 0);
    treat("f", true, &r);
    assert_int_equal(r.state, TREAT_FOUND);
    assert_int_equal(r.hits, 1);
    check_holds("f", OLD);
    treat("f", false, &r);
    assert_int_equal(r.state, TREAT_CHANGED);
    assert_false(r.not_wiped);
    check_holds("f", NEW);
    assert_int_equal(fstatat(scratch.fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, 2000);
    assert_int_equal(st.st_mtim.tv_nsec, 7);
    assert_true(st.st_ino != was.st_ino);
    check_count(1);
}

/* Who may read it beside owner and group is still told by its list. */
static void
test_what_is_kept_with_a_file_stays(void **state)
{
    static const uint8_t LIST[] = {
        2,  0, 0, 0,                          /* its version */
        1,  0, 6, 0, 0xff, 0xff, 0xff, 0xff,  /* owner: rw */
        2,  0, 4, 0, 0x39, 0x30, 0,    0,     /* user 12345: r */
        4,  0, 4, 0, 0xff, 0xff, 0xff, 0xff,  /* group: r */
        16, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,  /* mask: r */
        32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}; /* others: none */
    static const char *const NAMES[] = {"user.note", "system.posix_acl_access"};
    struct treat_result r;
    char value[64];
    int fd;

    (void)state;
    scratch_write("f", OLD, strlen(OLD), 0640);
    fd = openat(scratch.fd, "f", O_RDWR | O_CLOEXEC);
    if (fsetxattr(fd, NAMES[0], LIST, 4, 0) != 0 ||
        fsetxattr(fd, NAMES[1], LIST, sizeof(LIST), 0) != 0) {
        print_message("SKIPPED: this file system keeps no attributes\n");
        fd_close(fd);
        return;
    }
    fd_close(fd);
    treat("f", false, &r);
    assert_int_equal(r.state, TREAT_CHANGED);
    fd = openat(scratch.fd, "f", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fgetxattr(fd, NAMES[0], value, sizeof(value)), 4);
    assert_int_equal(fgetxattr(fd, NAMES[1], value, sizeof(value)),
                     sizeof(LIST));
    assert_memory_equal(value, LIST, sizeof(LIST));
    fd_close(fd);
}

static void
test_clean_files_are_not_written(void **state)
{
    struct treat_result r;
    struct stat was;
    struct stat st;

    (void)state;
    write_text("clean", "nothing\n");
    write_text("empty", "");
    scratch_write("binary", "a\0" OLD, sizeof("a\0" OLD), 0600);
    assert_int_equal(mkfifoat(scratch.fd, "fifo", 0600), 0);
    assert_int_equal(fstatat(scratch.fd, "clean", &was, 0), 0);
    treat("clean", false, &r);
    assert_int_equal(r.state, TREAT_CLEAN);
    assert_int_equal(fstatat(scratch.fd, "clean", &st, 0), 0);
    assert_memory_equal(&st.st_ctim, &was.st_ctim, sizeof(st.st_ctim));
    assert_int_equal(st.st_ino, was.st_ino);
    treat("empty", false, &r);
    assert_int_equal(r.state, TREAT_CLEAN);
    treat("binary", false, &r);
    assert_int_equal(r.state, TREAT_BINARY);
    treat("fifo", false, &r);
    assert_int_equal(r.state, TREAT_BINARY);
    check_count(4);
}

/* Also while the filter still has its copy of the descriptor. */
static void
test_the_old_content_is_overwritten(void **state)
{
    char old[sizeof(OLD)] = "";
    struct swap s;
    int fd;

    (void)state;
    write_text("f", OLD);
    check_ok(swap_hold(scratch.fd, "f", &s));
    check_ok(swap_make(&s));
    check_ok(fd_write_all(s.new_fd, span_str(NEW)));
    fd = dup(s.old_fd);
    assert_true(fd >= 0);
    check_ok(swap_commit(&s));
    assert_false(s.not_wiped);
    assert_int_equal(pread(fd, old, sizeof(old) - 1, 0), sizeof(old) - 1);
    assert_memory_not_equal(old, OLD, sizeof(OLD) - 1);
    assert_int_equal(close(fd), 0);
    swap_done(&s);
    check_holds("f", NEW);
    check_count(1);
}

static void
test_second_names_links_and_others_are_refused(void **state)
{
    (void)state;
    write_text("f", OLD);
    assert_int_equal(linkat(scratch.fd, "f", scratch.fd, "g", 0), 0);
    check_left("f", AG_EFILE, "2 names (hard links)");
    assert_int_equal(unlinkat(scratch.fd, "g", 0), 0);
    assert_int_equal(symlinkat("f", scratch.fd, "l"), 0);
    check_left("l", AG_EFILE, "symbolic link");
    check_left("absent", AG_ENOTFOUND, "absent");
    check_holds("f", OLD);
    check_count(2);
}

static void
test_who_has_it_open_keeps_it(void **state)
{
    static const int HOW[] = {O_RDONLY, O_WRONLY, O_RDWR | O_APPEND};
    struct treat_result r;

    (void)state;
    write_text("f", OLD);
    for (size_t i = 0; i < AG_COUNT(HOW); i++) {
        int fd = openat(scratch.fd, "f", HOW[i] | O_CLOEXEC);

        assert_true(fd >= 0);
        check_left("f", AG_EBUSY, "another process has it open");
        treat("f", true, &r);
        assert_int_equal(r.state, TREAT_FOUND);
        assert_int_equal(r.err, AG_EBUSY);
        assert_int_equal(close(fd), 0);
    }
    check_holds("f", OLD);
    check_count(1);
}

static pid_t opener;

/* Opens it to append, which waits for the lease. */
static void
open_it(void)
{
    if (opener != 0) {
        return;
    }
    opener = fork();
    if (opener == 0) {
        int fd = openat(scratch.fd, "f", O_WRONLY | O_APPEND | O_CLOEXEC);

        _exit(fd >= 0 && write(fd, "more\n", 5) == 5 ? 0 : 1);
    }
    assert_true(opener > 0);
    transcript_await(opener);
}

static void
test_who_comes_meanwhile_finds_the_old_file(void **state)
{
    int status = 0;

    (void)state;
    opener = 0;
    write_text("f", OLD);
    transcript_meanwhile = open_it;
    check_left("f", AG_EBUSY, "another process is opening it");
    assert_int_equal(waitpid(opener, &status, 0), opener);
    assert_int_equal(status, 0);
    check_holds("f", OLD "more\n");
    check_count(1);
}

static void
chmod_it(void)
{
    assert_int_equal(fchmodat(scratch.fd, "f", 0644, 0), 0);
}

static void
replace_it(void)
{
    write_text("other", "new " OLD);
    assert_int_equal(renameat(scratch.fd, "other", scratch.fd, "f"), 0);
}

static void
link_it(void)
{
    (void)!linkat(scratch.fd, "f", scratch.fd, "second", 0);
}

static void
test_what_changes_meanwhile_is_left(void **state)
{
    (void)state;
    write_text("f", OLD);
    transcript_meanwhile = chmod_it;
    check_left("f", AG_ECHANGED, "changed in the meantime");
    transcript_meanwhile = link_it;
    check_left("f", AG_ECHANGED, "changed in the meantime");
    assert_int_equal(unlinkat(scratch.fd, "second", 0), 0);
    check_holds("f", OLD);
    transcript_meanwhile = replace_it;
    check_left("f", AG_ECHANGED, "changed in the meantime");
    check_holds("f", "new " OLD);
    check_count(1);
}

static enum ag_err
fail_pass(void *ctx, const char *name, int src_fd, int dst_fd, json_t **ret)
{
    (void)ctx;
    (void)name;
    (void)src_fd;
    (void)dst_fd;
    (void)ret;
    return err_why(AG_EFILTER, "it is gone");
}

static void
test_without_a_filter_nothing_goes_on(void **state)
{
    struct passage broken = {.run = fail_pass};
    const struct treat t = {.passage = &broken};
    struct treat_result r;

    (void)state;
    write_text("f", OLD);
    check_err(treat_file(&t, scratch.fd, "f", "f", &r), AG_EFILTER);
    treat_result_done(&r);
    assert_true(broken.failed);
    check_holds("f", OLD);
    check_count(1);
}

/* ---- leftovers ---- */

static void
test_what_a_run_left_is_taken_away(void **state)
{
    static const char LEFT[] = ".ag-inplace-0123456789abcdef";
    char temp[SWAP_NAME_BYTES];
    int fd = -1;

    (void)state;
    write_text(LEFT, OLD);
    assert_true(swap_sweep(scratch.fd, LEFT));
    check_count(0);
    check_ok(swap_new_file(scratch.fd, temp, &fd));
    assert_true(swap_is_ours(temp));
    assert_false(swap_sweep(scratch.fd, temp)); /* that run is at work */
    check_count(1);
    assert_int_equal(close(fd), 0);
    assert_true(swap_sweep(scratch.fd, temp));
    write_text("f", OLD);
    assert_false(swap_sweep(scratch.fd, "f"));
    assert_int_equal(symlinkat("f", scratch.fd, LEFT), 0);
    assert_false(swap_sweep(scratch.fd, LEFT));
    assert_int_equal(unlinkat(scratch.fd, LEFT, 0), 0);
    assert_int_equal(linkat(scratch.fd, "f", scratch.fd, LEFT, 0), 0);
    assert_true(swap_sweep(scratch.fd, LEFT)); /* the name alone */
    check_holds("f", OLD);
    check_count(1);
}

/* ---- walking ---- */

static char walked[1024];

static enum ag_err
note(void *arg, int dir_fd, const char *name, const char *path)
{
    size_t len = strlen(walked);

    (void)arg;
    (void)dir_fd;
    assert_string_equal(name, strrchr(path, '/') + 1);
    (void)snprintf(walked + len, sizeof(walked) - len, "%s\n",
                   path + strlen(scratch.path));
    return AG_OK;
}

static void
walk(const char *below, bool look_only, uint64_t swept)
{
    struct walk w = {.each = note, .look_only = look_only};
    char path[128];

    walked[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s%s", scratch.path, below);
    check_ok(walk_path(&w, path));
    assert_int_equal(w.swept_count, swept);
}

static void
test_every_file_below_is_met_and_no_link_followed(void **state)
{
    struct walk w = {.each = note};

    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "d", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "d/e", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "out", 0700), 0);
    write_text("d/b", "");
    write_text("d/e/a", "");
    write_text("out/x", "");
    write_text("d/e/.ag-inplace-0123456789abcdef", OLD);
    write_text(".ag-inplace-0123456789abcdef", OLD);
    assert_int_equal(symlinkat("../out", scratch.fd, "d/link"), 0);
    walk("/d", true, 0);
    assert_string_equal(walked, "/d/b\n/d/e/a\n/d/link\n");
    walk("/d", false, 1);
    assert_string_equal(walked, "/d/b\n/d/e/a\n/d/link\n");
    walk("/d/b", false, 0);
    assert_string_equal(walked, "/d/b\n");
    write_text("d/.ag-inplace-0123456789abcdef", OLD);
    walk("/d/b", true, 0);
    walk("/d/b", false, 1);
    walk("/d/link", false, 0); /* said by name: a directory */
    assert_string_equal(walked, "/d/link/x\n");
    check_err(walk_path(&w, "/nowhere/at/all"), AG_ENOTFOUND);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, scratch_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_ours),
        TEST(test_what_is_found_is_changed_and_dressed),
        TEST(test_what_is_kept_with_a_file_stays),
        TEST(test_clean_files_are_not_written),
        TEST(test_the_old_content_is_overwritten),
        TEST(test_second_names_links_and_others_are_refused),
        TEST(test_who_has_it_open_keeps_it),
        TEST(test_who_comes_meanwhile_finds_the_old_file),
        TEST(test_what_changes_meanwhile_is_left),
        TEST(test_without_a_filter_nothing_goes_on),
        TEST(test_what_a_run_left_is_taken_away),
        TEST(test_every_file_below_is_met_and_no_link_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
