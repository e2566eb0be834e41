/*
 * service.h - one HTTP request to a service, waited for: what rotators and
 * minters talk to their providers by.
 * Floor: rotate. Depends on: upstream/upstream, rotate/rotator, base/secret.
 *
 * From a thread that may block; the call itself runs on the upstream's own. The
 * guard of addresses stays on: the machine itself and inner networks are reached
 * only where a rule names the service's address. Nothing is tried a second time
 * here: whether a request had its effect is the provider's to say.
 */
#ifndef AG_ROTATE_SERVICE_H
#define AG_ROTATE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "rotate/rotator.h"
#include "upstream/guard.h"
#include "upstream/upstream.h"

struct secret;

enum {
    SERVICE_URL_MAX_BYTES = 512,
    SERVICE_PATH_BYTES = 256,
    SERVICE_ANSWER_MAX_BYTES = 64 * 1024, /* a token of some KiB, with room */
    SERVICE_LIMIT_MS = 10 * 1000,         /* a request, all of it */
};

/* Where a service is. */
struct service_base {
    char host[GUARD_HOST_MAX_BYTES + 3];
    char authority[GUARD_AUTHORITY_BYTES]; /* as the Host header has it */
    char path[SERVICE_PATH_BYTES]; /* before every target; no '/' last */
    uint16_t port;
    bool plain; /* http */
    bool inner; /* named by a rule: it may be an inner address */
};

/*
 * https://HOST[:PORT][/PATH]; http only for an address of the machine itself.
 * `named`: the rule says it, it is not ours.
 * Errors: AG_EINVAL with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err service_base_read(const char *url, bool named,
                                                  struct service_base *ret);

struct service_request {
    const struct service_base *base;
    const char *method;
    const char *target; /* behind the base's path; begins with '/' */
    const struct upstream_field *fields;
    size_t field_count;
    struct span body; /* empty: none */
    uint32_t owner;   /* service_owner(): who may share a connection */
};

enum service_end {
    SERVICE_ANSWERED,
    SERVICE_NOT_SENT, /* no connection: the service knows nothing of it */
    SERVICE_LOST,     /* it may have had its effect */
};

/* In place; {0} before. */
struct service_answer {
    enum service_end end;
    enum ag_err why; /* of an end without an answer */
    int status;
    struct secret *body; /* of an answer; may be empty */
    bool is_limited; /* it says when to try again, or that a limit is used up */
    int64_t date_ms; /* the service's clock by its Date header; 0: not said */
};

void service_answer_done(struct service_answer *answer);
AG_DEFINE_CLEANUP_INPLACE(service_answer, service_answer_done)

/* Whose connections these are, by the credential: never a task's, nor those of
 * another credential. Public: a keyed hash of it. */
AG_NONNULL uint32_t service_owner(const struct secret *credential);

/*
 * Blocks, SERVICE_LIMIT_MS at most.
 * Errors: only what is wrong with us: AG_EINVAL the request is not one;
 *         AG_ENOMEM, AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err
service_call(struct upstream *upstream, const struct service_request *request,
             struct service_answer *ret);

/*
 * What an answer means by its status alone, with a code for the record: 200,
 * 201 and 204 are done; 429 and 503 later, as what was never sent; other 4xx
 * refused, but 403 later with a limit that is used up; all else unsure, since a service that fails may have done it.
 */
AG_NONNULL enum rotator_outcome
service_outcome(const struct service_answer *answer,
                char code[ROTATOR_CODE_BYTES]);

#endif
