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
    COPY_OTHER,  /* holds other secrets too, or none of ours: left */
    COPY_FAILED, /* holds ours and could not be erased: left */
};

/* Told of every copy that was erased or holds something; borrowed. */
typedef void (*copies_told_fn)(void *arg, const char *name,
                               enum copy_fate fate);

/*
 * Goes through the directory and erases each copy of `name` that holds the
 * secrets of `content`. A copy in the file's own format that holds further
 * secrets is left, since it may be their only place; so is one that holds none
 * of ours. Links, other owners' files and what is no regular file are left.
 * `file` NULL: no profile.
 * Errors: AG_EIO the directory can't be read; AG_EMEMLOCK; AG_ENOMEM.
 */
AG_CHECK enum ag_err copies_erase(int dir_fd, const char *name,
                                  const struct profile_file *file,
                                  const struct secret *content,
                                  copies_told_fn told, void *arg);

#endif
