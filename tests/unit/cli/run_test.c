/* run, whole, against a broker that keeps no secrets: namespaces, exit codes,
 * deliveries, write-back, and that nothing is left. */
#include "run_helper.h"

static const char PLAIN[] = TASK("agx_life", "");

static void
test_exit_codes_are_the_commands(void **state)
{
    (void)state;
    assert_int_equal(RUN(PLAIN, W("--"), W("true")), 0);
    end_test();
    assert_int_equal(RUN(PLAIN, W("sh"), W("-c"), W("exit 3")), 3);
    end_test();
    assert_int_equal(RUN(PLAIN, W("sh"), W("-c"), W("kill -TERM $$")), 143);
    end_test();
    assert_int_equal(RUN(PLAIN, W("/nonexistent")), 127);
    assert_non_null(strstr(fake_file(&broker, "err"), "/nonexistent"));
    end_test();
    assert_int_equal(RUN(PLAIN, W("/etc/passwd")), 126);
    end_test();
}

static void
test_failures_of_ours_are_125(void **state)
{
    (void)state;
    assert_int_equal(
        RUN("{\"code\":\"login_held\",\"detail\":\"held by 3\"}", W("true")),
        125);
    assert_non_null(strstr(fake_file(&broker, "err"), "held by 3"));
    end_test();
    assert_int_equal(RUN(PLAIN, W("--env"), W("nonsense"), W("true")), 125);
    end_test();
}

static void
test_output_passes_by_the_streams(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(PLAIN, W("sh"), W("-c"), W("echo to-out; echo to-err >&2")), 0);
    assert_string_equal(fake_file(&broker, "out"), "to-out\n");
    assert_string_equal(fake_file(&broker, "err"), "to-err\n");
    assert_non_null(strstr(fake_file(&broker, "log"), "\"op\":\"end\""));
    end_test();
}

/* A shell's `exec 20>&1` would lead past the filter, its <(...) does not. */
static void
test_what_was_left_open_is_not_written_to(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "given\n", 6), 6);
    assert_int_equal(dup2(ends[1], 20), 20);
    assert_int_equal(dup2(ends[0], 21), 21);
    assert_int_equal(open("/", O_RDONLY | O_DIRECTORY), ends[1] + 1);
    assert_int_equal(dup2(ends[1] + 1, 22), 22);
    assert_int_equal(
        RUN(PLAIN, W("sh"), W("-c"),
            W("for n in 20 22; do test -e /proc/self/fd/$n && echo leaked; "
              "done; for n in /proc/$$/fd/*; do case ${n##*/} in [012]) ;; "
              "*) test $n -ef /proc/$$/fd/0 && echo stdin twice;; esac; done; "
              "head -n 1 /proc/self/fd/21")),
        0);
    assert_string_equal(fake_file(&broker, "out"), "given\n");
    for (int fd = 20; fd < 23; fd++) {
        close(fd);
    }
    close(ends[1] + 1);
    close(ends[0]);
    close(ends[1]);
    end_test();
}

static void
test_environment_has_values_and_nothing_of_the_operators(void **state)
{
    const char *out;

    (void)state;
    setenv("AUTH_GUARD_PASSPHRASE_FILE", "/secret/place", 1);
    setenv("KEPT", "yes", 1);
    assert_int_equal(RUN(TASK("agx_life", "{\"kind\":\"env\",\"var\":\"KEY\","
                                          "\"ticket\":\"agx_key\"}"),
                         W("--env"), W("KEY=ag://a"), W("env")),
                     0);
    unsetenv("AUTH_GUARD_PASSPHRASE_FILE");
    out = fake_file(&broker, "out");
    assert_non_null(strstr(out, "\nKEY=value of agx_key\n"));
    assert_non_null(strstr(out, "KEPT=yes"));
    assert_non_null(strstr(out, "AUTH_GUARD_TOKEN=agt_test"));
    assert_non_null(strstr(out, "task.sock"));
    assert_null(strstr(out, "PASSPHRASE"));
    assert_null(strstr(out, "AUTH_GUARD_HOME"));
    end_test();
}

