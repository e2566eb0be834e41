/* Following: what is there, what comes, what is in use, and no filter for a
 * while. */
#include <sys/eventfd.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/fdx.h"
#include "base/wipealloc.h"
#include "common/transcripts.h"
#include "transcript/follow.h"

#define OLD "a " TRANSCRIPT_VALUE " b\n"
#define NEW "a [x] b\n"

enum {
    QUIET_MS = 100,
    STEP_MS = 10,
    RETRY_MS = 200,
    PATIENCE_MS = 20 * 1000,
};

static struct {
    struct cli cli;
    struct passage passage;
    struct inplace inplace;
    struct follow follow;
    struct follow_root roots[2];
    size_t root_count;
    char root_paths[2][96];
    pthread_t thread;
    enum ag_err err;
    atomic_bool is_locked;
    atomic_int passing;    /* why the filter can't be reached, an enum ag_err */
    atomic_int open_count; /* connections made and not closed */
    atomic_int opened_count;
} f;

static enum ag_err
pass(void *ctx, const char *name, int src_fd, int dst_fd, json_t **ret)
{
    return atomic_load(&f.is_locked)
               ? err_why(AG_ELOCKED, "it is locked")
               : transcript_pass(ctx, name, src_fd, dst_fd, ret);
}

static enum ag_err
open_filter(void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(&f.opened_count, 1);
    (void)atomic_fetch_add(&f.open_count, 1);
    return (enum ag_err)atomic_load(&f.passing);
}

static void
close_filter(void *arg)
{
    (void)arg;
    atomic_store(&f.open_count, 0); /* closed twice it is closed */
}

static int
setup(void **state)
{
    memset(&f, 0, sizeof(f));
    f.cli.out.quiet = true;
    (void)snprintf(f.cli.paths.data, sizeof(f.cli.paths.data), "%s/schema",
                   AG_SOURCE_DIR);
    (void)snprintf(f.cli.paths.config, sizeof(f.cli.paths.config), "/nowhere");
    f.passage.run = pass;
    f.inplace =
        (struct inplace){.cli = &f.cli, .passage = &f.passage, .follows = true};
    f.follow = (struct follow){.inplace = &f.inplace,
                               .quiet_ms = QUIET_MS,
                               .retry_ms = RETRY_MS,
                               .tell_ms = PATIENCE_MS,
                               .end_fd = eventfd(0, EFD_CLOEXEC),
                               .open = open_filter,
                               .close = close_filter};
    transcript_meanwhile = NULL;
    return f.follow.end_fd < 0 ? -1 : scratch_open(state);
}

static int
teardown(void **state)
{
    inplace_done(&f.inplace);
    fd_close(f.follow.end_fd);
    return scratch_close(state);
}

static void *
run(void *arg)
{
    (void)arg;
    f.err = follow_run(&f.follow, f.roots, f.root_count);
    return NULL;
}

static void
add_root(const char *below, bool optional)
{
    char *path = f.root_paths[f.root_count];

    (void)snprintf(path, sizeof(f.root_paths[0]), "%s%s", scratch.path, below);
    f.roots[f.root_count++] =
        (struct follow_root){.path = path, .optional = optional};
}

static void
start(void)
{
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
}

static void
stop(enum ag_err want)
{
    uint64_t one = 1;

    assert_int_equal(write(f.follow.end_fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(f.thread, NULL), 0);
    check_err(f.err, want);
    assert_int_equal(atomic_load(&f.open_count), 0);
}

static void
pause_a_step(void)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

    (void)nanosleep(&step, NULL);
}

/* Opened only when its size is right: who opens it delays the exchange. */
static bool
holds(const char *name, const char *text)
{
    char now[128] = "";
    struct stat st;
    bool may_be = fstatat(scratch.fd, name, &st, 0) == 0 &&
                  st.st_size == (off_t)strlen(text);
    int fd = may_be ? openat(scratch.fd, name, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now) - 1);

    fd_close(fd);
    return n >= 0 && strcmp(now, text) == 0;
}

static void
within(const char *name, const char *text)
{
    for (int waited = 0; !holds(name, text); waited += STEP_MS) {
        if (waited > PATIENCE_MS) {
            fail_msg("%s does not come to hold: %s", name, text);
        }
        pause_a_step();
    }
}

static void
write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text), 0600);
}

