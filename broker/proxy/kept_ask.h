/*
 * kept_ask.h - a request's head, kept to be decided on later, or once more.
 * Floor: proxy. Depends on: core/permit, proxy/proxy.
 *
 * Without the broker's own tokens: these are wiped where they stand as soon as
 * the head was looked at, and would then be taken for something else.
 */
#ifndef AG_PROXY_KEPT_ASK_H
#define AG_PROXY_KEPT_ASK_H

#include "base/attr.h"
#include "core/permit.h"
#include "proxy/proxy.h"

struct kept_ask {
    struct permit_ask ask; /* its fields are those below */
    struct request_field fields[PROXY_FIELDS_MAX_COUNT];
};

/* The texts stay borrowed. `kept` stays where it is from then on. */
AG_NONNULL void kept_ask_init(struct kept_ask *kept,
                              const struct permit_ask *ask);

#endif
