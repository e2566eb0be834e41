/*
 * intake_proxy.h - requests of a client that takes us for its proxy: absolute
 * targets, and a Host that must be the target's; the rest of the strict machine
 * is intake.c.
 * Floor: http. Depends on: http/intake.
 */
#ifndef AG_HTTP_INTAKE_PROXY_H
#define AG_HTTP_INTAKE_PROXY_H

#include "base/attr.h"
#include "base/err.h"
#include "http/intake.h"

/* One byte of INTAKE_SCHEME. Errors: AG_EHTTP. */
AG_CHECK AG_NONNULL enum ag_err intake_scheme_byte(struct intake *in,
                                                   uint8_t c);

/* One byte of INTAKE_AUTHORITY but the '/' behind it. Errors: AG_EHTTP. */
AG_CHECK AG_NONNULL enum ag_err intake_authority_byte(struct intake *in,
                                                      uint8_t c);

/* in->text is a Host: it must be in->authority, but for the usual port. Errors:
 * AG_EHTTP. */
AG_CHECK AG_NONNULL enum ag_err intake_settle_authority(struct intake *in);

#endif