static void
test_task_has_its_own_processes_and_proc(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(PLAIN, W("sh"), W("-c"),
            W("echo $$ $PPID; ls /proc | grep -c '^[0-9]'; id -u")),
        0);
    assert_int_equal(strncmp(fake_file(&broker, "out"), "2 1\n", 4), 0);
    end_test();
}

#define LOGIN                                                                  \
    "{\"kind\":\"file\",\"profile\":\"tool\",\"secret\":\"tool/login\","       \
    "\"name\":\"auth.json\",\"by\":\"link\",\"watch\":true,\"mode\":\"0600\"," \
    "\"link\":\"~/.tool/auth.json\",\"ticket\":\"agx_file\","                  \
    "\"take\":\"agx_take\"}"

static void
test_file_is_seen_inside_only(void **state)
{
    char path[160];
    struct stat st;
    pid_t pid;

    (void)state;
    pid = start_run(TASK("agx_life", LOGIN),
                    (char *[]){W("sh"), W("-c"),
                               W("cat ~/.tool/auth.json; stat -Lc %a "
                                 "~/.tool/auth.json; cat > /dev/null"),
                               NULL});
    snprintf(path, sizeof(path), "%s/.tool/auth.json", broker.dir);
    assert_int_equal(wait_run(pid), 0);
    assert_string_equal(fake_file(&broker, "out"), "value of agx_file600\n");
    assert_int_equal(lstat(path, &st), -1); /* the link is gone */
    snprintf(path, sizeof(path), "%s/jail", broker.dir);
    assert_int_equal(rmdir(path), 0); /* outside it is empty */
    end_test();
}

static void
test_rewritten_file_is_taken_at_once(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(TASK("agx_life", LOGIN), W("sh"), W("-c"),
            W("cd $(dirname $(readlink ~/.tool/auth.json)) && echo second > "
              ".x && mv .x auth.json && until [ -e ~/taken.1 ]; do sleep "
              "0.01; done && echo third > auth.json")),
        0);
    assert_string_equal(fake_file(&broker, "taken.1"), "second\n");
    assert_string_equal(fake_file(&broker, "taken.2"), "third\n");
    assert_string_equal(fake_file(&broker, "taken.3"), "");
    end_test();
}

static void
test_last_words_are_taken_after_the_end(void **state)
{
    (void)state;
    assert_int_equal(RUN(TASK("agx_life", LOGIN), W("sh"), W("-c"),
                         W("cp ~/.tool/auth.json $HOME/copy; exec sh -c 'echo "
                           "last > ~/.tool/auth.json; kill -9 $$'")),
                     137);
    assert_string_equal(fake_file(&broker, "taken.1"), "last\n");
    end_test();
}

static void
test_plaintext_in_the_way_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(TASK("agx_life", "{\"kind\":\"file\",\"path\":\"/etc/passwd\","
                             "\"ticket\":\"agx_f\"}"),
            W("sh"), W("-c"), W("echo > ~/never")),
        125);
    assert_non_null(strstr(fake_file(&broker, "err"), "auth-guard adopt"));
    assert_string_equal(fake_file(&broker, "never"), "");
    end_test();
}

static void
test_variable_names_the_directory(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(TASK("agx_life",
                 "{\"kind\":\"file\",\"profile\":\"c\",\"name\":\".cred\","
                 "\"by\":\"env\",\"var\":\"TOOL_DIR\",\"dir\":true,"
                 "\"ticket\":\"agx_dir\"}"),
            W("sh"), W("-c"), W("cat $TOOL_DIR/.cred")),
        0);
    assert_string_equal(fake_file(&broker, "out"), "value of agx_dir");
    end_test();
}

static void
test_what_is_left_running_ends_with_the_command(void **state)
{
    const char *mark = long_sleep();

    (void)state;
    assert_int_equal(
        RUN(PLAIN, W("sh"), W("-c"),
            script_with("setsid sleep ", mark, " & sleep 0.1; exit 5")),
        5);
    assert_true(gone_within(mark, 0));
    end_test();
}

