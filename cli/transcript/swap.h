/*
 * swap.h - a file's content exchanged for another while nobody has it open.
 * Floor: cli. Depends on: move/erase, base.
 *
 * The file is held by a write lease (fcntl(2), F_SETLEASE), which the kernel
 * gives only while no other descriptor of the file is open anywhere, and which
 * makes whoever opens it wait. The new content is written to
 * .ag-inplace-ID beside it (0600 from birth, locked by flock); then the two
 * names change places in one step. At every moment the name leads to one whole
 * file, the old or the new, and whatever lies under a name of ours is garbage:
 * swap_sweep() overwrites and unlinks it.
 *
 * After the exchange the lease is asked once more: whoever came in between
 * waits for the old file, so the names change back and it was not done.
 */
#ifndef AG_CLI_TRANSCRIPT_SWAP_H
#define AG_CLI_TRANSCRIPT_SWAP_H

#include <sys/stat.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    SWAP_NAME_BYTES = 64,
};

struct swap {
    int dir_fd;       /* borrowed */
    const char *name; /* borrowed; in that directory */
    int old_fd;       /* for reading, with the lease; -1: none */
    struct stat old;  /* as it was when the lease was given */
    int new_fd;       /* for writing; -1: not made yet */
    char temp[SWAP_NAME_BYTES];
    bool not_wiped; /* set: the old content could not be overwritten */
};

/*
 * Opens `name`, makes sure that it may be exchanged, and takes the lease. The
 * caller calls swap_done() whatever comes of it.
 * Errors: AG_ENOTFOUND; AG_EFILE no regular file, a second name (hard link), or
 *         somebody else's; AG_EBUSY another process has it open; AG_EDENIED;
 *         AG_EUNSUPPORTED the file system has no leases. Each with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err swap_hold(int dir_fd, const char *name,
                                          struct swap *s);

/* The file for the new content; its descriptor stays the swap's. Errors:
 * those of open(2). */
AG_CHECK AG_NONNULL enum ag_err swap_make(struct swap *s);

/* A private new file beside any other, under a name of ours, locked. */
AG_CHECK AG_NONNULL enum ag_err
swap_new_file(int dir_fd, char name[SWAP_NAME_BYTES], int *ret_fd);

/* Nobody has come since the lease was given. From the moment somebody does, the
 * kernel lets them wait for lease-break-time, then in. */
AG_NONNULL bool swap_is_alone(const struct swap *s);

/*
 * Puts what was written to new_fd in the place of the old, with its mode, owner
 * and times, and takes the old content away. On an error the old is there,
 * untouched.
 * Errors: AG_ECHANGED it is not what was held any more; AG_EBUSY somebody wants
 *         to open it; AG_EUNSUPPORTED names can't be exchanged there; AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err swap_commit(struct swap *s);

/* Gives the lease back; what is left under our name goes. */
AG_NONNULL void swap_done(struct swap *s);
AG_DEFINE_CLEANUP_INPLACE(swap, swap_done)

/* Is this one of our names? */
AG_NONNULL bool swap_is_ours(const char *name);

/* Takes away what an earlier run left under one of our names, unless that run
 * is still at work. True: it is gone. */
AG_NONNULL bool swap_sweep(int dir_fd, const char *name);

#endif
