#include "tty.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "base/secret.h"
#include "cli.h"

static const char VARIABLE[] = "AUTH_GUARD_PASSPHRASE_FILE";

/* The terminal as it was, for the signal handler: it must be given back even
 * when the person presses ^C at the prompt. */
static struct {
    int fd;
    struct termios before;
    volatile sig_atomic_t silent;
} terminal = {.fd = -1};

static const int END_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static struct sigaction acts_before[AG_COUNT(END_SIGNALS)]; /* nohup's, e.g. */

static void
on_signal(int signal_number)
{
    if (terminal.silent) {
        (void)tcsetattr(terminal.fd, TCSANOW, &terminal.before);
        (void)!write(terminal.fd, "\n", 1);
    }
    /* The handler is gone by SA_RESETHAND: this one ends us. */
    (void)raise(signal_number);
}

static enum ag_err
echo_off(int fd)
{
    struct sigaction act = {.sa_handler = on_signal,
                            .sa_flags = (int)SA_RESETHAND};
    struct termios quiet;

    if (tcgetattr(fd, &terminal.before) != 0) {
        return err_why(AG_EPROOF, "/dev/tty is not a terminal");
    }
    terminal.fd = fd;
    quiet = terminal.before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    quiet.c_lflag |= ICANON | ISIG;
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE; /* ^Z would leave it silent */
    for (size_t i = 0; i < AG_COUNT(END_SIGNALS); i++) {
        (void)sigaction(END_SIGNALS[i], &act, &acts_before[i]);
    }
    terminal.silent = 1;
    return tcsetattr(fd, TCSAFLUSH, &quiet) == 0 ? AG_OK : AG_EIO;
}

static void
echo_on(void)
{
    (void)tcsetattr(terminal.fd, TCSAFLUSH, &terminal.before);
    terminal.silent = 0;
    for (size_t i = 0; i < AG_COUNT(END_SIGNALS); i++) {
        (void)sigaction(END_SIGNALS[i], &acts_before[i], NULL);
    }
    terminal.fd = -1;
}

/* One line into locked memory. The terminal's line discipline ends a line for
 * us, so read() never leaves part of the next one behind. */
static enum ag_err
read_line(int fd, struct secret **ret)
{
    AG_AUTO(secret) struct secret *line = NULL;
    enum ag_err err = secret_new(PASSPHRASE_MAX_BYTES + 1, &line);
    size_t len = 0;
    uint8_t *to;

    if (err != AG_OK) {
        return err;
    }
    to = secret_bytes(line);
    while (len == 0 || to[len - 1] != '\n') {
        ssize_t n;

        if (len == PASSPHRASE_MAX_BYTES + 1) {
            return err_why(AG_EINVAL, "longer than %d bytes",
                           PASSPHRASE_MAX_BYTES);
        }
        n = read(fd, to + len, 1);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return err_why(AG_EINVAL, "nothing was entered");
        }
        len += n > 0 ? 1 : 0;
    }
    secret_shrink(line, len - 1);
    *ret = AG_TAKE(line);
    return AG_OK;
}

static enum ag_err
ask(int fd, const char *prompt, struct secret **ret)
{
    enum ag_err err = echo_off(fd);

    if (err == AG_OK) {
        (void)dprintf(fd, "%s: ", prompt);
        err = read_line(fd, ret);
        (void)!write(fd, "\n", 1);
    }
    if (terminal.silent) {
        echo_on();
    }
    return err;
}

/* How hard to guess, in words: length and kinds of characters. A hint only. */
static const char *
strength(struct span text)
{
    bool lower = false;
    bool upper = false;
    bool digit = false;
    bool other = false;
    size_t distinct = 0;
    bool seen[256] = {false};
    size_t points;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        lower = lower || (c >= 'a' && c <= 'z');
        upper = upper || (c >= 'A' && c <= 'Z');
        digit = digit || (c >= '0' && c <= '9');
        other = other || c < '0' || c > 'z';
        distinct += seen[c] ? 0 : 1;
        seen[c] = true;
    }
    points = (text.len < 2 * distinct ? text.len : 2 * distinct) +
             2 * ((size_t)lower + upper + digit + other);
    wipe(seen, sizeof(seen));
    if (points < 16) {
        return "weak: five or six random words are easy to keep and hard to "
               "guess";
    }
    return points < 24 ? "fair" : "strong";
}

