/*
 * service.h - tests/common/service.py, started for a test program and ended
 * with it.
 */
#ifndef AG_TESTS_SERVICE_H
#define AG_TESTS_SERVICE_H

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/check.h"

static struct {
    pid_t pid;
    int in_fd; /* its end is the service's end */
    char dir[64];
    char ca[96];
    uint16_t good;
    uint16_t expired;
    uint16_t wrong;
    uint16_t unknown;
    uint16_t plain;
    uint16_t mute;
    uint16_t six; /* 0: no IPv6 here */
    uint16_t h2;  /* 0: no nginx here */
} service;

static inline void
service_exec(int in_fd, int out_fd)
{
    char *argv[] = {(char[]){"python3"},
                    (char[]){AG_SOURCE_DIR "/tests/common/service.py"},
                    service.dir, NULL};

    if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    (void)execvp(argv[0], argv);
    _exit(127);
}

static inline uint16_t
service_port(const char *ready, const char *name)
{
    char key[24];
    const char *at;

    (void)snprintf(key, sizeof(key), " %s=", name);
    at = strstr(ready, key);
    assert_non_null(at);
    return (uint16_t)strtoul(at + strlen(key), NULL, 10);
}

static inline void
service_read_ports(int out_fd)
{
    FILE *out = fdopen(out_fd, "r");
    char ready[256] = "";

    assert_non_null(out);
    if (fgets(ready, sizeof(ready), out) == NULL ||
        strncmp(ready, "READY ", 6) != 0) {
        fail_msg("tests/common/service.py did not start");
    }
    (void)fclose(out);
    service.good = service_port(ready, "good");
    service.expired = service_port(ready, "expired");
    service.wrong = service_port(ready, "wrong");
    service.unknown = service_port(ready, "unknown");
    service.plain = service_port(ready, "plain");
    service.mute = service_port(ready, "mute");
    service.six = service_port(ready, "six");
    service.h2 = service_port(ready, "h2");
}

static inline int
service_start(void)
{
    int in_fds[2];
    int out_fds[2];

    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    (void)snprintf(service.dir, sizeof(service.dir), "/tmp/ag-service-XXXXXX");
    assert_non_null(mkdtemp(service.dir));
    (void)snprintf(service.ca, sizeof(service.ca), "%s/ca.pem", service.dir);
    assert_int_equal(pipe2(in_fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out_fds, O_CLOEXEC), 0);
    service.pid = fork();
    assert_true(service.pid >= 0);
    if (service.pid == 0) {
        service_exec(in_fds[0], out_fds[1]);
    }
    (void)close(in_fds[0]);
    (void)close(out_fds[1]);
    service.in_fd = in_fds[1];
    service_read_ports(out_fds[0]);
    return 0;
}

static inline int
service_stop(void)
{
    char command[128];
    int status = 0;

    (void)close(service.in_fd);
    (void)waitpid(service.pid, &status, 0);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", service.dir);
    return system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}

#endif
