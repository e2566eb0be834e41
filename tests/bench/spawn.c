/*
 * spawn - how long commands take from start to end, interleaved.
 *
 *   spawn ROUNDS -- COMMAND… [-- COMMAND…]…
 *
 * Every round runs each command once, output to /dev/null, so that a noisy
 * moment hits all of them. Prints one line of KEY=VALUE per command, in the
 * order given: min_ms, med_ms, cpu_ms (user and system of the command and of all
 * that it started, also what it leaves behind without waiting for it, median). A
 * command that fails ends the run.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <spawn.h>

#include "base/attr.h"

enum {
    COMMANDS_MAX_COUNT = 12,
    ROUNDS_MAX_COUNT = 10000,
};

struct command {
    char **argv;
    double wall_ms[ROUNDS_MAX_COUNT];
    double cpu_ms[ROUNDS_MAX_COUNT];
};

static double
now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
time_ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static double
waited_for_ms(void)
{
    struct rusage used = {0};

    (void)getrusage(RUSAGE_CHILDREN, &used);
    return time_ms(used.ru_utime) + time_ms(used.ru_stime);
}

static int
run_once(struct command *c, size_t round, posix_spawn_file_actions_t *quiet)
{
    double before_ms = waited_for_ms();
    double begun = now_ms();
    int status;
    pid_t pid;

    if (c->argv[0] == NULL) {
        return -1;
    }
    if (posix_spawnp(&pid, c->argv[0], quiet, NULL, c->argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid) {
        perror(c->argv[0]);
        return -1;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "spawn: %s failed (%d)\n", c->argv[0], status);
        return -1;
    }
    c->wall_ms[round] = now_ms() - begun;
    while (wait(NULL) > 0) { /* the first process of a namespace, say */
    }
    c->cpu_ms[round] = waited_for_ms() - before_ms;
    return 0;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static size_t
split(char **argv, struct command *commands)
{
    size_t count = 0;

    for (char **at = argv; *at != NULL; at++) {
        if (strcmp(*at, "--") != 0) {
            continue;
        }
        *at = NULL;
        if (count < COMMANDS_MAX_COUNT && at[1] != NULL) {
            commands[count++].argv = at + 1;
        }
    }
    return count;
}

int
main(int argc, char **argv)
{
    static struct command commands[COMMANDS_MAX_COUNT];
    posix_spawn_file_actions_t quiet;
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    size_t count = argc > 2 ? split(argv + 2, commands) : 0;

    if (rounds == 0 || rounds > ROUNDS_MAX_COUNT || count == 0) {
        (void)fputs("usage: spawn ROUNDS -- COMMAND... [-- COMMAND...]\n",
                    stderr);
        return EXIT_FAILURE;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 ||
        posix_spawn_file_actions_init(&quiet) != 0 ||
        posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0) !=
            0) {
        return EXIT_FAILURE;
    }
    for (size_t n = 0; n < rounds * count; n++) {
        if (run_once(&commands[n % count], n / count, &quiet) != 0) {
            return EXIT_FAILURE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct command *c = &commands[i];

        qsort(c->wall_ms, rounds, sizeof(double), compare);
        qsort(c->cpu_ms, rounds, sizeof(double), compare);
        (void)printf("min_ms=%.3f med_ms=%.3f cpu_ms=%.3f\n", c->wall_ms[0],
                     c->wall_ms[rounds / 2], c->cpu_ms[rounds / 2]);
    }
    return 0;
}
