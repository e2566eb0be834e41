/*
 * tty.h - asking the person at the terminal: passphrases without echo, yes or
 * no; from a file where there is no person.
 * Floor: cli. Depends on: base/secret, cli.
 *
 * The passphrase comes from, first match: the file named by
 * AUTH_GUARD_PASSPHRASE_FILE; the systemd credential of that name
 * ($CREDENTIALS_DIRECTORY/AUTH_GUARD_PASSPHRASE_FILE); /dev/tty. A file must be
 * a regular file of this user or root that nobody else can read; one newline at
 * its end is not part of the passphrase. Echo is given back on every way out,
 * signals included.
 */
#ifndef AG_CLI_TTY_H
#define AG_CLI_TTY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct secret;

enum {
    PASSPHRASE_MIN_BYTES = 8,
    PASSPHRASE_MAX_BYTES = 1024,
};

enum tty_ask {
    TTY_ASK_ONCE,
    TTY_ASK_NEW, /* twice, with a hint how strong it is */
};

/*
 * Calls cli_harden() first. `prompt` without the colon, e.g. "Passphrase".
 * Errors: AG_EPROOF when there is neither a file nor a terminal (names both
 *         ways out), AG_EMODE for a file open to others, AG_EINVAL (too short
 *         for TTY_ASK_NEW, empty, too long, the two differ), AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err tty_passphrase(struct cli *cli,
                                               const char *prompt,
                                               enum tty_ask ask,
                                               struct secret **ret);

/* A line with a secret that is not a passphrase (a recovery code): terminal
 * only. */
AG_CHECK AG_NONNULL enum ag_err
tty_secret_line(struct cli *cli, const char *prompt, struct secret **ret);

/* A passphrase from a private file that was named on the command line. */
AG_CHECK AG_NONNULL enum ag_err tty_passphrase_file(struct cli *cli,
                                                    const char *path,
                                                    enum tty_ask ask,
                                                    struct secret **ret);

/* True when tty_passphrase() would not ask a person. */
bool tty_passphrase_from_file(void);

/* "y" on the terminal; AG_EUSAGE with the option that says yes without one. */
AG_CHECK AG_NONNULL enum ag_err
tty_confirm(struct cli *cli, const char *question, const char *yes_option);

#endif
