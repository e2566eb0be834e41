/*
 * oauth2_impl.h - what the two halves of oauth2.h share.
 * Floor: rotate, and only this folder includes it.
 */
#ifndef AG_ROTATE_OAUTH2_IMPL_H
#define AG_ROTATE_OAUTH2_IMPL_H

#include "base/attr.h"
#include "rotate/oauth2.h"

/* Out of memory: it may go better another time. */
bool oauth2_is_memory(enum ag_err err);

/* Visible ASCII, since it goes into bodies and headers, and not too long. */
bool oauth2_is_token(struct span text);

/* RFC 3986: stands for itself in a form. */
bool oauth2_is_unreserved(uint8_t c);

#endif
