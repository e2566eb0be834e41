/*
 * authority.h - a certificate authority that is good for a few hosts and a
 * while: with it the forward proxy ends TLS of a task's clients.
 * Floor: tls. Depends on: base, GnuTLS.
 *
 * One for each task that needs it, made when it starts; its key is in the
 * broker's memory only and goes with the task, and no file has it. Its
 * certificate, which the task's clients trust, is constrained by name
 * (critically) to the hosts it was made for, so whoever had its key could
 * pretend to be those, to that task, until its end. Source: RFC 5280 sections
 * 4.2.1.3, 4.2.1.6, 4.2.1.9, 4.2.1.10.
 */
#ifndef AG_TLS_AUTHORITY_H
#define AG_TLS_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct authority;
struct authority_keys;
struct leaf;

enum {
    AUTHORITY_HOSTS_MAX_COUNT = 256,
    AUTHORITY_LEAVES_MAX_COUNT = 64, /* kept; more are made anew */
    AUTHORITY_SKEW_S = 3600,         /* a client's clock may be behind */
};

/* An authority's key and that of its leaves. They take a while, so they are
 * made ahead where nobody waits. Errors: AG_ENOMEM, AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err authority_keys_new(struct authority_keys **ret);
void authority_keys_free(struct authority_keys *keys);
AG_DEFINE_CLEANUP(authority_keys, authority_keys_free)

/*
 * `hosts` are names ("*.example.org" for those below, and itself) or addresses
 * (IPv6 in brackets), without ports. `until_ms` is wall clock.
 * Ownership: *ret is the caller's, authority_free(). The keys are moved out of
 *            *keys, also on error; it is still the caller's to free.
 * Errors: AG_EINVAL a host that is none; AG_ELIMIT; AG_ENOMEM; AG_EINTERNAL.
 */
AG_CHECK AG_NONNULL enum ag_err
authority_new(struct authority_keys *keys, const char *name,
              const char *const *hosts, size_t host_count, int64_t until_ms,
              struct authority **ret);
void authority_free(struct authority *a);
AG_DEFINE_CLEANUP(authority, authority_free)

/* Its certificate as PEM; borrowed. */
AG_NONNULL struct span authority_pem(const struct authority *a);

/*
 * What a server shows for this host; made at first need, then kept.
 * Ownership: leaf_release(); it outlives the authority. Threads: safe.
 * Errors: AG_EINVAL, AG_ENOMEM, AG_EINTERNAL.
 */
AG_CHECK AG_NONNULL enum ag_err
authority_leaf(struct authority *a, const char *host, struct leaf **ret);
void leaf_release(struct leaf *leaf);
AG_DEFINE_CLEANUP(leaf, leaf_release)

AG_NONNULL gnutls_certificate_credentials_t
leaf_credentials(const struct leaf *leaf);

#endif