static enum ag_err
ask_new(int fd, const char *prompt, struct secret **ret)
{
    AG_AUTO(secret) struct secret *first = NULL;
    AG_AUTO(secret) struct secret *second = NULL;
    enum ag_err err = ask(fd, prompt, &first);

    if (err == AG_OK && secret_len(first) < PASSPHRASE_MIN_BYTES) {
        return err_why(AG_EINVAL, "a passphrase needs at least %d characters",
                       PASSPHRASE_MIN_BYTES);
    }
    if (err == AG_OK) {
        (void)dprintf(fd, "Strength: %s\n", strength(secret_view(first)));
        err = ask(fd, "Once more", &second);
    }
    if (err == AG_OK && !secret_equal(first, second)) {
        return err_why(AG_EINVAL, "the two passphrases differ; nothing was "
                                  "changed");
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(first);
    }
    return err;
}

/* The path of the passphrase file, or false: the terminal. */
static bool
file_path(char out[PATH_MAX])
{
    const char *path = getenv(VARIABLE);
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int n;

    if (path != NULL && *path != '\0') {
        n = snprintf(out, PATH_MAX, "%s", path);
        return n > 0 && n < PATH_MAX;
    }
    if (dir == NULL || *dir != '/') {
        return false;
    }
    n = snprintf(out, PATH_MAX, "%s/%s", dir, VARIABLE);
    return n > 0 && n < PATH_MAX && access(out, F_OK) == 0;
}

bool
tty_passphrase_from_file(void)
{
    char path[PATH_MAX];

    return file_path(path);
}

static enum ag_err
check_file(int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return err_why(AG_EMODE, "%s: not a regular file", path);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return err_why(AG_EMODE, "%s: belongs to another user", path);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_why(AG_EMODE, "%s: others may read it; run: chmod 600 %s",
                       path, path);
    }
    return AG_OK;
}

static enum ag_err
read_file(const char *path, enum tty_ask kind, struct secret **ret)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AG_AUTO(secret) struct secret *text = NULL;
    struct span view;
    size_t min = kind == TTY_ASK_NEW ? PASSPHRASE_MIN_BYTES : 1;
    enum ag_err err;

    if (fd < 0) {
        return err_why(AG_ENOTFOUND, "%s: %s", path, strerrordesc_np(errno));
    }
    err = check_file(fd, path);
    if (err == AG_OK) {
        err = fd_read_secret(fd, PASSPHRASE_MAX_BYTES + 1, &text);
    }
    if (err != AG_OK) {
        return err;
    }
    view = secret_view(text);
    if (view.len > 0 && view.ptr[view.len - 1] == '\n') {
        secret_shrink(text, view.len - 1);
    }
    if (secret_len(text) < min) {
        return err_why(AG_EINVAL, "%s: shorter than %zu characters", path, min);
    }
    *ret = AG_TAKE(text);
    return AG_OK;
}

enum ag_err
tty_passphrase_file(struct cli *cli, const char *path, enum tty_ask kind,
                    struct secret **ret)
{
    enum ag_err err = cli_harden(cli);

    return err == AG_OK ? read_file(path, kind, ret) : err;
}

static enum ag_err
open_terminal(int *ret_fd)
{
    *ret_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (*ret_fd < 0) {
        return err_why(AG_EPROOF,
                       "a passphrase is needed and there is no terminal to ask "
                       "at; set %s to a private file that holds it",
                       VARIABLE);
    }
    return AG_OK;
}

enum ag_err
tty_passphrase(struct cli *cli, const char *prompt, enum tty_ask kind,
               struct secret **ret)
{
    char path[PATH_MAX];
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = cli_harden(cli);

    if (err != AG_OK) {
        return err;
    }
    if (file_path(path)) {
        return read_file(path, kind, ret);
    }
    err = open_terminal(&fd);
    if (err != AG_OK) {
        return err;
    }
    switch (kind) {
    case TTY_ASK_ONCE:
        return ask(fd, prompt, ret);
    case TTY_ASK_NEW:
        return ask_new(fd, prompt, ret);
    }
    return AG_EINTERNAL;
}

enum ag_err
tty_secret_line(struct cli *cli, const char *prompt, struct secret **ret)
{
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = cli_harden(cli);

    if (err == AG_OK) {
        err = open_terminal(&fd);
    }
    return err == AG_OK ? ask(fd, prompt, ret) : err;
}

enum ag_err
tty_confirm(struct cli *cli, const char *question, const char *yes_option)
{
    AG_AUTO(fd) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    char answer[16] = {0};

    (void)cli;
    if (fd < 0) {
        return err_why(AG_EUSAGE, "there is no terminal to ask at; say %s",
                       yes_option);
    }
    (void)dprintf(fd, "%s [y/N] ", question);
    if (read(fd, answer, sizeof(answer) - 1) > 0 &&
        (answer[0] == 'y' || answer[0] == 'Y')) {
        return AG_OK;
    }
    return err_why(AG_EUSAGE, "not confirmed; nothing was changed");
}
