/* run at a terminal: a PTY of the command's own, size, ^C, ^Z, and the person's
 * terminal given back. */
#include <sys/ioctl.h>

#include <termios.h>

#include "run_helper.h"

static const char PLAIN[] = TASK("agx_life", "");

static char screen[65536]; /* since the person sat down */

struct person {
    int master;  /* what a terminal window holds */
    pid_t shell; /* leads the session */
};

/* What a shell with job control does: starts the job in the foreground, takes
 * the terminal back when it stops, says so, and continues it. */
__attribute__((noreturn)) static void
be_shell(int tty, char **words)
{
    char path[128];
    int status = 0;
    pid_t job;
    int fd;

    (void)signal(SIGTTOU, SIG_IGN);
    (void)signal(SIGINT, SIG_DFL); /* a test run in the background ignores it */
    (void)signal(SIGQUIT, SIG_DFL);
    job = fork();
    if (job == 0) {
        (void)setpgid(0, 0);
        (void)tcsetpgrp(tty, getpid());
        (void)signal(SIGTTOU, SIG_DFL);
        be_run(words);
    }
    snprintf(path, sizeof(path), "%s/pid", broker.dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    dprintf(fd, "%d", (int)job);
    close(fd);
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        struct termios now;

        (void)tcsetpgrp(tty, getpid());
        (void)tcgetattr(tty, &now);
        dprintf(tty, "stopped, echo %s\n",
                (now.c_lflag & ECHO) != 0 ? "on" : "off");
        usleep(50000);
        (void)tcsetpgrp(tty, job);
        (void)kill(-job, SIGCONT);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* A session with a terminal, and `auth-guard run` in its foreground. */
static struct person
sit_down(char **words)
{
    struct winsize size = {.ws_row = 33, .ws_col = 101};
    struct person p = {.master = posix_openpt(O_RDWR | O_NOCTTY)};
    int slave;

    assert_true(p.master >= 0);
    assert_int_equal(grantpt(p.master), 0);
    assert_int_equal(unlockpt(p.master), 0);
    slave = open(ptsname(p.master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    screen[0] = '\0';
    start_broker(PLAIN);
    p.shell = fork();
    if (p.shell == 0) {
        (void)setsid();
        (void)ioctl(slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; fd++) {
            (void)dup2(slave, fd);
        }
        (void)dup2(slave, 9); /* one that somebody forgot to close */
        close(p.master);
        be_shell(slave, words);
    }
    close(slave);
    return p;
}

/* Reads what the terminal shows until `word` appears in it. */
static void
await_word(const struct person *p, const char *word)
{
    size_t len = strlen(screen);

    while (strstr(screen, word) == NULL) {
        struct pollfd fd = {.fd = p->master, .events = POLLIN};
        ssize_t n = poll(&fd, 1, WAIT_MS) == 1 ? read(p->master, screen + len,
                                                      sizeof(screen) - 1 - len)
                                               : -1;

        if (n <= 0) {
            fail_msg("'%s' never came; seen: %s", word, screen);
        }
        len += (size_t)n;
        screen[len] = '\0';
    }
}

static void
type(const struct person *p, const char *keys)
{
    assert_int_equal(write(p->master, keys, strlen(keys)), strlen(keys));
}

static bool
echoes(const struct person *p)
{
    struct termios now;

    assert_int_equal(tcgetattr(p->master, &now), 0);
    return (now.c_lflag & ECHO) != 0;
}

static int
get_up(const struct person *p)
{
    int code = wait_run(p->shell);

    assert_true(echoes(p)); /* the terminal is as it was */
    close(p->master);
    end_test();
    return code;
}

static void
test_command_has_a_terminal_of_the_same_size(void **state)
{
    struct person p = sit_down((char *[]){
        W("sh"), W("-c"),
        W("test -t 0 && test -t 1 && test -t 2 && stty size && tty"), NULL});

    (void)state;
    await_word(&p, "33 101");
    await_word(&p, "/dev/pts/");
    assert_int_equal(get_up(&p), 0);
}

static void
test_keys_and_new_size_reach_the_command(void **state)
{
    struct winsize size = {.ws_row = 44, .ws_col = 120};
    struct person p = sit_down(
        (char *[]){W("sh"), W("-c"),
                   W("trap 'stty size' WINCH; echo ready; read line; echo "
                     "\"<$line>\"; read again; exit 0"),
                   NULL});

    (void)state;
    await_word(&p, "ready");
    assert_false(echoes(&p)); /* raw: the command's terminal echoes */
    type(&p, "abc\r");
    await_word(&p, "<abc>");
    assert_int_equal(ioctl(p.master, TIOCSWINSZ, &size), 0);
    await_word(&p, "44 120");
    type(&p, "\r");
    assert_int_equal(get_up(&p), 0);
}

static void
test_interrupt_key_reaches_the_command(void **state)
{
    /* No child of the shell's: while it makes one it drops the signal. */
    struct person p = sit_down((char *[]){
        W("sh"), W("-c"),
        script_with("echo ready; exec sleep ", long_sleep(), ""), NULL});

    (void)state;
    await_word(&p, "ready");
    type(&p, "\003");
    assert_int_equal(get_up(&p), 130);
}

static void
test_stop_key_stops_both_and_continue_wakes_both(void **state)
{
    struct person p = sit_down((char *[]){
        W("sh"), W("-c"), W("echo ready; read line; echo \"<$line>\""), NULL});

    (void)state;
    await_word(&p, "ready");
    type(&p, "\032");
    await_word(&p, "stopped, echo on");
    while (echoes(&p)) {
        usleep(1000);
    }
    type(&p, "back\r");
    await_word(&p, "<back>");
    assert_int_equal(get_up(&p), 0);
}

static void
test_terminal_of_the_person_is_out_of_reach(void **state)
{
    struct person p = sit_down((char *[]){
        W("sh"), W("-c"),
        W("echo by-tty > /dev/tty; echo \"tty $(tty)\"; echo $(ls /dev/pts) "
          "there; test -t 9 && echo leaked || echo closed"),
        NULL});

    (void)state;
    await_word(&p, "by-tty"); /* through the filter, as all output */
    await_word(&p, "closed");
    assert_non_null(strstr(screen, "tty /dev/pts/0"));
    assert_non_null(strstr(screen, "0 ptmx there")); /* and no other */
    assert_int_equal(get_up(&p), 0);
}

static void
test_killed_while_raw_leaves_no_process(void **state)
{
    const char *mark = long_sleep();
    struct person p = sit_down((char *[]){
        W("sh"), W("-c"), script_with("echo ready; sleep ", mark, ""), NULL});

    (void)state;
    await_word(&p, "ready");
    await_file("pid"); /* kill(0) would be the end of us all */
    (void)kill((pid_t)strtol(fake_file(&broker, "pid"), NULL, 10), SIGKILL);
    assert_int_equal(wait_run(p.shell), 128 + SIGKILL);
    assert_true(gone_within(mark, 1000));
    close(p.master);
    end_test();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_has_a_terminal_of_the_same_size),
        cmocka_unit_test(test_keys_and_new_size_reach_the_command),
        cmocka_unit_test(test_interrupt_key_reaches_the_command),
        cmocka_unit_test(test_stop_key_stops_both_and_continue_wakes_both),
        cmocka_unit_test(test_terminal_of_the_person_is_out_of_reach),
        cmocka_unit_test(test_killed_while_raw_leaves_no_process),
    };

    fake_drop_root();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
