/*
 * credential.h - does a word of a command name a credential file?
 * Floor: cli. Depends on: cli, profile, move/own_path.
 *
 * Such are the files of profiles that are there, by their own place, by where a
 * link leads, and by their base name; the passphrase file of this vault; and
 * the environment of a process in /proc.
 */
#ifndef AG_CLI_HOOK_CREDENTIAL_H
#define AG_CLI_HOOK_CREDENTIAL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct buf;
struct cli;
struct profiles;

enum {
    CREDENTIAL_PATH_BYTES = 2048, /* a longer one is nobody's credential file */
};

/* In place; zero but for `cli` and `cwd`. Profiles are loaded by the first
 * question. */
struct credentials {
    struct cli *cli;
    char cwd[CREDENTIAL_PATH_BYTES]; /* of the command, absolute */
    struct profiles *profiles;
};

AG_NONNULL void credentials_done(struct credentials *c);
AG_DEFINE_CLEANUP_INPLACE(credentials, credentials_done)

/* The command goes to another directory; one that it can't go to is none. */
AG_NONNULL void credentials_cd(struct credentials *c, const char *dir);

/* Or'ed. */
enum credential_flags {
    CREDENTIAL_FILE = 0,
    CREDENTIAL_BELOW = 1,   /* the command reads what is below a directory */
    CREDENTIAL_PATTERN = 2, /* *, ? and […] stand for names */
};

/*
 * Appends "PATH (TITLE)", and sets *ret, if `word` names one.
 * Errors: those of profile_set_load(); AG_ELIMIT, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err credential_find(struct credentials *c,
                                                const char *word,
                                                enum credential_flags flags,
                                                struct buf *out, bool *ret);

#endif
