/*
 * answer.h - a service's answer on its way to the task: its head anew, its body
 * through the filter.
 * Floor: proxy. Depends on: proxy/decode, proxy/proxy, proxy/sieve,
 *           upstream/upstream.
 *
 * The filter has the form that answers no guesses (redact/redactor.h,
 * REDACTOR_TASK): whole values only, let out at the end of a line. A length
 * that the service told is kept: the marker is shorter than any value, and the
 * rest is made up by line ends behind the body. An answer that is encoded all
 * the same (nothing is asked for) is decoded and goes on without coding.
 */
#ifndef AG_PROXY_ANSWER_H
#define AG_PROXY_ANSWER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "policy/request.h"
#include "proxy/decode.h"

struct matcher;
struct redactor;
struct upstream_head;

enum {
    ANSWER_FIELDS_MAX_COUNT = 256,
    ANSWER_HEAD_MAX_BYTES = 160 * 1024,
    ANSWER_ETAG_MAX_BYTES = 256, /* a longer one of an encoded answer is left
                                    out */
};

/* The head as the client gets it. */
struct proxy_head {
    struct request_field *fields; /* room for the service's, owned */
    size_t field_count;
    int64_t body_bytes;               /* or PROXY_BODY_CHUNKED */
    struct decode_codings codings;    /* to be undone, decode.h */
    char etag[ANSWER_ETAG_MAX_BYTES]; /* of what was encoded, weakened */
    struct buf text;                  /* of all */
    struct buf changed;               /* of values that had to be */
};

void proxy_head_done(struct proxy_head *head);
AG_DEFINE_CLEANUP_INPLACE(proxy_head, proxy_head_done)

/*
 * Leaves out the fields of one connection, Content-Length (*ret->body_bytes
 * has it) and fields with a value in their name, and puts the marker for values
 * elsewhere. With codings Content-Encoding, lengths and digests of what was
 * encoded stay behind too, and ETag becomes a weak one (RFC 9110 section 8.8.1):
 * other bytes go on than it was given to. Texts are *ret's own. `sieve` (sieve.h) is used, and can be begun
 * anew afterwards. *ret is {0} before.
 * A reason phrase is not passed on, nor are trailers: by then the client has
 * its answer, and no agent's tool wants them.
 * Errors: AG_EENCODED a Content-Encoding that can't be undone, a
 *         Transfer-Encoding but chunked, or a value over several fields;
 *         AG_EPARTIAL 206, 226, 416; AG_EUPSTREAM two lengths, or one and
 *         chunks; AG_ELIMIT,
 *         AG_ENOMEM, AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err answer_head(const struct upstream_head *head,
                                            const struct matcher *filter,
                                            struct redactor *sieve,
                                            struct proxy_head *ret);

#endif
