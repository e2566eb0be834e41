/*
 * sarif.h - finds in the format that code scanning services take: SARIF 2.1.0
 * (OASIS).
 * Floor: cli. Depends on: jansson.
 *
 * Paths below the working directory are relative to it, others are file: URIs.
 * Columns are left out: ours count bytes.
 */
#ifndef AG_CLI_SARIF_H
#define AG_CLI_SARIF_H

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct sarif_find {
    const char *rule;  /* its id */
    const char *about; /* of the rule, a sentence */
    const char *level; /* error, warning, note */
    const char *text;  /* what was found, a sentence; never a value */
    const char *path;
    uint64_t line; /* 0: the whole file */
};

/* Rows for sarif_write(), appended to an array. Errors: AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err sarif_add(json_t *rows,
                                          const struct sarif_find *find);

/* The whole log, as report_write(). Errors: those of write(2); AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err sarif_write(const json_t *rows, int fd);

#endif
