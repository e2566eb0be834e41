/*
 * request.h - whether a request may carry a value, and where in it: pure
 * decisions on texts, without keys, clock or database.
 * Floor: policy. Depends on: policy/places.
 *
 * Each rule has its own failure, so that a refusal says which one it was.
 */
#ifndef AG_POLICY_REQUEST_H
#define AG_POLICY_REQUEST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/places.h"

enum {
    REQUEST_FIELDS_MAX_COUNT = 64,
    REQUEST_FOUND_MAX_BYTES = 16 * 1024, /* a text where a value may stand */
};

/* How a request came to the proxy. */
enum request_via {
    REQUEST_REVERSE,     /* by an address of the broker's: /p/SERVICE/… */
    REQUEST_PLAIN,       /* to its proxy, http://HOST/… */
    REQUEST_INTERCEPTED, /* to its proxy, in TLS that ends here */
};

struct request_field {
    struct span name;
    struct span value;
};

/* A request as it came, apart. `host` is the one it is for, from the service's
 * name; path begins with '/'; query has no '?'. */
struct request_ask {
    struct span host;
    struct span method;
    struct span path;
    struct span query;
    const struct request_field *fields;
    size_t field_count;
    struct span body;  /* whole, or empty: none, or not there yet */
    bool body_follows; /* it is not there yet */
};

/*
 * A path has one spelling only: what another server could read otherwise is
 * refused. Errors: AG_ETARGET an escaped '/', '.', '\' or '%', a segment of
 * one or two dots, an empty segment but the last, a backslash, a ';', UTF-8 in
 * more bytes than it needs.
 */
AG_CHECK enum ag_err request_check_path(struct span path);

/* May this place be used by this request, as far as host, method and path say?
 * Errors: AG_EHOST, AG_EVERB, AG_EPATH, in this order. */
AG_CHECK AG_NONNULL enum ag_err request_allows(const struct place *place,
                                               const struct request_ask *ask);

/* What stands at a place of a request. */
struct request_found {
    bool there;
    size_t field;      /* the header's index (header, basic) */
    size_t at;         /* of the value, in the query or the body */
    size_t len;        /* of the value as it is spelled there */
    struct span value; /* where the value may stand, decoded; in `text` or the
                          request */
    struct buf text;
};

void request_found_done(struct request_found *found);
AG_DEFINE_CLEANUP_INPLACE(request_found, request_found_done)

/* The text at the place; !there when the request has none of that form. *ret
 * is {0} before. A field of a body is there if that is whole, JSON, and said to
 * be. Errors: AG_EPLACE the header, parameter or field stands there twice;
 * AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err request_look(const struct place *place,
                                             const struct request_ask *ask,
                                             struct request_found *ret);

/* The same for a place in a body; its `text` is set up. */
AG_CHECK AG_NONNULL enum ag_err request_look_body(const struct place *place,
                                                  const struct request_ask *ask,
                                                  struct request_found *ret);

/* The part of `text` that `{}` of the format stands for. Letters of the scheme
 * may be of either case, as RFC 9110 has it. */
AG_NONNULL bool request_unwrap(const char *format, struct span text,
                               struct span *ret);

/* Case-insensitive, as names of headers are. */
bool request_name_is(struct span name, const char *wanted);

/* Is it how a token of the broker's is shown: `Authorization: Bearer agt_…`,
 * `X-Vault-Token`? None of these is sent on. */
AG_NONNULL bool request_is_own_token(const struct request_field *field);

/* Is `name` one of the words of a list such as "close, X-Private"? */
bool request_list_names(struct span list, struct span name);

#endif
