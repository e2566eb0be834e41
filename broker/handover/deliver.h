/*
 * deliver.h - a value into a descriptor that somebody passed us: a pipe whose
 * other end the task will read, an empty memfd or an empty private file.
 * Floor: handover. Depends on: base/secret.
 */
#ifndef AG_HANDOVER_DELIVER_H
#define AG_HANDOVER_DELIVER_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct secret;

enum {
    DELIVER_WAIT_MS = 5000, /* for the reader of a pipe, in all */
};

/*
 * Is this a place for a value? A pipe, or an empty regular file of `owner`'s
 * that is open for writing and, if it has a name, closed to others.
 * Errors: AG_EFILE with a sentence.
 */
AG_CHECK enum ag_err deliver_check(int fd, uid_t owner);

/*
 * Writes the value, straight from its locked memory. The descriptor's flags
 * are left as they are.
 * Errors: AG_ETIMEOUT nobody reads; AG_EIO (a closed reader too), AG_ENOSPACE.
 * Blocks: DELIVER_WAIT_MS on a pipe; SIGPIPE must be blocked or ignored.
 */
AG_CHECK AG_NONNULL enum ag_err deliver_write(int fd,
                                              const struct secret *value);

#endif
