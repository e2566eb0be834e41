/*
 * render_file.h - the file that `render` keeps: replaced whole, or left alone.
 * Floor: cli. Depends on: base/secret.
 */
#ifndef AG_CLI_RENDER_FILE_H
#define AG_CLI_RENDER_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct secret;

/*
 * Puts `content` at `path`: a new file beside it (0600; mode and owner of the
 * one that is there), synced, renamed over it, the directory synced. What a kill
 * left beside it goes first. *ret_changed: false when it had that content.
 * Errors: AG_EFILE with a sentence: a link, no file, not to be written; nothing
 *         is changed then.
 */
AG_CHECK AG_NONNULL enum ag_err
render_file(const char *path, const struct secret *content, bool *ret_changed);

#endif
