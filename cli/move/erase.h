/*
 * erase.h - takes a file's plaintext away once the vault is the authority.
 * Floor: cli. Depends on: move/source, move/copies.
 *
 * Steps, each of which can be the last one before a power cut:
 *   1. NAME is renamed to .ag-erase-ID: the tool can't open it any more;
 *   2. its content is compared with what the vault took; a file that differs
 *      goes back under its name (AG_ECHANGED);
 *   3. its copies are erased (by way of step 4 and 5), while its content is
 *      still there to tell them;
 *   4. it is renamed to .ag-gone-ID: from here on it is garbage;
 *   5. it is overwritten once with random bytes, synced, unlinked, and the
 *      directory is synced.
 * move/recover goes on from whatever it finds.
 */
#ifndef AG_CLI_MOVE_ERASE_H
#define AG_CLI_MOVE_ERASE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "move/copies.h"

struct secret;

enum {
    ERASE_NAME_BYTES = 64,
    ERASE_ID_MAX_BYTES = 40,
};

/* The names of steps 1 and 4 and of a release's temporary file.
 * Errors: AG_EINVAL an id that can't be part of a name. */
struct erase_names {
    char hidden[ERASE_NAME_BYTES];
    char gone[ERASE_NAME_BYTES];
    char coming[ERASE_NAME_BYTES];
};
AG_CHECK AG_NONNULL enum ag_err erase_names(const char *id,
                                            struct erase_names *ret);

struct erase_told {
    copies_told_fn copy; /* of every copy; may not be NULL */
    void *arg;
    bool not_wiped; /* set: unlinked, but its blocks could not be written */
};

/*
 * All five steps for `name`, whose content the vault has.
 * Errors: AG_ECHANGED something else is there: it was left; AG_ENOTFOUND
 *         nothing is there; AG_EIO and others: a step failed and the next run
 *         goes on from there.
 */
AG_CHECK enum ag_err erase_original(int dir_fd, const char *name,
                                    const struct erase_names *names,
                                    const struct profile_file *file,
                                    const struct secret *content,
                                    struct erase_told *told);

/* Steps 2 to 5, for a file that is hidden already. */
AG_CHECK enum ag_err erase_hidden(int dir_fd, const char *name,
                                  const struct erase_names *names,
                                  const struct profile_file *file,
                                  const struct secret *content,
                                  struct erase_told *told);

/*
 * Step 5 for any file of ours. One that can't be overwritten is unlinked all the same; *ret_wiped says
 * whether it was. One with a second name is unlinked only: the other name is
 * somebody's file.
 * Errors: AG_ENOTFOUND; AG_EFILE it is no regular file, AG_EIO: it is still
 *         there.
 */
AG_CHECK AG_NONNULL enum ag_err erase_file(int dir_fd, const char *name,
                                           bool *ret_wiped);

/* What overwriting can't do on the file system of this descriptor, as a clause
 * for a sentence ("keeps old blocks …"); NULL where it overwrites in place. */
const char *erase_caveat(int fd);

/* Renames and never replaces. Errors: AG_EEXISTS, AG_ENOTFOUND, AG_EIO …. */
AG_CHECK AG_NONNULL enum ag_err rename_new(int dir_fd, const char *from,
                                           const char *to);

#endif
