/*
 * places.h - where a value may go: the hosts, paths and places that are sealed
 * with a secret, as data.
 * Floor: policy. Depends on: profile/profile, upstream/guard, wire/msg.
 *
 * They are taken from the profile when a secret is put or adopted, or from the
 * operator's own words, and stay as they are until a person says otherwise: a
 * profile that changes later sends nothing elsewhere.
 *
 * Form (a member of the secret's sealed description):
 *   "places": [{"service": "openai", "hosts": ["api.openai.com"],
 *     "paths": ["/v1"], "methods": [], "field": "/key", "in": "header",
 *     "name": "Authorization", "format": "Bearer {}", "inner": false,
 *     "plain": false, "optional": false, "with": [{"name": …, "field": …}]}]
 *   "refresh": "https://auth.openai.com/oauth/token"
 */
#ifndef AG_POLICY_PLACES_H
#define AG_POLICY_PLACES_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"
#include "upstream/guard.h"

enum {
    PLACES_MAX_COUNT = 32, /* of one secret: a profile names a handful */
    PLACE_FORMAT_MAX_BYTES = 128,
    PLACE_NAME_MAX_BYTES = 128,
};

/* The layouts are those of wire/msg; texts are never NULL unless said. */
struct place {
    const char *service; /* a name for the hosts, or NULL */
    struct strings hosts;
    struct strings paths;   /* none: every path */
    struct strings methods; /* none: every method */
    const char *field;      /* "" the whole value */
    enum place_in in;
    const char *name;
    const char *format; /* holds `{}` once */
    bool inner;         /* a person said that the host is inside */
    bool plain;         /* http: only with `inner` */
    bool optional;      /* requests without the value go out too */
    struct profile_withs with;
};

PROFILE_LIST(place_list, struct place);

struct places {
    struct place_list places;
    const char *refresh; /* where the login refreshes, or NULL */
};

/*
 * Decodes these members of a description; without them *ret has none.
 * Hosts are then spelled as guard_authority_key() does for the place's scheme.
 * Ownership: *ret is filled and given back with places_done().
 * Errors: AG_EINVAL with a sentence (a host, format or name that is none);
 *         AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err places_read(json_t *detail, struct places *ret);
AG_NONNULL void places_done(struct places *p);
AG_DEFINE_CLEANUP_INPLACE(places, places_done)

/* Do two say the same, but for the name of the service? */
AG_NONNULL bool place_equal(const struct place *a, const struct place *b);

/* The one at `index` alone. */
AG_NONNULL void places_keep(struct places *p, size_t index);

/* The profile's alone: not those of the operator's own words. */
AG_NONNULL void places_keep_profile(struct places *p);

/* What a profile says, as the list to be sealed. *ret: an array, maybe empty.
 * Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err places_of_profile(const struct profile *profile,
                                                  json_t **ret);

/* As an array of strings; a new reference, NULL: no memory. */
AG_NONNULL json_t *places_texts(const struct strings *texts);

/* Does a host of the list ("*.example.com", "host:8080") stand for `host`,
 * which is in lower case and has its port if that is not the usual one? */
AG_NONNULL bool place_host_covers(const char *pattern, struct span host);

/* The same for any of the place's hosts. */
AG_NONNULL bool place_covers(const struct place *place, struct span host);

/* The first place that one of the words `service` means, by its name (then
 * ret_host is its first exact host) or by a host of it, which may be spelled in
 * any way that guard_authority_key() knows; NULL when none, ret_host is then
 * anything. */
AG_NONNULL const struct place *
places_serve(const struct places *p, struct span service,
             char ret_host[GUARD_AUTHORITY_BYTES]);

#endif