static void
test_what_is_there_and_what_comes(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "d", 0700), 0);
    write_text("there", OLD);
    write_text("d/there", OLD);
    add_root("", false);
    start();
    within("there", NEW);
    within("d/there", NEW);
    write_text("comes", OLD);
    write_text("d/comes", OLD);
    within("comes", NEW);
    within("d/comes", NEW);
    assert_int_equal(mkdirat(scratch.fd, "made", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "made/deep", 0700), 0);
    write_text("made/deep/in", OLD);
    within("made/deep/in", NEW);
    write_text("made/other", OLD);
    assert_int_equal(renameat(scratch.fd, "made/other", scratch.fd, "d/moved"),
                     0);
    within("d/moved", NEW);
    assert_int_equal(renameat(scratch.fd, "d", scratch.fd, "e"), 0);
    write_text("then", OLD);
    within("then", NEW); /* so that it knows the new name */
    write_text("e/again", OLD);
    within("e/again", NEW);
    stop(AG_OK);
    assert_true(f.inplace.changed_count >= 8);
    assert_int_equal(f.inplace.left_count, 0);
}

static void
test_what_is_in_use_waits(void **state)
{
    int fd;

    (void)state;
    write_text("f", OLD);
    fd = openat(scratch.fd, "f", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    add_root("", false);
    start();
    write_text("g", OLD);
    within("g", NEW); /* so that it came to `f` before */
    assert_true(holds("f", OLD));
    assert_int_equal(write(fd, "more\n", 5), 5);
    assert_int_equal(close(fd), 0);
    within("f", NEW "more\n");
    fd = openat(scratch.fd, "f", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    write_text("h", OLD);
    within("h", NEW);
    assert_int_equal(close(fd), 0);
    stop(AG_OK);
    assert_int_equal(f.inplace.left_count, 0);
}

/* A reader's end is no event: it is tried again. */
static void
test_who_only_reads_delays_it(void **state)
{
    int fd;

    (void)state;
    write_text("f", OLD);
    fd = openat(scratch.fd, "f", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    add_root("", false);
    start();
    write_text("g", OLD);
    within("g", NEW);
    assert_true(holds("f", OLD));
    assert_int_equal(close(fd), 0);
    within("f", NEW);
    stop(AG_OK);
}

static void
wait_opened(int more)
{
    int want = atomic_load(&f.opened_count) + more;

    for (int i = 0; atomic_load(&f.opened_count) < want; i++) {
        assert_true(i < PATIENCE_MS / STEP_MS);
        pause_a_step();
    }
}

static void
test_without_a_filter_it_waits(void **state)
{
    (void)state;
    write_text("f", OLD);
    atomic_store(&f.is_locked, true);
    add_root("", false);
    start();
    wait_opened(2);
    assert_true(holds("f", OLD));
    write_text("meanwhile", OLD);
    assert_int_equal(mkdirat(scratch.fd, "made", 0700), 0);
    write_text("made/meanwhile", OLD);
    atomic_store(&f.is_locked, false);
    within("f", NEW);
    within("meanwhile", NEW);
    within("made/meanwhile", NEW);
    atomic_store(&f.is_locked, true);
    write_text("later", OLD);
    for (int i = 0; atomic_load(&f.open_count) > 0; i++) {
        assert_true(i < PATIENCE_MS / STEP_MS);
        pause_a_step();
    }
    assert_true(holds("later", OLD));
    assert_int_equal(mkdirat(scratch.fd, "late", 0700), 0);
    write_text("late/in", OLD);
    atomic_store(&f.is_locked, false);
    within("later", NEW);
    within("late/in", NEW);
    /* What is wrong with one file is not the filter's failure any more. */
    assert_int_equal(linkat(scratch.fd, "later", scratch.fd, "twice", 0), 0);
    write_text("later", OLD);
    write_text("last", OLD);
    within("last", NEW);
    for (int i = 0; i < 3 * QUIET_MS / STEP_MS; i++) {
        pause_a_step();
    }
    stop(AG_OK);
    assert_true(f.inplace.left_count >= 1);
}

static void
test_only_the_names_that_are_meant(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "d", 0700), 0);
    write_text("a.log", OLD);
    write_text("b.txt", OLD);
    write_text("one", OLD);
    add_root("/*.log", false);
    add_root("/one", false);
    start();
    within("a.log", NEW);
    within("one", NEW);
    write_text("c.txt", OLD);
    write_text("d/e.log", OLD);
    write_text("c.log", OLD);
    within("c.log", NEW);
    stop(AG_OK);
    assert_true(holds("b.txt", OLD));
    assert_true(holds("c.txt", OLD));
    assert_true(holds("d/e.log", OLD));
}

static void
test_a_root_that_is_not_there(void **state)
{
    (void)state;
    write_text("f", OLD);
    add_root("/absent", true);
    add_root("/f", false);
    start();
    within("f", NEW);
    stop(AG_OK);
    f.roots[0].optional = false;
    check_err(follow_run(&f.follow, f.roots, f.root_count), AG_ENOTFOUND);
}

/* The filter is gone, and what comes waits. */
static void
go_down(const char *name)
{
    atomic_store(&f.is_locked, true);
    write_text(name, OLD);
    for (int i = 0; atomic_load(&f.open_count) > 0; i++) {
        assert_true(i < PATIENCE_MS / STEP_MS);
        pause_a_step();
    }
}

static void
exchange_for_link(const char *name, const char *target)
{
    assert_int_equal(renameat(scratch.fd, name, scratch.fd, "aside"), 0);
    assert_int_equal(symlinkat(target, scratch.fd, name), 0);
}

static void
test_a_directory_exchanged_for_a_link(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "elsewhere", 0700), 0);
    write_text("elsewhere/f", OLD);
    assert_int_equal(mkdirat(scratch.fd, "w", 0700), 0);
    assert_int_equal(mkdirat(scratch.fd, "w/d", 0700), 0);
    write_text("w/d/there", OLD);
    add_root("/w", false);
    start();
    within("w/d/there", NEW);
    go_down("w/d/f");
    exchange_for_link("w/d", "../elsewhere");
    write_text("w/last", OLD);
    atomic_store(&f.is_locked, false);
    within("w/last", NEW);
    stop(AG_OK);
    assert_true(holds("elsewhere/f", OLD));
    assert_true(holds("aside/f", OLD));
}

