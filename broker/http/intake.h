/*
 * intake.h - the strict reading of HTTP/1.1 requests: a machine that sees every
 * byte of a connection before libmicrohttpd does and refuses what is malformed
 * or ambiguous. It keeps no request, only where it is in one.
 * Floor: http. Depends on: http/limits.
 *
 * Source: RFC 9112 sections 2-6, read strictly: CRLF line ends only, no folded
 * lines, no empty line before a request, origin-form targets only (absolute-form
 * where a client takes us for its proxy, intake_proxy.h), HTTP/1.1 only, a body
 * only by one Content-Length or, where it is passed on (pass.h), in chunks
 * without extensions and trailers. What libmicrohttpd 0.9.75 would let through
 * is refused here: bare LF, NUL and control bytes, a blank before the colon,
 * doubled Host, Content-Length or credentials, other Transfer-Encodings,
 * CONNECT, absolute-form elsewhere, %00.
 */
#ifndef AG_HTTP_INTAKE_H
#define AG_HTTP_INTAKE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "http/limits.h"

enum intake_state {
    INTAKE_METHOD, /* also: between two requests, when no byte came yet */
    INTAKE_SCHEME, /* of an absolute target: "http://" */
    INTAKE_AUTHORITY,
    INTAKE_TARGET,
    INTAKE_VERSION,
    INTAKE_LINE_LF, /* after the CR of a line */
    INTAKE_LINE,    /* at the start of a header line or of the last line */
    INTAKE_NAME,
    INTAKE_BLANKS, /* between colon and value */
    INTAKE_VALUE,
    INTAKE_HEAD_LF, /* after the CR of the empty line */
    INTAKE_BODY,
    INTAKE_CHUNK_SIZE, /* of a request that is passed on (pass.h) */
    INTAKE_CHUNK_LF,   /* after the CR of its line */
    INTAKE_CHUNK,
    INTAKE_CHUNK_CR, /* behind its bytes */
    INTAKE_CHUNK_END,
    INTAKE_LAST_CR, /* the empty line behind the last chunk: no trailers */
    INTAKE_LAST_LF,
    INTAKE_REFUSED,
};

/* What the targets of a connection look like. */
enum intake_form {
    INTAKE_ORIGIN,
    INTAKE_ABSOLUTE, /* http://HOST[:PORT]/…: of a client's proxy */
    INTAKE_FOR_ONE,  /* origin, and every Host is that of the connection */
};

/* Written by intake_* only. */
struct intake {
    enum intake_form form;
    enum intake_state state;
    bool may_pass; /* the socket serves /p/ and /t/ (pass.h) */
    bool passes;   /* this request is one of them: its body has no limit */
    bool chunked;
    uint16_t port; /* Host must be loopback with this port; 0: any Host */
    size_t head_bytes;
    size_t part_bytes; /* of the token, target, name or value under way */
    size_t header_count;
    unsigned int escape_left;  /* hex digits due after a '%' */
    unsigned int escape_value; /* their value so far */
    unsigned int header;       /* index into the known headers, or none */
    unsigned int seen;         /* bits of known headers of this request */
    unsigned int method_flags; /* what the method may not have */
    uint64_t body_left;
    uint64_t body_bytes;                /* Content-Length, 0 without */
    char text[HTTP_HOST_MAX_BYTES + 1]; /* the part, where it is looked at */
    /* Whom the request, or with INTAKE_FOR_ONE the connection, is for. */
    char authority[HTTP_HOST_MAX_BYTES + 1];
};

/* `port` as above: given for TCP, 0 for Unix sockets. */
AG_NONNULL void intake_init(struct intake *in, uint16_t port);

/* Of a client that takes us for its proxy: every request is passed on. NULL:
 * its targets are absolute; else all are for HOST or HOST:PORT. */
void intake_init_proxy(struct intake *in, const char *authority);

/*
 * Takes the next bytes. *ret_whole (also on error) is the length of the prefix
 * that ends with the last whole request in `bytes`, 0 if none ends there;
 * *ret_ended how many end there.
 * Errors: AG_EHTTP malformed, AG_EHEAD head or target too large, AG_ELENGTH
 *         a Transfer-Encoding, AG_EMEDIA a Content-Encoding, AG_ELIMIT body
 *         too large, AG_EMETHOD CONNECT, AG_EDENIED wrong Host on TCP, AG_EHTTP
 *         one that is not the target's; each with a sentence. The machine then
 *         stays refused.
 * Any chunking of the same bytes gives the same result. Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err intake_feed(struct intake *in,
                                            struct span bytes,
                                            size_t *ret_whole,
                                            size_t *ret_ended);

/* Whether a request has begun and is not whole yet. */
AG_NONNULL bool intake_is_midway(const struct intake *in);

#endif
