/*
 * aws.h - calls of AWS's query services (IAM, STS): signed, sent, and what came
 * back, for the rotator of access keys and the minter of sessions.
 * Floor: rotate, and only this folder includes it. Depends on: rotate/service,
 * rotate/sigv4, rotate/xml, profile/fields.
 *
 * Source: AWS, IAM API reference 2010-05-08 and STS API reference 2011-06-15
 * (form in, XML out; common errors).
 *
 * Values in memory: keys and answers are in locked memory; the signature and
 * the headers for the time of the call, in buffers that are wiped.
 */
#ifndef AG_ROTATE_AWS_H
#define AG_ROTATE_AWS_H

#include <jansson.h>

#include "profile/profile.h"
#include "rotate/rotator.h"
#include "rotate/service.h"

struct buf;
struct secret;

enum {
    AWS_KEY_ID_BYTES = 129, /* 16 to 128 characters, with its NUL */
    AWS_REGION_BYTES = 33,
    AWS_FORM_MAX_BYTES = 16 * 1024,
};

/* ---- keys, as they are stored ---- */

/*
 * An access key: a JSON object as credential_process gives it
 * ({"AccessKeyId", "SecretAccessKey", "SessionToken"?}), or a file of
 * credentials as ~/.aws/credentials is, and there the section of the parameters.
 * In place; {0} before.
 */
struct aws_key {
    char id[AWS_KEY_ID_BYTES];
    struct secret *secret;
    struct secret *token; /* NULL: none */
};

void aws_key_done(struct aws_key *key);
AG_DEFINE_CLEANUP_INPLACE(aws_key, aws_key_done)

/* `section` may be NULL: default. Errors: AG_EINVAL it is none; AG_EMEMLOCK,
 * AG_ENOMEM. */
AG_CHECK enum ag_err aws_key_read(const struct secret *value,
                                  const char *section, struct aws_key *ret);

/* The stored value with another key in its place, all else byte for byte.
 * Errors: as above; AG_ELIMIT. */
AG_CHECK enum ag_err aws_key_replace(const struct secret *value,
                                     const char *section, const char *id,
                                     struct span secret, struct secret **ret);

/* The parameter `section`. Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err aws_section_check(const json_t *section);

/* ---- where: the parameters `region` and `endpoint` ---- */

enum aws_service {
    AWS_IAM, /* one for all regions of a partition */
    AWS_STS,
};

struct aws_site {
    struct service_base base;
    char region[AWS_REGION_BYTES]; /* that of the signature */
    enum aws_service service;
};

/* Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err aws_site_of(const json_t *params,
                                            enum aws_service service,
                                            struct aws_site *ret);

/* ---- calls ---- */

/* Appends NAME=VALUE, percent-encoded, with & where it is not the first. */
AG_CHECK AG_NONNULL enum ag_err aws_form_add(struct buf *form, const char *name,
                                             const char *value);

/* In place; {0} before. `outcome` and `code` as a rotator's answer has them:
 * done only with that action's answer, whole. */
struct aws_answer {
    enum rotator_outcome outcome;
    char code[ROTATOR_CODE_BYTES];
    struct service_answer http;
};

void aws_answer_done(struct aws_answer *answer);
AG_DEFINE_CLEANUP_INPLACE(aws_answer, aws_answer_done)

/* `form` has the action and all else. Blocks. Errors: AG_ENOMEM, AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err aws_call(struct upstream *upstream,
                                         const struct aws_site *site,
                                         const struct aws_key *key,
                                         const char *action, struct span form,
                                         struct aws_answer *ret);

/* The text at a path of a done answer. Errors: AG_ENOTFOUND, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err aws_text(const struct aws_answer *answer,
                                         const char *path, size_t nth,
                                         struct span *ret);

#endif
