/*
 * leaves.h - the texts in what an agent tells: all strings of a JSON value.
 * Floor: cli. Depends on: hook/added, redaction, jansson.
 */
#ifndef AG_CLI_HOOK_LEAVES_H
#define AG_CLI_HOOK_LEAVES_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct added;
struct buf;
struct redaction;

/* In the place of a string of which nothing can be said. */
#define LEAVES_WITHHELD "[withheld by auth-guard]"

enum {
    LEAVES_DEPTH_MAX = 32,
    LEAVES_MAX_COUNT = 10000, /* more is no answer of a tool */
};

/*
 * All strings of `value`, each as a text that is called by its member. Left out
 * is what is on its way out: members "old_string", and of a patch ("*** Begin
 * Patch") the lines that it does not add.
 * Errors: AG_ELIMIT; those of added_text().
 */
AG_CHECK AG_NONNULL enum ag_err leaves_gather(const json_t *value,
                                              struct added *to);

/* The same value with every string redacted, which leaves_gather() took before;
 * with `r` NULL each is withheld, whatever is in it, but for the short words
 * that say of what shape the rest is (type, mode, a media type). The caller's.
 * Errors: those of redaction_run(); AG_ELIMIT, AG_ENOMEM. */
AG_CHECK enum ag_err leaves_redact(const json_t *value, struct redaction *r,
                                   json_t **ret);

/* Its strings as one text, appended. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err leaves_join(const json_t *value,
                                            struct buf *out);

#endif
