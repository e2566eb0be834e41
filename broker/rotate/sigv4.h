/*
 * sigv4.h - AWS Signature Version 4 of one request.
 * Floor: rotate. Depends on: base/buf, base/secret, libsodium.
 *
 * Source: AWS, "Create a signed AWS API request" (IAM User Guide): the
 * canonical request, the string to sign, and the chain of HMACs from the secret
 * key by date, region and service. The path and the query are given in their
 * canonical form, and so are the headers: what is signed is what is sent, byte
 * for byte.
 *
 * Values in memory: derived keys are wiped; the secret key is borrowed.
 */
#ifndef AG_ROTATE_SIGV4_H
#define AG_ROTATE_SIGV4_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    SIGV4_DATE_BYTES = sizeof("20150830T123600Z"),
    SIGV4_SECRET_MAX_BYTES = 128,          /* AWS's are 40 */
    SIGV4_CANONICAL_MAX_BYTES = 32 * 1024, /* with a session token in it */
};

struct sigv4_field {
    const char *name;  /* lower case */
    struct span value; /* without blanks at its ends or twice within */
};

struct sigv4_request {
    const char *method;
    const char *path;                 /* encoded; "/" at least */
    const char *query;                /* encoded, sorted; "" for none */
    const struct sigv4_field *fields; /* sorted by name; with host and
                                         x-amz-date */
    size_t field_count;
    struct span body;
    const char *key_id;
    struct span secret_key;
    const char *region;
    const char *service;
    const char *date; /* as x-amz-date has it */
};

/* A wall clock as x-amz-date. */
AG_NONNULL void sigv4_date(int64_t wall_ms, char out[SIGV4_DATE_BYTES]);

/* Appends the value of the Authorization header. Errors: AG_EINVAL the secret
 * key's length; AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err sigv4_sign(const struct sigv4_request *request,
                                           struct buf *out);

#endif
