/*
 * oauth2.h - the refresh of a login as RFC 6749 section 6 has it, without the
 * wire: what to send, and what an answer makes of the stored value.
 * Floor: rotate. Depends on: profile/profile, profile/leaf, wire/json.
 *
 * All that differs between services is data of the profile: body form, client,
 * where the tokens stand in the value, which error codes are for good. A
 * service may answer an error as {"error": CODE}, {"error": {"code": CODE}} or
 * {"code": CODE}.
 *
 * Values are in locked memory; for a moment, copies are in wiped buffers and in
 * jansson's tree, which is wiped too.
 *
 * Threads: all of it is safe; nothing is shared. Blocks: no.
 */
#ifndef AG_ROTATE_OAUTH2_H
#define AG_ROTATE_OAUTH2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct secret;

enum {
    OAUTH2_ANSWER_MAX_BYTES = 64 * 1024, /* three tokens, with room */
    OAUTH2_TOKEN_MAX_BYTES = 16 * 1024,
    OAUTH2_CODE_BYTES = 64, /* an error's code, with its NUL */
    OAUTH2_RETRY_MAX_MS = 3600 * 1000,
};

/* https://HOST[:PORT]/PATH apart; borrowed from the text. */
struct oauth2_url {
    struct span authority; /* host, and a port but the usual; lower case */
    struct span host;
    uint16_t port; /* 0: the usual one */
    struct span path;
};

/* Errors: AG_EINVAL with a sentence: another scheme, user, query or fragment,
 * upper case. */
AG_CHECK AG_NONNULL enum ag_err oauth2_url_read(const char *url,
                                                struct oauth2_url *ret);

/* A login: the stored value, and how its profile says it is read. */
struct oauth2_login {
    const struct profile_refresh *refresh;
    enum file_format format;
    struct span content;
};

/* Is there something to refresh, and something to refresh it with? Errors:
 * AG_ENOTFOUND with a sentence: this value has no such tokens (an API key in
 * the same file); AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err oauth2_check(const struct oauth2_login *login);

/* When the access token ends (wall clock). Errors: AG_ENOTFOUND it is not said,
 * or can't be read; AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err oauth2_expiry(const struct oauth2_login *login,
                                              int64_t *ret_ms);

/*
 * The body to send, and its media type (static).
 * Ownership: *ret is the caller's.
 * Errors: AG_ENOTFOUND as above; AG_EINVAL a token that is not of visible
 *         ASCII; AG_ELIMIT; AG_EMEMLOCK, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err oauth2_body(const struct oauth2_login *login,
                                            struct secret **ret);
AG_CHECK AG_NONNULL const char *
oauth2_media(const struct profile_refresh *refresh);

#define OAUTH2_UNUSABLE "unusable_answer"

enum oauth2_outcome {
    OAUTH2_FRESH,  /* `content` is the value with its new tokens */
    OAUTH2_DENIED, /* for good: `code` is one of the profile's, or
                      OAUTH2_UNUSABLE: there were tokens, of no good form */
    OAUTH2_LATER,  /* try again; not before `retry_after_ms` if that is not 0 */
};

/* An answer as it came. */
struct oauth2_answer {
    int status;
    struct span body;
    struct span retry_after; /* the header, or empty */
    int64_t now_ms;          /* wall clock: when it came */
};

struct oauth2_result {
    enum oauth2_outcome outcome;
    struct secret *content;
    int64_t retry_after_ms;
    char code[OAUTH2_CODE_BYTES]; /* a word for the record; never a value */
};

void oauth2_result_done(struct oauth2_result *result);
AG_DEFINE_CLEANUP_INPLACE(oauth2_result, oauth2_result_done)

/*
 * Reads an answer. What is not an answer at all is OAUTH2_LATER, what is one that
 * can't be used OAUTH2_DENIED. *ret is {0}
 * before, and given back with oauth2_result_done().
 * Errors: AG_EMEMLOCK, AG_ENOMEM: the tokens of a good answer are not lost, it
 *         may be read again (then the outcome is OAUTH2_FRESH, without
 *         content); AG_ELIMIT the value got too long.
 */
AG_CHECK AG_NONNULL enum ag_err oauth2_read(const struct oauth2_login *login,
                                            const struct oauth2_answer *answer,
                                            struct oauth2_result *ret);

#endif
