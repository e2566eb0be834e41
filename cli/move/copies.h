/*
 * copies.h - what editors and tools leave beside a credential file: backups,
 * swap files, half-written temporaries.
 * Floor: cli. Depends on: profile.
 */
#ifndef AG_CLI_MOVE_COPIES_H
#define AG_CLI_MOVE_COPIES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "profile/profile.h"

struct secret;

/* Is `other` the name of a copy of a file called `name`? `extra` (may be NULL)
 * are the profile's own patterns. */
bool copies_is_copy(const char *name, const char *other,
                    const struct strings *extra);

enum copy_fate {
    COPY_ERASED, /* held our values and nothing else that is secret */
    COPY_OTHER,  /* holds other secrets, perhaps beside ours: left */
};

/* Told of every copy that was erased or holds something; borrowed. */
typedef void (*copies_told_fn)(void *arg, const char *name,
                               enum copy_fate fate);

struct copies {
    int dir_fd;
    const char *name;                /* of the original */
    const char *gone;                /* the name that means garbage (erase.h) */
    const struct profile_file *file; /* or NULL */
    const struct secret *content;    /* of the original */
};

/*
 * Goes through the directory and erases each copy of the original that holds
 * its secrets. A copy in the file's own format that holds a secret the original
 * has no field for is left, since it may be its only place; so is one that
 * holds none of ours. Links, other owners' files and what is no regular file
 * are left.
 * Errors: AG_EIO and others, with a sentence that names the copy; AG_EMEMLOCK;
 *         AG_ENOMEM.
 */
AG_CHECK enum ag_err copies_erase(const struct copies *c, copies_told_fn told,
                                  void *arg);

#endif
