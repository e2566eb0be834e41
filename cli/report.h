/*
 * report.h - a file that a verb writes its report to.
 * Floor: cli. Depends on: base, jansson.
 */
#ifndef AG_CLI_REPORT_H
#define AG_CLI_REPORT_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * Before anything is done: a report that can't be written is said while nothing
 * has happened. What stands in the file stays until report_write().
 * Errors: AG_EUSAGE "-" is no file; those of open(2), with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err report_open(const char *path, int *ret_fd);

/* `report` is taken; NULL, that there was no memory for it, is AG_ENOMEM. */
AG_CHECK enum ag_err report_write(int fd, json_t *report);

#endif
