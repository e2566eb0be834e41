/*
 * scan.h - finds one member of a JSON object in place, so that its value never
 * leaves the memory it lies in.
 * Floor: cli. Depends on: base/span, base/err.
 */
#ifndef AG_CLI_SCAN_H
#define AG_CLI_SCAN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/*
 * The text of the string value of the top-level member `name`, quotes included.
 * Names with escapes never match; the value of another member is passed over
 * whole. Errors: AG_ECORRUPT when it is not there, twice there, not a string,
 * or the text is not an object.
 */
AG_CHECK AG_NONNULL enum ag_err scan_member(struct span object,
                                            const char *name, struct span *ret);

/* Unescapes a string with its quotes into `to` (raw.len bytes are enough).
 * Errors: AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err scan_string(struct span raw, uint8_t *to,
                                            size_t *ret_len);

#endif
