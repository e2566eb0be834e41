/*
 * provider.h - tests/e2e/provider_service.py, started for a test program and
 * ended with it, with a key of a GitHub App.
 */
#ifndef AG_TESTS_PROVIDER_H
#define AG_TESTS_PROVIDER_H

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/check.h"

static struct {
    pid_t pid;
    int in_fd; /* its end is the service's end */
    char dir[64];
    char url[64];
    char key[4096]; /* of the app, PEM */
} provider;

static inline void
provider_shell(const char *command)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), "cd '%s' && { %s; } 2>/dev/null",
                   provider.dir, command);
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe)
    assert_int_equal(system(whole), 0);
}

static inline void
provider_exec(int in_fd, int out_fd)
{
    char *argv[] = {(char[]){"python3"},
                    (char[]){AG_SOURCE_DIR "/tests/e2e/provider_service.py"},
                    provider.dir, (char[]){"--while-stdin"}, NULL};

    if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    (void)execvp(argv[0], argv);
    _exit(127);
}

static inline void
provider_read_key(void)
{
    char path[96];
    FILE *in = NULL;
    size_t len = 0;

    provider_shell("openssl genrsa -traditional -out app.pem 2048 && openssl "
                   "rsa -in app.pem -pubout -out app.pub");
    (void)snprintf(path, sizeof(path), "%s/app.pem", provider.dir);
    in = fopen(path, "re");
    assert_non_null(in);
    len = fread(provider.key, 1, sizeof(provider.key) - 1, in);
    provider.key[len] = '\0';
    (void)fclose(in);
}

static inline void
provider_start(void)
{
    int in_fds[2];
    int fds[2];
    FILE *out = NULL;
    char line[64] = "";

    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(provider.dir, sizeof(provider.dir), "/tmp/ag-prov-XXXXXX");
    assert_non_null(mkdtemp(provider.dir));
    provider_read_key();
    assert_int_equal(pipe2(in_fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    provider.pid = fork();
    assert_true(provider.pid >= 0);
    if (provider.pid == 0) {
        provider_exec(in_fds[0], fds[1]);
    }
    (void)close(in_fds[0]);
    (void)close(fds[1]);
    provider.in_fd = in_fds[1];
    out = fdopen(fds[0], "r");
    assert_non_null(out);
    assert_non_null(fgets(line, sizeof(line), out));
    assert_int_equal(strncmp(line, "READY ", 6), 0);
    (void)fclose(out);
    (void)snprintf(provider.url, sizeof(provider.url), "http://127.0.0.1:%lu",
                   strtoul(line + 6, NULL, 10));
}

/* The next call of `action` has this fault. */
static inline void
provider_fault(const char *action, const char *fault)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "echo %s %s >mode", action, fault);
    provider_shell(command);
}

static inline int
provider_stop(void)
{
    int status = 0;

    (void)close(provider.in_fd);
    (void)waitpid(provider.pid, &status, 0);
    provider_shell("rm -rf \"$PWD\"");
    return 0;
}

#endif
