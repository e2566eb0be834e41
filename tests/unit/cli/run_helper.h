/*
 * run_helper.h - `auth-guard run` in a process of its own, beside the fake
 * broker.
 */
#ifndef TESTS_UNIT_CLI_RUN_HELPER_H
#define TESTS_UNIT_CLI_RUN_HELPER_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli.h"
#include "fake_broker.h"
#include "verb.h"
#include "wire/json.h"

#define TASK(life, deliveries)                                                 \
    "{\"id\":\"7\",\"token\":\"agt_test\",\"accessor\":\"aga_x\",\"life\":"    \
    "\"" life                                                                  \
    "\",\"streams\":[\"agx_s1\",\"agx_s2\"],\"args\":[],\"unset\":[],"         \
    "\"deliveries\":[" deliveries "]}"

enum {
    WAIT_MS = 60000, /* a hang is a failure, not a slow machine */
};

static struct fake broker;

/* `auth-guard run WORDS…` in this process; what the tests are about is the same
 * isolated or not, and the temporary directories are the host's. */
__attribute__((noreturn)) static void
be_run(char **words)
{
    static struct cli cli;
    char *argv[16] = {(char[]){"auth-guard"}, (char[]){"run"},
                      (char[]){"--no-isolate"}};
    int argc = 3;

    for (; *words != NULL; words++) {
        argv[argc++] = *words;
    }
    wjson_setup();
    _exit(verb_main(&cli, argc, argv));
}

static void
start_broker(const char *task)
{
    struct fake_route routes[] = {
        {"POST /v1/tasks", task},
        {"GET /v1/leases", "{\"leases\":[{\"id\":\"41\",\"verb\":\"file\","
                           "\"secret\":\"tool/login\"}]}"},
        {NULL, NULL}};

    fake_dir(&broker);
    fake_socket_variable(&broker);
    fake_start(&broker, routes);
}

/* Starts it with its output in DIR/out and DIR/err. */
static inline pid_t
start_run(const char *task, char **words)
{
    pid_t pid;

    start_broker(task);
    pid = fork();
    if (pid == 0) {
        char path[128];

        snprintf(path, sizeof(path), "%s/out", broker.dir);
        (void)dup2(open(path, O_WRONLY | O_CREAT, 0600), 1);
        snprintf(path, sizeof(path), "%s/err", broker.dir);
        (void)dup2(open(path, O_WRONLY | O_CREAT, 0600), 2);
        be_run(words);
    }
    return pid;
}

static inline int
wait_run(pid_t pid)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_steady_ms() > deadline_ms) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            fail_msg("run did not end");
        }
        usleep(2000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void
end_test(void)
{
    fake_stop(&broker);
    fake_remove(&broker);
}

static inline int
run_words(const char *task, char **words)
{
    return wait_run(start_run(task, words));
}

#define RUN(task, ...) run_words(task, (char *[]){__VA_ARGS__, NULL})

/* Our string constants are writable for argv. */
#define W(text) ((char[]){text})

/* Is there a process with `word` among its arguments? */
static inline bool
runs(const char *word)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    bool found = false;

    while (!found && (entry = readdir(proc)) != NULL) {
        char path[300];
        char text[4096];
        int fd;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, text, sizeof(text));
        found = n > 0 && memmem(text, (size_t)n, word, strlen(word)) != NULL;
        if (fd >= 0) {
            close(fd);
        }
    }
    closedir(proc);
    return found;
}

/* Counted in looks, not by the clock: the machine may stand still, and then
 * nobody else runs either. */
static inline bool
gone_within(const char *word, int64_t ms)
{
    for (int64_t waited_ms = 0; runs(word); waited_ms += 5) {
        if (waited_ms >= ms) {
            return false;
        }
        usleep(5000);
    }
    return true;
}

/* Words for `sleep` that no other process has: its mark among all. */
static inline char *
long_sleep(void)
{
    static char seconds[32];
    static int count;

    snprintf(seconds, sizeof(seconds), "4711%d.%d", (int)getpid(), ++count);
    return seconds;
}

/* A script with the mark in it; until the next call. */
static inline char *
script_with(const char *before, const char *mark, const char *behind)
{
    static char script[160];

    snprintf(script, sizeof(script), "%s%s%s", before, mark, behind);
    return script;
}

static inline void
await_file(const char *name)
{
    int64_t deadline_ms = clock_steady_ms() + WAIT_MS;

    while (fake_file(&broker, name)[0] == '\0') {
        assert_true(clock_steady_ms() < deadline_ms);
        usleep(2000);
    }
}

#endif
