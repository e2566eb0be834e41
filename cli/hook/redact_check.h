/*
 * redact_check.h - `auth-guard redact --check`: says where secrets stand and
 * changes nothing.
 * Floor: cli. Depends on: hook/search, args.
 */
#ifndef AG_CLI_HOOK_REDACT_CHECK_H
#define AG_CLI_HOOK_REDACT_CHECK_H

#include "args.h"
#include "base/attr.h"
#include "base/err.h"
#include "formats.h"
#include "hook/search.h"

/*
 * Searches the files (none: stdin, as is "-"). Finds are told on stderr, one a
 * line, or with --json as an object on stdout; never a value. `format` says what
 * each is read as.
 * Errors: AG_EFOUND when something was found and told; AG_EINVAL, AG_ENOTFOUND,
 *         AG_EDENIED of a file; those of search_open() and search_text().
 */
AG_CHECK AG_NONNULL enum ag_err redact_check(struct cli *cli,
                                             const struct search_terms *terms,
                                             const struct format_wish *format,
                                             const struct args *args);

#endif