static void
test_supervisor_killed_takes_everything(void **state)
{
    const char *mark = long_sleep();
    pid_t pid;

    (void)state;
    pid = start_run(PLAIN, (char *[]){W("sh"), W("-c"),
                                      script_with("setsid sleep ", mark,
                                                  " & echo on; wait"),
                                      NULL});
    await_file("out");
    assert_true(runs(mark));
    (void)kill(pid, SIGKILL);
    assert_int_equal(wait_run(pid), -SIGKILL);
    assert_true(gone_within(mark, 1000));
    end_test();
}

static void
test_expired_task_is_killed(void **state)
{
    char *mark = long_sleep();

    (void)state;
    assert_int_equal(RUN(TASK("agx_expires", ""), W("sleep"), mark), 137);
    assert_true(gone_within(mark, 0));
    assert_non_null(strstr(fake_file(&broker, "err"), "time is over"));
    end_test();
}

/* The command may do what ends its task before we have all answers. */
static void
test_refused_for_an_end_says_why_it_ended(void **state)
{
    (void)state;
    assert_int_equal(RUN(TASK("agx_alarm", ""), W("true")), 125);
    assert_non_null(
        strstr(fake_file(&broker, "err"), "the task was ended: alarm"));
    assert_null(strstr(fake_file(&broker, "err"), "ticket"));
    end_test();
    assert_int_equal(RUN(TASK("agx_late", ""), W("true")), 125);
    assert_non_null(strstr(fake_file(&broker, "err"), "no ticket"));
    end_test();
}

static void
test_broker_gone_ends_the_task(void **state)
{
    char *mark = long_sleep();

    (void)state;
    assert_int_equal(RUN(TASK("agx_dies", ""), W("sleep"), mark), 125);
    assert_true(gone_within(mark, 0));
    assert_non_null(strstr(fake_file(&broker, "err"), "broker"));
    end_test();
}

static void
test_signals_are_handed_on(void **state)
{
    pid_t pid;

    (void)state;
    pid =
        start_run(PLAIN, (char *[]){W("sh"), W("-c"),
                                    W("trap 'echo got; exit 9' USR1; echo on; "
                                      "while :; do sleep 0.05; done"),
                                    NULL});
    await_file("out");
    (void)kill(pid, SIGUSR1);
    assert_int_equal(wait_run(pid), 9);
    assert_string_equal(fake_file(&broker, "out"), "on\ngot\n");
    end_test();
}

static void
test_input_is_passed(void **state)
{
    int ends[2];
    int before = dup(0);
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello\n", 6), 6);
    close(ends[1]);
    (void)dup2(ends[0], 0);
    close(ends[0]);
    pid = start_run(PLAIN, (char *[]){W("cat"), NULL});
    (void)dup2(before, 0);
    close(before);
    assert_int_equal(wait_run(pid), 0);
    assert_string_equal(fake_file(&broker, "out"), "hello\n");
    end_test();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes_are_the_commands),
        cmocka_unit_test(test_failures_of_ours_are_125),
        cmocka_unit_test(test_output_passes_by_the_streams),
        cmocka_unit_test(test_what_was_left_open_is_not_written_to),
        cmocka_unit_test(
            test_environment_has_values_and_nothing_of_the_operators),
        cmocka_unit_test(test_task_has_its_own_processes_and_proc),
        cmocka_unit_test(test_file_is_seen_inside_only),
        cmocka_unit_test(test_rewritten_file_is_taken_at_once),
        cmocka_unit_test(test_last_words_are_taken_after_the_end),
        cmocka_unit_test(test_plaintext_in_the_way_is_refused),
        cmocka_unit_test(test_variable_names_the_directory),
        cmocka_unit_test(test_what_is_left_running_ends_with_the_command),
        cmocka_unit_test(test_supervisor_killed_takes_everything),
        cmocka_unit_test(test_expired_task_is_killed),
        cmocka_unit_test(test_refused_for_an_end_says_why_it_ended),
        cmocka_unit_test(test_broker_gone_ends_the_task),
        cmocka_unit_test(test_signals_are_handed_on),
        cmocka_unit_test(test_input_is_passed),
    };

    fake_drop_root();
    (void)dup2(open("/dev/null", O_RDONLY), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
