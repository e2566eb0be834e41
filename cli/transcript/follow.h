/*
 * follow.h - `watch transcripts`: what tools write is redacted where it lies as
 * soon as its writer has closed it.
 * Floor: cli. Depends on: transcript/inplace, transcript/dirs,
 * transcript/queue, transcript/straight, transcript/walk.
 *
 * First everything that is there is looked through. Then a file is looked at
 * when nothing has happened to it for a while; one that a process has open is
 * tried again, ever less often, and when it is closed. Where there is no filter
 * (the vault is locked, the broker gone) nothing is passed over: it waits and
 * goes on from there, saying why once for each reason, and as a warning again
 * each tell_ms. Who wants an error instead of waiting has redact --in-place.
 */
#ifndef AG_CLI_TRANSCRIPT_FOLLOW_H
#define AG_CLI_TRANSCRIPT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/inplace.h"

enum {
    FOLLOW_RETRY_MS = 2000,     /* and the next: as `watch` has them */
    FOLLOW_LOOK_MS = 60 * 1000, /* for roots that are not there yet */
    FOLLOW_TELL_MS = 60 * 60 * 1000,
    FOLLOW_ROOTS_MAX_COUNT = 4096,
};

/* Links in its path are followed when the following begins, and none later. A
 * directory, with all below it; or names in one: the last segment may hold
 * `*`, or name a file. */
struct follow_root {
    const char *path;
    bool optional; /* it need not be there yet */
};

struct follow {
    struct inplace *inplace;
    int64_t quiet_ms; /* without an event, before a file is looked at */
    int64_t retry_ms; /* between tries to reach the filter */
    int64_t tell_ms;  /* between words on still having no filter */
    int end_fd;       /* readable: it ends */

    /* To and from the filter, whose runs are the inplace's passage. */
    enum ag_err (*open)(void *arg);
    void (*close)(void *arg);
    void *arg;
};

/*
 * Until end_fd is readable; what is at work then is finished first.
 * Errors: AG_ENOTFOUND a root that is not there; AG_ELIMIT; what the filter
 *         fails by, unless waiting may help.
 */
AG_CHECK AG_NONNULL enum ag_err follow_run(const struct follow *f,
                                           const struct follow_root *roots,
                                           size_t count);

#endif
