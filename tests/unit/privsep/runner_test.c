/* The runner as a process of its own: what a program gets, what is refused, how
 * it ends. The runner is this program executed anew. */
// WRAP: channel_ask
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <spawn.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "common/check.h"
#include "common/scratch.h"
#include "privsep/channel.h"
#include "privsep/runner.h"
#include "privsep/spawn.h"

static struct {
    struct runner *runner;
    char path[160];
    uint8_t hash[RUNNER_HASH_BYTES];
    char output[RUNNER_OUTPUT_MAX_BYTES + 1];
    struct runner_result result;
} f;

/* ---- a hold that comes when a question is about to be sent ---- */

enum ag_err __real_channel_ask(struct channel *c,
                               const struct channel_question *question,
                               struct buf *answer);
enum ag_err __wrap_channel_ask(struct channel *c,
                               const struct channel_question *question,
                               struct buf *answer);

static bool holds_before_asking;

enum ag_err
__wrap_channel_ask(struct channel *c, const struct channel_question *question,
                   struct buf *answer)
{
    if (holds_before_asking) {
        holds_before_asking = false;
        runner_hold(f.runner, true);
    }
    return __real_channel_ask(c, question, answer);
}

static void
write_program(const char *text)
{
    AG_AUTO(fd) int fd = -1;

    (void)snprintf(f.path, sizeof(f.path), "%s/program", scratch.path);
    (void)unlink(f.path);
    fd = open(f.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    check_ok(fd_write_all(fd, span_str(text)));
    (void)crypto_hash_sha256(f.hash, (const uint8_t *)text, strlen(text));
}

static enum ag_err
run(struct runner_job *job)
{
    AG_AUTO(buf) struct buf output;
    enum ag_err err;

    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    job->path = f.path;
    job->hash = f.hash;
    job->act = "verify";
    job->limit_ms = job->limit_ms == 0 ? 20000 : job->limit_ms;
    f.result = (struct runner_result){.status = -99};
    err = runner_run(f.runner, job, &f.result, &output);
    (void)snprintf(f.output, sizeof(f.output), "%s", buf_cstr(&output));
    return err;
}

static struct runner_job
bare(void)
{
    return (struct runner_job){.old_fd = -1, .new_fd = -1, .out_fd = -1};
}

static void
test_a_program_gets_its_values_and_nothing_else(void **state)
{
    struct runner_job job = bare();
    int value[2];
    int out[2];
    char got[8] = "";

    (void)state;
    write_program("#!/bin/sh\n"
                  "cat; echo \"|$1|$#\"; cat <&3; cat <&4; echo x >&5\n"
                  "env | cut -d= -f1 | grep -vx -e _ -e PWD -e SHLVL -e OLDPWD "
                  "| sort | tr '\\n' ' '; pwd; echo \"$HOME\"; ls "
                  "/proc/self/fd | tr '\\n' ' '\n");
    assert_int_equal(pipe2(value, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    check_ok(fd_write_all(value[1], span_str("secret")));
    fd_close(value[1]);
    job.old_fd = value[0];
    job.out_fd = out[1];
    job.input = span_str("told");
    check_ok(run(&job));
    fd_close(out[1]);
    assert_int_equal(f.result.status, 0);
    assert_string_equal(f.output, "told|verify|1\nsecretHOME LC_ALL PATH /\n"
                                  "/nonexistent\n"
                                  "0 1 2 3 4 5 6 9 "); /* 6 is of ls itself */
    assert_int_equal(read(out[0], got, sizeof(got)), 2);
    fd_close(out[0]);
    fd_close(value[0]);
}

static void
test_what_was_not_hashed_is_not_started(void **state)
{
    struct runner_job job = bare();

    (void)state;
    write_program("#!/bin/sh\ntrue\n");
    f.hash[0] ^= 1;
    check_err(run(&job), AG_ECHANGED);
    (void)unlink(f.path);
    check_err(run(&job), AG_ENOTFOUND);
    assert_int_equal(mkdir(f.path, 0700), 0);
    check_err(run(&job), AG_EFILE);
    assert_int_equal(rmdir(f.path), 0);
    assert_int_equal(mkfifo(f.path, 0700), 0);
    check_err(run(&job), AG_EFILE);
    (void)unlink(f.path);
}

static void
test_exit_codes_and_signals_are_told(void **state)
{
    struct runner_job job = bare();

    (void)state;
    write_program("#!/bin/sh\nexit 3\n");
    check_ok(run(&job));
    assert_int_equal(f.result.status, 3);
    write_program("#!/bin/sh\nkill -TERM $$\n");
    check_ok(run(&job));
    assert_int_equal(f.result.status, -SIGTERM);
    write_program("#!/bin/sh\nkill -PIPE $$\n"); /* not ignored in it */
    check_ok(run(&job));
    assert_int_equal(f.result.status, -SIGPIPE);
    write_program("no program at all");
    check_ok(run(&job));
    assert_int_equal(f.result.status, 127);
}

static void
test_time_ends_it_with_all_it_started(void **state)
{
    struct runner_job job = bare();
    char line[400];
    int64_t began_ms = clock_steady_ms();

    (void)state;
    (void)snprintf(line, sizeof(line),
                   "#!/bin/bash\n"
                   "(sleep 1; touch %s/late) & setsid sh -c 'sleep 1; touch "
                   "%s/later' & sleep 60\n",
                   scratch.path, scratch.path);
    write_program(line);
    job.limit_ms = 300;
    check_ok(run(&job));
    assert_true(f.result.timed_out);
    assert_true(clock_steady_ms() - began_ms < 30000);
    write_program("#!/bin/sh\nsleep 1.2\n");
    job.limit_ms = 20000;
    check_ok(run(&job)); /* long enough for a stray to have shown itself */
    (void)snprintf(line, sizeof(line), "%s/late", scratch.path);
    assert_int_not_equal(access(line, F_OK), 0);
    (void)snprintf(line, sizeof(line), "%s/later", scratch.path);
    assert_int_not_equal(access(line, F_OK), 0);
}

static void
test_output_is_bounded_and_a_child_that_keeps_it_is_not_waited_for(void **state)
{
    struct runner_job job = bare();
    int64_t began_ms = clock_steady_ms();

    (void)state;
    write_program("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\n");
    job.limit_ms = 2000;
    check_ok(run(&job));
    assert_true(strlen(f.output) <= RUNNER_OUTPUT_MAX_BYTES);
    write_program("#!/bin/sh\nsleep 60 &\necho done\n");
    job.limit_ms = 20000;
    check_ok(run(&job));
    assert_false(f.result.timed_out);
    assert_string_equal(f.output, "done\n");
    assert_true(clock_steady_ms() - began_ms < 15000);
    write_program("#!/bin/sh\nexec >&-\nsleep 0.1\n");
    job.limit_ms = 5000;
    check_ok(run(&job));
    assert_false(f.result.timed_out);
}

/* ---- the end of the broker ends all ---- */

static const char AS_BROKER[] = "--as-broker";

static bool
in_scratch(const char *name)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/%s", scratch.path, name);
    return access(path, F_OK) == 0;
}

/* A program that says that it began; what it leaves says so a second later. */
static void
write_long_program(const char *began, const char *late)
{
    char line[600];

    (void)snprintf(line, sizeof(line),
                   "#!/bin/sh\n"
                   "(sleep 1; touch %s/%s) & setsid sh -c 'sleep 1; touch "
                   "%s/%s' & touch %s/%s; sleep 60\n",
                   scratch.path, late, scratch.path, late, scratch.path, began);
    write_program(line);
}

static void
wait_for(const char *name)
{
    for (int i = 0; i < 2000 && !in_scratch(name); i++) {
        (void)poll(NULL, 0, 10);
    }
    assert_true(in_scratch(name));
}

static void *
run_long(void *arg)
{
    struct runner_job job = bare();

    *(enum ag_err *)arg = run(&job);
    return NULL;
}

static pid_t
runner_pid(void)
{
    char text[64] = "";
    int pid = 0;
    AG_AUTO(fd)
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    // NOLINTNEXTLINE(cert-err34-c): the kernel's own number
    assert_int_equal(sscanf(text, "%d", &pid), 1);
    return pid;
}

static void *
wake_later(void *arg)
{
    (void)poll(NULL, 0, 400);
    assert_int_equal(kill(*(const pid_t *)arg, SIGCONT), 0);
    return NULL;
}

static void
write_started(void)
{
    char line[300];

    (void)snprintf(line, sizeof(line), "#!/bin/sh\ntouch %s/started\n",
                   scratch.path);
    write_program(line);
}

static void
test_what_comes_after_its_time_is_not_started(void **state)
{
    struct runner_job job = bare();
    pid_t pid = runner_pid();
    pthread_t waker;

    (void)state;
    write_started();
    job.limit_ms = 100;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(pthread_create(&waker, NULL, wake_later, &pid), 0);
    check_err(run(&job), AG_ETIMEOUT);
    assert_int_equal(pthread_join(waker, NULL), 0);
    assert_false(in_scratch("started"));
}

static void
test_a_hold_ends_what_runs_and_lets_none_begin(void **state)
{
    struct runner_job job = bare();
    enum ag_err err = AG_EIO;
    pthread_t asker;

    (void)state;
    write_long_program("began3", "after3");
    assert_int_equal(pthread_create(&asker, NULL, run_long, &err), 0);
    wait_for("began3");
    runner_hold(f.runner, true);
    assert_int_equal(pthread_join(asker, NULL), 0);
    check_ok(err);
    assert_true(f.result.cut_off);
    assert_false(f.result.timed_out);
    write_started();
    check_err(run(&job), AG_ELOCKED);
    (void)poll(NULL, 0, 1500);
    assert_false(in_scratch("after3"));
    assert_false(in_scratch("started"));
    runner_hold(f.runner, false);
    check_ok(run(&job));
    assert_false(f.result.cut_off);
    assert_true(in_scratch("started"));
}

static void
test_a_hold_reaches_what_is_not_sent_yet(void **state)
{
    struct runner_job job = bare();
    char path[200];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/started", scratch.path);
    (void)unlink(path);
    write_started();
    holds_before_asking = true;
    check_err(run(&job), AG_ELOCKED);
    assert_false(in_scratch("started"));
    runner_hold(f.runner, false);
    check_ok(run(&job));
    assert_true(in_scratch("started"));
}

static void
test_abort_ends_it_with_all_it_started(void **state)
{
    enum ag_err err = AG_OK;
    pthread_t asker;

    (void)state;
    write_long_program("began", "after");
    assert_int_equal(pthread_create(&asker, NULL, run_long, &err), 0);
    wait_for("began");
    runner_abort(f.runner);
    assert_int_equal(pthread_join(asker, NULL), 0);
    assert_int_equal(err, AG_EUNSUPPORTED);
    (void)poll(NULL, 0, 1500);
    assert_false(in_scratch("after"));
    runner_stop(f.runner);
    f.runner = NULL;
    check_ok(runner_start(&f.runner));
}

/* This program executed anew: it runs a program until it is killed. */
static int
be_broker(const char *dir)
{
    struct runner_job job = bare();

    (void)snprintf(scratch.path, sizeof(scratch.path), "%s", dir);
    write_long_program("began2", "after2");
    check_ok(runner_start(&f.runner));
    return run(&job) == AG_OK ? 0 : 1;
}

static void
test_the_brokers_death_ends_it_with_all_it_started(void **state)
{
    char program[] = "runner_test";
    char argument[sizeof(AS_BROKER)];
    char *argv[] = {program, argument, scratch.path, NULL};
    pid_t pid = 0;
    int status = 0;

    (void)state;
    (void)snprintf(argument, sizeof(argument), "%s", AS_BROKER);
    (void)unlink(f.path);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    wait_for("began2");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)poll(NULL, 0, 1500);
    assert_false(in_scratch("after2"));
}

static void
test_after_its_death_nothing_is_started(void **state)
{
    struct runner_job job = bare();

    (void)state;
    write_program("#!/bin/sh\ntrue\n");
    runner_abort(f.runner);
    check_err(run(&job), AG_EUNSUPPORTED);
    check_err(run(&job), AG_EUNSUPPORTED);
    /* The reader of its answers finds the end by itself. */
    for (int i = 0; i < 500 && runner_is_alive(f.runner); i++) {
        (void)poll(NULL, 0, 10);
    }
    assert_false(runner_is_alive(f.runner));
}

static int
begin(void **state)
{
    if (scratch_open(state) != 0) {
        return -1;
    }
    check_ok(runner_start(&f.runner));
    return 0;
}

static int
end(void **state)
{
    runner_stop(f.runner);
    return scratch_close(state);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_gets_its_values_and_nothing_else),
        cmocka_unit_test(test_what_was_not_hashed_is_not_started),
        cmocka_unit_test(test_exit_codes_and_signals_are_told),
        cmocka_unit_test(test_time_ends_it_with_all_it_started),
        cmocka_unit_test(
            test_output_is_bounded_and_a_child_that_keeps_it_is_not_waited_for),
        cmocka_unit_test(test_what_comes_after_its_time_is_not_started),
        cmocka_unit_test(test_a_hold_ends_what_runs_and_lets_none_begin),
        cmocka_unit_test(test_a_hold_reaches_what_is_not_sent_yet),
        cmocka_unit_test(test_abort_ends_it_with_all_it_started),
        cmocka_unit_test(test_the_brokers_death_ends_it_with_all_it_started),
        cmocka_unit_test(test_after_its_death_nothing_is_started),
    };

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_RUNNER)) == 0) {
        return runner_main(SPAWN_CHANNEL_FD);
    }
    if (argc == 3 && strcmp(argv[1], AS_BROKER) == 0) {
        return be_broker(argv[2]);
    }
    return cmocka_run_group_tests(tests, begin, end);
}
