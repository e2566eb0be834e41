/*
 * guard.h - which addresses a call may reach: the machine itself, its networks
 * and its cloud's metadata service only where a grant says so.
 * Floor: upstream. Depends on: base/err, base/span.
 *
 * Judged is the address a socket is about to be connected to, not the name, so
 * a name that resolves differently the second time gains nothing. An IPv6
 * address that carries an IPv4 one is judged by what it carries. Source: the
 * IANA special-purpose registries (RFC 6890), RFC 4291, 6052, 3056, 4380,
 * 5214; metadata addresses as the clouds document them.
 */
#ifndef AG_UPSTREAM_GUARD_H
#define AG_UPSTREAM_GUARD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct sockaddr;

/* Which rule an address falls under. */
enum guard_rule {
    GUARD_PUBLIC,
    /* for a host that a grant names as an inner one (GUARD_MAY_INNER) */
    GUARD_LOOPBACK,
    GUARD_PRIVATE, /* RFC 1918, unique local, site-local, local NAT64 */
    GUARD_SHARED,  /* carrier-grade NAT, RFC 6598 */
    GUARD_BENCHMARK,
    /* only as an address that a grant names itself (GUARD_MAY_NAMED) */
    GUARD_LINK_LOCAL,
    GUARD_METADATA,
    /* never: nothing to call is there */
    GUARD_UNSPECIFIED, /* 0.0.0.0/8 and ::, which the kernel takes for itself */
    GUARD_MULTICAST,
    GUARD_RESERVED, /* broadcast, 240/4, documentation, not IP */
};

enum guard_may {
    GUARD_MAY_PUBLIC, /* nothing but public addresses */
    GUARD_MAY_INNER,  /* the grant names this host and says that it is inside */
    GUARD_MAY_NAMED,  /* the same, and the host is the address itself */
};

enum {
    GUARD_HOST_MAX_BYTES = 255,
    GUARD_TEXT_BYTES = 64, /* an address as text, with its NUL */
};

/* The rule's words, for sentences: "is a loopback address". Static. */
const char *guard_says(enum guard_rule rule);

/* Threads: safe. Anything but IPv4 and IPv6 is GUARD_RESERVED. */
AG_NONNULL enum guard_rule guard_judge(const struct sockaddr *address,
                                       size_t len);

/* May an address under `rule` be called by whom that is allowed? */
bool guard_allows(enum guard_rule rule, enum guard_may may);

/* The address as text without its port; "?" for what is none. */
AG_NONNULL void guard_text(const struct sockaddr *address, size_t len,
                           char out[GUARD_TEXT_BYTES]);

/* A host as it may stand in a request: lower case, brackets kept. */
struct guard_host {
    char text[GUARD_HOST_MAX_BYTES + 3]; /* room for [] and NUL */
    bool is_address;
    enum guard_rule rule; /* of the address; GUARD_PUBLIC for a name */
};

/*
 * Reads a host: a name of letters, digits, '-', '_' and '.', a dotted quad, or
 * an IPv6 address, with or without brackets.
 * Errors: AG_EINVAL   not a host (empty, too long, other bytes, empty label,
 *                     a zone, a final dot);
 *         AG_EADDRESS an address in a spelling that others may read otherwise
 *                     (0x7f.1, 2130706433, 010.0.0.1); with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err guard_read_host(struct span host,
                                                struct guard_host *ret);

/*
 * HOST[:PORT], the host as above but an IPv6 address in brackets; *ret_port is
 * 0 without one. Errors: as above; AG_EINVAL a port that is none.
 */
AG_CHECK AG_NONNULL enum ag_err guard_read_authority(struct span text,
                                                     struct guard_host *ret,
                                                     uint16_t *ret_port);

/* "host" where `port` is the usual one, else "host:port": the spelling of a
 * grant. */
enum {
    GUARD_AUTHORITY_BYTES = GUARD_HOST_MAX_BYTES + 3 + 6,
};

/*
 * The one spelling of an authority by which places, grants and addresses are
 * compared: lower case, an address as it is written shortest, no port that is
 * the usual one. Errors: those of guard_read_authority(); *out as it was.
 */
AG_CHECK AG_NONNULL enum ag_err
guard_authority_key(struct span text, uint16_t usual,
                    char out[GUARD_AUTHORITY_BYTES]);

AG_NONNULL void guard_write_authority(const struct guard_host *host,
                                      uint16_t port, uint16_t usual,
                                      char out[GUARD_AUTHORITY_BYTES]);

/* guard_judge() of an address as text (no brackets); AG_EINVAL if it is none.
 */
AG_CHECK AG_NONNULL enum ag_err guard_judge_text(const char *address,
                                                 enum guard_rule *ret);

#endif
