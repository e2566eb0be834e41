/*
 * holes.h - what is to be covered of a stream, found ahead: stretches in order,
 * those that overlap joined to one.
 * Floor: redact. Depends on: redact/variants.
 */
#ifndef AG_REDACT_HOLES_H
#define AG_REDACT_HOLES_H

#include "base/attr.h"
#include "redact/variants.h"

struct matcher;

enum {
    /* Of one slice and what is held before it; more of them become one. */
    HOLES_MAX_COUNT = 2048,
};

struct hole {
    uint64_t start; /* in the stream */
    uint64_t end;
    uint64_t len;               /* of the match that it is named after */
    const struct matcher *part; /* the set or its base; borrowed */
    uint32_t value;             /* index in it */
    enum variant form;
};

struct holes {
    size_t count;
    struct hole list[HOLES_MAX_COUNT];
};

/* Joins what overlaps; the name is that of the leftmost, of these the
 * longest. */
AG_NONNULL void holes_add(struct holes *h, const struct hole *one);

/* Takes the first `count` out. */
AG_NONNULL void holes_drop(struct holes *h, size_t count);

#endif
