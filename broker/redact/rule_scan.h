/*
 * rule_scan.h - a text through Vectorscan, part by part: where matches of a
 * set's rules end. One text after another.
 * Floor: redact. Depends on: redact/rule_set, redact/rule_events.
 */
#ifndef AG_REDACT_RULE_SCAN_H
#define AG_REDACT_RULE_SCAN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/rule_events.h"
#include "redact/rule_pack.h"
#include "redact/rule_set_impl.h"

/* In place; zeroed is empty. `events` are those of the parts since the caller
 * last set the count to 0. */
struct rule_scan {
    const struct rule_set *set;
    hs_scratch_t *scratch;
    hs_stream_t *streams[RULE_PACKS_MAX_COUNT];
    size_t pack_count;
    size_t first_rule; /* of the pack that is being scanned */
    struct rule_events events;
};

/* With the first `pack_count` packs of the set, which is borrowed.
 * Errors: AG_ENOMEM, AG_EMEMLOCK; what there is then goes to done. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_init(struct rule_scan *s,
                                               const struct rule_set *set,
                                               size_t pack_count);
AG_NONNULL void rule_scan_done(struct rule_scan *s);

/* Errors: AG_ENOMEM, AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_part(struct rule_scan *s,
                                               struct span part);
/* The text ends: what matches there, and another may begin. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_end(struct rule_scan *s);
/* Another text begins, wherever the one before was. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_restart(struct rule_scan *s);

#endif
