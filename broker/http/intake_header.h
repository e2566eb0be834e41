/*
 * intake_header.h - the headers that decide where a request ends and whose it
 * is; the rest of the strict machine is intake.c.
 * Floor: http. Depends on: http/intake.
 */
#ifndef AG_HTTP_INTAKE_HEADER_H
#define AG_HTTP_INTAKE_HEADER_H

#include "base/attr.h"
#include "base/err.h"
#include "http/intake.h"

/* The name is in in->text: settles which header it is. Errors: AG_EHTTP one of
 * the known ones comes twice. */
AG_CHECK AG_NONNULL enum ag_err intake_header_named(struct intake *in);

/* Whether the value's bytes must be gathered in in->text. */
AG_NONNULL bool intake_header_is_kept(const struct intake *in);

/* The value is whole. Errors: those of intake_feed(). */
AG_CHECK AG_NONNULL enum ag_err intake_header_ended(struct intake *in);

/* The head is whole: what it must have, and may not have together. */
AG_CHECK AG_NONNULL enum ag_err intake_head_ended(struct intake *in,
                                                  bool may_have_body);

#endif
