/*
 * shim.h - small scripts, first in PATH, that start a program as a task; and
 * the record of which program each of them means.
 * Floor: cli. Depends on: base/err, jansson.
 *
 * A directory of the vault's home has, for each NAME, the script NAME and the
 * record .NAME.json, both private. A record is an object:
 *   name     as typed
 *   path     where it was found in PATH; what is started
 *   real     the file that `path` leads to, links resolved
 *   hash     BLAKE2b-256 of that file's content, in hex
 *   seen     its device, inode, size and times when it was hashed, or "" where
 *            it was so young that a further change might not show in them
 *   options  words of `auth-guard run` before the command
 * What else the program loads (an interpreter, its modules) is not on record.
 *
 * Threads: one. Blocks: on the disk.
 */
#ifndef AG_CLI_SHIM_H
#define AG_CLI_SHIM_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"

struct buf;

enum {
    SHIM_NAME_MAX_BYTES = 64,
    /* The times of a file are as fine as the kernel's tick; a file that is
     * older than this can't be changed again within the same one. */
    SHIM_YOUNG_MS = 2000,
};

enum shim_state {
    SHIM_SAME,
    SHIM_CHANGED, /* another file, or another content */
    SHIM_GONE,    /* nothing at `path`, or it can't be read */
};

/* Text of the directory. Errors: AG_EINVAL too long. */
AG_CHECK AG_NONNULL enum ag_err shim_dir(const struct paths *paths,
                                         char out[PATH_BYTES]);

/* Opens it. Errors: AG_ENOTFOUND when there is none, and `make` is false;
 * AG_EMODE open to others; AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err shim_dir_open(const struct paths *paths,
                                              bool make, int *ret_fd);

/* May a shim be called so? Errors: AG_EUSAGE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err shim_name_check(const char *name);

/* ---- programs (shim_find.c) ---- */

/*
 * The record, without options, of the program that `path` (as $PATH) has for
 * `name`. Left out are relative places, the directory `dir_fd` and scripts
 * made here or for another vault.
 * Errors: AG_ENOTFOUND, AG_EDENIED it can't be read, AG_EIO, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err shim_find(int dir_fd, const char *name,
                                          const char *path, json_t **ret);

/* Is what the record says still there? */
AG_NONNULL enum shim_state shim_judge(const json_t *record);

/* $PATH without the directory, for what is started; the caller frees it.
 * Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err shim_path_without(int dir_fd, const char *path,
                                                  char **ret);

/* Does a shell with this $PATH find the directory before the place of
 * `program`? */
AG_NONNULL bool shim_is_first(int dir_fd, const char *path,
                              const char *program);

/* Does `path` hold a script of shim_write()? */
AG_NONNULL bool shim_is_one(const char *path);

/* ---- records and scripts (shim.c) ---- */

/*
 * Writes record and script; the script calls `program` (absolute) and, if
 * `home` is not NULL, names that vault. What was there is replaced.
 * Errors: AG_EIO, AG_ENOSPACE, AG_EDENIED, AG_ELIMIT, AG_ENOMEM.
 */
AG_CHECK enum ag_err shim_write(int dir_fd, const json_t *record,
                                const char *program, const char *home);

/* One word for a POSIX shell, appended. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err shim_add_quoted(struct buf *out,
                                                const char *text);

/* Errors: AG_ENOTFOUND; AG_EMODE open to others; AG_ECORRUPT. All with a
 * sentence that says what to type. */
AG_CHECK AG_NONNULL enum ag_err shim_read(int dir_fd, const char *name,
                                          json_t **ret);

/* Script first, then the record. Errors: AG_ENOTFOUND, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err shim_remove(int dir_fd, const char *name);

/* The names, sorted: array of texts. Errors: AG_EIO, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err shim_names(int dir_fd, json_t **ret);

#endif
