/*
 * gitconf.h - configuration files of git, as far as it must be known which
 * programs they name.
 * Floor: cli/run. Depends on: base, run/view. Source: git-config(1), "Syntax" and
 * "Variables".
 */
#ifndef AG_CLI_RUN_GITCONF_H
#define AG_CLI_RUN_GITCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    GITCONF_FILE_MAX_BYTES = 256 * 1024,
    GITCONF_LINE_MAX_BYTES = 1024,
    GITCONF_DIGEST_BYTES = 32,
};

/*
 * One setting: `key` is SECTION.NAME in small letters, without the subsection.
 * Borrowed for the call. Lines of more than GITCONF_LINE_MAX_BYTES and such as
 * only git can tell what they say have the key "" and are the value, as far as
 * they have room.
 */
typedef void (*gitconf_each_fn)(void *arg, const char *key, const char *value);

/* Every setting of the file. False: there is no plain file that can be read
 * whole. */
AG_CHECK bool gitconf_each(int dir_fd, const char *path, gitconf_each_fn each,
                           void *arg);

/* What a file holds that may name a program or more configuration. */
enum gitconf_kind {
    GITCONF_HARMLESS, /* only what git itself writes for a new repository */
    GITCONF_NAMES,    /* more: `digest` is of that, and of nothing else */
    GITCONF_DARK,     /* it can't be told */
};

struct gitconf_facts {
    enum gitconf_kind kind;
    uint8_t digest[GITCONF_DIGEST_BYTES];
};

AG_NONNULL void gitconf_look(int dir_fd, const char *path,
                             struct gitconf_facts *ret);

/*
 * Where a setting of the configuration of the working tree's own repository
 * leads: more configuration, or a directory of hooks, if it lies in the tree
 * and is there; else NULL. The caller's. `dir` is that of the file it is in.
 */
AG_CHECK char *gitconf_leads_to(const char *key, const char *value,
                                const char *dir, const char *tree);

#endif
