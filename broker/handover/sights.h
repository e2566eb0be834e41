/*
 * sights.h - values that the filter found in a stream, and how many of each were
 * told to core.
 * Floor: handover. Depends on: privsep/filter, core/incident.
 */
#ifndef AG_HANDOVER_SIGHTS_H
#define AG_HANDOVER_SIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/incident.h"
#include "privsep/filter.h"

enum {
    SIGHTS_MAX_COUNT = FILTER_COUNTS_MAX_COUNT, /* told at a time */
};

struct sight_row {
    struct incident_sight sight; /* count: so far */
    int64_t told;
};

/* In place; {0} before. */
struct sights {
    size_t count;
    struct sight_row rows[SIGHTS_MAX_COUNT]; /* as the filter counts */
    /* What the filter's report has no row for, by value and sureness, sorted: no
     * more than twice what the set holds. */
    struct sight_row *rest;
    size_t rest_count;
    size_t rest_room;
};

AG_NONNULL void sights_done(struct sights *s);

/* The counts so far, of one stream's reports alone. A report that knows less,
 * of a filter that died, takes nothing back. */
AG_NONNULL void sights_note(struct sights *s,
                            const struct filter_report *report);

/* The same of a filter's `rest`, which is added. Without memory it is lost. */
AG_NONNULL void sights_add(struct sights *s,
                           const struct filter_report *report);

/* What is to be told now: each value and form at once when it is first seen,
 * and again when the stream has ended. Returns how many; as long as these are
 * SIGHTS_MAX_COUNT there may be more. */
AG_NONNULL size_t sights_fresh(struct sights *s, bool ended,
                               struct incident_sight out[SIGHTS_MAX_COUNT]);

#endif
