/*
 * verb_helper.h - `auth-guard …` and other programs, in a new directory that is
 * $HOME.
 */
#ifndef TESTS_UNIT_CLI_VERB_HELPER_H
#define TESTS_UNIT_CLI_VERB_HELPER_H

#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "common/check.h"
#include "run/sweep.h"
#include "verb.h"
#include "wire/json.h"

enum {
    WORDS_MAX_COUNT = 128,
    LINE_BYTES = 1024,
};

static char dir[] = "/tmp/verb_helper_XXXXXX";
static char output[65536];

/* A command of ours, or another program: words without blanks. What it says in
 * `output`. */
static int
run(const char *line)
{
    char text[LINE_BYTES];
    char *words[WORDS_MAX_COUNT + 1] = {NULL};
    char *rest = text;
    int argc = 0;
    int fd = open("said", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int status = 0;
    pid_t pid;
    ssize_t n;

    (void)snprintf(text, sizeof(text), "%s", line);
    while (argc < WORDS_MAX_COUNT && rest != NULL) {
        words[argc++] = strsep(&rest, " ");
    }
    assert_true(fd >= 0);
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        static struct cli cli;
        int code;

        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        if (strcmp(words[0], "auth-guard") != 0) {
            (void)execvp(words[0], words);
            _exit(127);
        }
        wjson_setup();
        code = verb_main(&cli, argc, words);
        (void)fflush(NULL);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    n = pread(fd, output, sizeof(output) - 1, 0);
    assert_true(n >= 0 && WIFEXITED(status));
    output[n] = '\0';
    close(fd);
    return WEXITSTATUS(status);
}

static int
setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL || chdir(dir) != 0 ||
        setenv("HOME", dir, 1) != 0) {
        return -1;
    }
    (void)unsetenv("XDG_CONFIG_HOME");
    (void)unsetenv("AUTH_GUARD_HOME");
    (void)unsetenv("GIT_DIR");
    (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (chdir("/") != 0) {
        return -1;
    }
    sweep_dir(dir);
    return rmdir(dir) == 0 || access(dir, F_OK) != 0 ? 0 : -1;
}

#endif
