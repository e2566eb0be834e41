/*
 * printset.h - a file of fingerprints (redact/prints.h), read.
 * Floor: cli. Depends on: redact/prints, base/fsx.
 */
#ifndef AG_CLI_PRINTSET_H
#define AG_CLI_PRINTSET_H

#include "base/attr.h"
#include "base/err.h"
#include "redact/prints.h"

/* Errors: with a sentence that names the file; those of prints_load(), of
 * opening and reading it, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err printset_read(const char *path,
                                              struct prints **ret);

/* Writes one: whole or not at all, private. Errors: with a sentence. */
AG_CHECK AG_NONNULL enum ag_err printset_write(const char *path,
                                               struct span file);

#endif
