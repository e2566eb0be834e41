/*
 * watch.h - follows the files that a tool rewrites: every new content goes to
 * the vault at once, by its descriptor. We never look into it.
 * Floor: cli/run. Depends on: session, base/fdx, run/spill.
 */
#ifndef AG_CLI_RUN_WATCH_H
#define AG_CLI_RUN_WATCH_H

#include "base/attr.h"
#include "base/err.h"

struct session;
struct watch;

enum {
    WATCH_MAX_COUNT = 64,
    WATCH_FILE_MAX_BYTES = 64 * 1024, /* as the vault takes */
};

/* What is followed. Texts are borrowed for the life of the watch. */
struct watch_file {
    int dir_fd; /* of the directory it lies in; taken over */
    const char *name;
    const char *ticket;   /* of `take` */
    const char *renew;    /* of `deliver`: placeholders in the place of values
                             that a tool wrote; NULL: it holds values anyway */
    const char *spill_as; /* its name below spill/; "" it has none */
};

struct watch_spill {
    const char *home; /* the vault's directory */
    const char *key;  /* public key of the vault, base64, or NULL */
};

AG_CHECK AG_NONNULL enum ag_err watch_new(const struct watch_spill *spill,
                                          struct watch **ret);
void watch_free(struct watch *w);
AG_DEFINE_CLEANUP(watch, watch_free)

/* From now on: the file has its first content. */
AG_CHECK AG_NONNULL enum ag_err watch_add(struct watch *w,
                                          const struct watch_file *file);

/* For poll(); -1 when nothing is followed. */
AG_NONNULL int watch_fd(const struct watch *w);

/* Takes what has changed since. A write-back that the broker refuses is a
 * sentence in watch_trouble(); one it can't take any more is spilled. */
AG_NONNULL void watch_pump(struct watch *w, struct session *session);

/* The last look, when every process of the task is gone: looks at the files
 * themselves. `session` is NULL when the broker is gone. */
void watch_finish(struct watch *w, struct session *session);

/* A sentence for the person when a login may have been lost, or when what a
 * file is now did not become the current version; else NULL. */
AG_NONNULL const char *watch_trouble(const struct watch *w);

/* A sentence when a task wrote a login of its own where it was given
 * placeholders: nothing that it writes later takes that back. Else NULL. */
AG_NONNULL const char *watch_found(const struct watch *w);

#endif
