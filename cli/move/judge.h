/*
 * judge.h - is this file a credential in plain text, and how bad is that?
 * Floor: cli. Depends on: profile, base/secret.
 */
#ifndef AG_CLI_MOVE_JUDGE_H
#define AG_CLI_MOVE_JUDGE_H

#include <sys/stat.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "profile/load.h"

enum severity {
    SEVERITY_LOW,      /* its content is encrypted: a passphrase guards it */
    SEVERITY_MEDIUM,   /* plain text that we can't move, or of one project */
    SEVERITY_HIGH,     /* plain text that works elsewhere */
    SEVERITY_CRITICAL, /* and other users can read it */
    SEVERITY_COUNT,
};

enum finding_kind {
    FINDING_FILE,  /* the tool's own file */
    FINDING_COPY,  /* what an editor or a tool left beside it */
    FINDING_STORE, /* a database of the tool's: found, not movable */
};

struct finding {
    const char *path;
    const struct profile *profile;
    size_t file_index;
    enum finding_kind kind;
    enum severity severity;
    unsigned mode;
    bool open;          /* other users can read it */
    bool unread;        /* not in its format, or too large: who knows? */
    size_t field_count; /* secrets in it */
    const char *why;    /* one clause; static */
};

/* "low", … "critical"; "file", "copy", "store". Static. */
const char *severity_word(enum severity severity);
const char *finding_kind_word(enum finding_kind kind);

/* Can other users read a file of this mode in this directory? By the bits of
 * the file and of every directory above; our own group does not count. */
AG_NONNULL bool judge_is_open(int dir_fd, const struct stat *st);

/*
 * Looks at `name` in a directory. *ret_is false when it is nothing to report:
 * no secret in it, not a regular file, not ours to read. The content is read
 * into locked memory and forgotten. `ret` is filled but for `path`.
 * Errors: AG_EMEMLOCK, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err judge_file(int dir_fd, const char *name,
                                           const struct profile_match *match,
                                           enum finding_kind kind,
                                           struct finding *ret, bool *ret_is);

#endif
