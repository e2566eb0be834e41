/*
 * client.h - the broker's HTTP API over its Unix socket: small, strict,
 * bounded, with time limits. One connection, kept for several calls.
 * Floor: cli. Depends on: base, jansson.
 *
 * HTTP/1.1 as RFC 9112 with what our broker sends and nothing else: a status
 * line, headers, Content-Length. Anything else (chunked, two lengths, a head
 * beyond the cap) is AG_ECORRUPT and the connection is closed. Errors of the
 * broker come as problem+json and are turned into their enum ag_err and
 * sentence.
 */
#ifndef AG_CLI_CLIENT_H
#define AG_CLI_CLIENT_H

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct client;
struct secret;

enum {
    CLIENT_HEAD_MAX_BYTES = 16 * 1024,
    CLIENT_BODY_MAX_BYTES = 32 * 1024 * 1024, /* lists, an audit export page */
    CLIENT_PATH_MAX_BYTES = 2048,
    CLIENT_TIMEOUT_MS = 30 * 1000,
    CLIENT_SLOW_TIMEOUT_MS = 120 * 1000, /* key derivation on a busy machine */
};

struct client_request {
    const char *method;
    const char *path;                 /* encoded, starts with '/' */
    const char *token;                /* Authorization: Bearer, or NULL */
    const json_t *body;               /* or NULL */
    const struct secret *secret_body; /* JSON text with a value, or NULL */
    int64_t timeout_ms;               /* 0: CLIENT_TIMEOUT_MS */
};

/*
 * Connects to `socket_path` and checks that the other end runs as this user or
 * root (SO_PEERCRED), so that nobody else is ever sent a passphrase.
 * Ownership: on AG_OK *ret is the caller's, closed by client_close().
 * Errors: AG_ENOBROKER, AG_EDENIED with a sentence, AG_EINVAL, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err client_open(const char *socket_path,
                                            struct client **ret);
void client_close(struct client *c);
AG_DEFINE_CLEANUP(client, client_close)

/*
 * One request and its answer. A connection the broker has closed while idle is
 * opened anew once.
 * Errors: AG_ENOBROKER, AG_ETIMEOUT, AG_ECORRUPT, AG_ELIMIT, AG_ENOMEM, and
 *         what the broker said. Blocks: up to the time limit.
 */
AG_CHECK enum ag_err client_call(struct client *c,
                                 const struct client_request *rq, json_t **ret);

/* The same; the answer's body, whatever it is, is appended to `out`. */
AG_CHECK AG_NONNULL enum ag_err
client_call_text(struct client *c, const struct client_request *rq,
                 struct buf *out);

/* The same; the answer's text stays in locked memory from the socket on. */
AG_CHECK enum ag_err client_call_secret(struct client *c,
                                        const struct client_request *rq,
                                        struct secret **ret);

/*
 * Appends path pieces to `out`: each %s of fmt is replaced by the next argument
 * percent-encoded as one segment or query value ('/' is %2F).
 * `client_path(&b, "/v1/secrets/%s/value?field=%s", name, field)`.
 */
AG_CHECK enum ag_err client_path(struct buf *out, const char *fmt, ...);

#endif
