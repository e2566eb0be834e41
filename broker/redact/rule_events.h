/*
 * rule_events.h - "a match of this rule ends here", of one search, in the order
 * in which Vectorscan told.
 * Floor: redact. Depends on: base/err.
 */
#ifndef AG_REDACT_RULE_EVENTS_H
#define AG_REDACT_RULE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct rule_event {
    uint32_t rule;
    uint64_t end; /* in the whole text */
};

/* Begins as zeroes. */
struct rule_events {
    struct rule_event *items;
    size_t count;
    size_t cap;
    enum ag_err err; /* of the first that could not be added */
};

AG_NONNULL void rule_events_done(struct rule_events *e);

/* False: it could not, and `err` says why. */
AG_CHECK AG_NONNULL bool rule_events_add(struct rule_events *e,
                                         struct rule_event event);

#endif