/* Named by a link, it is what that led to, whatever becomes of the link. */
static void
test_a_root_is_found_once(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(scratch.fd, "elsewhere", 0700), 0);
    write_text("elsewhere/f", OLD);
    assert_int_equal(mkdirat(scratch.fd, "w", 0700), 0);
    assert_int_equal(symlinkat("w", scratch.fd, "l"), 0);
    write_text("w/f", OLD);
    add_root("/l", false);
    add_root("/later", true);
    start();
    within("w/f", NEW);
    go_down("w/f");
    assert_int_equal(mkdirat(scratch.fd, "w/made", 0700), 0);
    write_text("w/made/in", OLD); /* all roots are walked again */
    exchange_for_link("l", "elsewhere");
    assert_int_equal(symlinkat("elsewhere", scratch.fd, "later"), 0);
    atomic_store(&f.is_locked, false);
    within("w/made/in", NEW);
    within("w/f", NEW);
    write_text("w/last", OLD);
    within("w/last", NEW);
    stop(AG_OK);
    assert_true(holds("elsewhere/f", OLD));
}

/* What the following says is caught in a file. */
static int
catch_words(void)
{
    int before = dup(2);
    int fd = openat(scratch.fd, "said", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(before >= 0 && fd >= 0);
    (void)fflush(stderr);
    assert_int_equal(dup2(fd, 2), 2);
    fd_close(fd);
    return before;
}

static size_t
times_said(const char *words)
{
    static char text[65536];
    int fd = openat(scratch.fd, "said", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    size_t count = 0;

    fd_close(fd);
    text[n > 0 ? n : 0] = '\0';
    for (const char *p = text; (p = strstr(p, words)) != NULL; p++) {
        count++;
    }
    return count;
}

/* Without a filter: how often in all, and how often again, each reason was said;
 * three tries fail for the first. */
static void
wait_and_tell(int64_t tell_ms)
{
    int before = catch_words();

    f.cli.out.quiet = false;
    f.follow.tell_ms = tell_ms;
    atomic_store(&f.passing, AG_ENOBROKER);
    add_root("", false);
    start();
    wait_opened(3);
    atomic_store(&f.passing, AG_ELOCKED);
    wait_opened(2);
    stop(AG_OK);
    (void)fflush(stderr);
    assert_int_equal(dup2(before, 2), 2);
    fd_close(before);
    assert_int_equal(times_said("waiting: the vault is locked") -
                         times_said("still waiting: the vault is locked"),
                     1);
}

static void
test_why_it_waits_is_said_once(void **state)
{
    (void)state;
    wait_and_tell(PATIENCE_MS);
    assert_int_equal(times_said("waiting: the broker is not running"), 1);
    assert_int_equal(times_said("still waiting"), 0);
}

static void
test_and_again_after_a_while(void **state)
{
    (void)state;
    wait_and_tell(0);
    assert_true(times_said("still waiting: the broker is not running") >= 1);
    assert_true(times_said("waiting: the broker is not running") >= 2);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_there_and_what_comes),
        TEST(test_what_is_in_use_waits),
        TEST(test_who_only_reads_delays_it),
        TEST(test_without_a_filter_it_waits),
        TEST(test_only_the_names_that_are_meant),
        TEST(test_a_root_that_is_not_there),
        TEST(test_a_directory_exchanged_for_a_link),
        TEST(test_a_root_is_found_once),
        TEST(test_why_it_waits_is_said_once),
        TEST(test_and_again_after_a_while),
    };

    json_set_alloc_funcs(wipe_malloc, wipe_free); /* as the program does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
