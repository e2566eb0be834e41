/*
 * rule_scan.h - a text through Vectorscan, part by part: where matches of a
 * set's rules end. One text after another.
 *
 * Rules without a gate are searched for everywhere, and with them the keywords
 * of those with one; these are searched for near the keywords whose gate is
 * open (rule_gate.h), as far before and behind as a match can reach.
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

/* The search for a pack's gated rules. */
struct rule_near {
    hs_stream_t *stream; /* NULL: there are none */
    uint64_t from;       /* where in the text it began */
    uint64_t done;       /* up to there it got the text */
    uint64_t until;      /* up to there it is to get it */
};

/* In place; zeroed is empty. `events` are those of the parts since the caller
 * last set the count to 0. */
struct rule_scan {
    const struct rule_set *set;
    hs_scratch_t *scratch;
    hs_stream_t *streams[RULE_PACKS_MAX_COUNT];
    struct rule_near near[RULE_PACKS_MAX_COUNT];
    size_t pack_count;
    uint64_t at; /* up to there the text was searched */
    /* Of the stream that is being fed. */
    size_t first_rule;
    uint64_t from;
    struct span part;
    struct rule_events events;
    struct rule_events open; /* keywords that have, not a rule, open gates */
};

/* With the first `pack_count` packs of the set, which is borrowed.
 * Errors: AG_ENOMEM, AG_EMEMLOCK; what there is then goes to done. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_init(struct rule_scan *s,
                                               const struct rule_set *set,
                                               size_t pack_count);
AG_NONNULL void rule_scan_done(struct rule_scan *s);

/* The last `count` bytes of `text` come; it goes back rule_set_window() bytes
 * further, or to the text's start. Errors: AG_ENOMEM, AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_part(struct rule_scan *s,
                                               struct span text, size_t count);
/* The text ends: what matches there, and another may begin. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_end(struct rule_scan *s);
/* Another text begins, wherever the one before was. */
AG_CHECK AG_NONNULL enum ag_err rule_scan_restart(struct rule_scan *s);

#endif
