/*
 * keys - how long a typed letter takes to show, interleaved.
 *
 *   keys COUNT -- COMMAND… [-- COMMAND…]…
 *
 * Each command has a terminal of its own. In every round the same letter is
 * typed into each of them, one after the other, and waited for; every command
 * is typed COUNT letters of comments, as a person at a shell might, once it has
 * said READY. Prints one
 * line of KEY=VALUE per command, in the order given: p50_us, p99_us, max_us of
 * the time from writing the letter to having read it. A letter that does not
 * come ends the run.
 */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"

enum {
    COMMANDS_MAX_COUNT = 6,
    KEYS_MAX_COUNT = 100000,
    START_MS = 20000, /* until it is ready */
    ECHO_MS = 3000,
    QUIET_MS = 60,  /* nothing more comes of a line */
    BETWEEN_MS = 2, /* letters; nobody is that fast */
    OUTPUT_BYTES = 4096,
};

/* Words that keywords of rules begin with, and such that none does. */
static const char *const LINES[] = {
    "# export the token, or was it a password, of this api key",
    "# curl -sS https://example.invalid/v1/secrets | jq .password_hash",
    "# git commit -m 'say why and how it was checked' && git push",
    "# ls -la ~/.config | grep sk | sort | uniq -c | head -n 20",
    "# ghosts and skyscrapers, aka gitlab; slackers; eyes; AKA-47; sk8",
};

struct command {
    char **argv;
    pid_t pid;
    int fd;
    size_t count;
    double took_us[KEYS_MAX_COUNT];
};

static double
now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
sleep_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000 * 1000};

    (void)nanosleep(&t, NULL);
}

static int
open_terminal(const struct winsize *size, int *ret_other)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        ioctl(master, TIOCSWINSZ, size) != 0) {
        return -1;
    }
    *ret_other = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    return *ret_other < 0 ? -1 : master;
}

static bool
start(struct command *c)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    int other = -1;

    c->fd = open_terminal(&size, &other);
    if (c->fd < 0) {
        return false;
    }
    c->pid = fork();
    if (c->pid == 0) {
        (void)setsid();
        (void)ioctl(other, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++) {
            (void)dup2(other, i);
        }
        if (other > 2) {
            (void)close(other);
        }
        if (c->argv[0] != NULL) {
            (void)execvp(c->argv[0], c->argv);
        }
        perror("keys");
        _exit(127);
    }
    (void)close(other);
    return c->pid > 0;
}

/* Reads until `word` comes, or nothing for so long when it is "". */
static bool
wait_for(const struct command *c, const char *word, int wait_ms)
{
    char out[OUTPUT_BYTES];
    size_t len = 0;
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    while (poll(&p, 1, wait_ms) == 1) {
        ssize_t n = read(c->fd, out + len, sizeof(out) - len);

        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        if (*word != '\0' && memmem(out, len, word, strlen(word)) != NULL) {
            return true;
        }
        len = len == sizeof(out) ? 0 : len;
    }
    return *word == '\0';
}

static bool
type(const struct command *c, char letter, int wait_ms)
{
    const char word[] = {letter, '\0'};

    return write(c->fd, &letter, 1) == 1 && wait_for(c, word, wait_ms);
}

static bool
type_timed(struct command *c, char letter)
{
    double begun = now_us();

    if (!type(c, letter, ECHO_MS)) {
        (void)fprintf(stderr, "keys: '%c' does not come from %s\n", letter,
                      c->argv[0]);
        return false;
    }
    c->took_us[c->count++] = now_us() - begun;
    return true;
}

static bool
type_line(struct command *commands, size_t count, const char *line, size_t most)
{
    for (; *line != '\0' && commands[0].count < most; line++) {
        for (size_t i = 0; i < count; i++) {
            if (!type_timed(&commands[i], *line)) {
                return false;
            }
        }
        sleep_ms(BETWEEN_MS);
    }
    for (size_t i = 0; i < count; i++) {
        (void)type(&commands[i], '\r', 0);
        (void)wait_for(&commands[i], "", QUIET_MS);
    }
    return true;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static void
print(struct command *c)
{
    qsort(c->took_us, c->count, sizeof(c->took_us[0]), compare);
    (void)printf("p50_us=%.1f p99_us=%.1f max_us=%.1f\n",
                 c->took_us[c->count / 2], c->took_us[c->count * 99 / 100],
                 c->took_us[c->count - 1]);
}

static size_t
parse(char **argv, struct command *commands)
{
    size_t count = 0;

    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, "--") == 0) {
            *argv = NULL;
            if (count == COMMANDS_MAX_COUNT) {
                return 0;
            }
            commands[count++].argv = argv + 1;
        }
    }
    return count;
}

static bool
measure(struct command *commands, size_t count, size_t most)
{
    for (size_t i = 0; i < count; i++) {
        if (!start(&commands[i]) ||
            !wait_for(&commands[i], "READY", START_MS)) {
            (void)fprintf(stderr, "keys: %s does not start\n",
                          commands[i].argv[0]);
            return false;
        }
        (void)wait_for(&commands[i], "", QUIET_MS);
    }
    for (size_t i = 0; commands[0].count < most; i++) {
        if (!type_line(commands, count, LINES[i % AG_COUNT(LINES)], most)) {
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    static struct command commands[COMMANDS_MAX_COUNT];
    long most = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
    size_t count = argc > 3 ? parse(argv + 2, commands) : 0;
    bool good;

    if (most <= 0 || most > KEYS_MAX_COUNT || count == 0) {
        (void)fprintf(stderr, "usage: keys COUNT -- COMMAND… [-- COMMAND…]…\n");
        return 64;
    }
    good = measure(commands, count, (size_t)most);
    for (size_t i = 0; i < count; i++) {
        if (good) {
            print(&commands[i]);
        }
        (void)close(commands[i].fd); /* a hang-up ends it */
        if (commands[i].pid > 0) {
            (void)waitpid(commands[i].pid, NULL, 0);
        }
    }
    return good ? 0 : 1;
}
