/*
 * given.h - what libmicrohttpd has read of a request, as the dispatcher wants
 * it.
 * Floor: http. Depends on: http/dispatch, libmicrohttpd.
 */
#ifndef AG_HTTP_GIVEN_H
#define AG_HTTP_GIVEN_H

#include <microhttpd.h>

#include "base/attr.h"

struct dispatch_input;

/* MHD shows its own memory as const; what held a secret is wiped in place. */
AG_NONNULL void given_wipe(const char *text, size_t len);

/* The credentials of the request; the text they stand in, or NULL. */
AG_NONNULL const char *given_token(struct MHD_Connection *mhd,
                                   struct dispatch_input *in);

/* An iterator of MHD's: one argument into the dispatch_input that `cls` is. */
enum MHD_Result given_query(void *cls, enum MHD_ValueKind kind, const char *key,
                            size_t key_size, const char *value,
                            size_t value_size);

#endif
