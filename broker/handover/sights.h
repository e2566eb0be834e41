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
    SIGHTS_MAX_COUNT = FILTER_COUNTS_MAX_COUNT,
};

/* In place; {0} before. */
struct sights {
    size_t count;
    struct incident_sight rows[SIGHTS_MAX_COUNT]; /* as the filter counts */
    int64_t told[SIGHTS_MAX_COUNT];
};

/* The counts so far, of one stream's reports alone. */
AG_NONNULL void sights_note(struct sights *s,
                            const struct filter_report *report);

/* What is to be told now: each value and form at once when it is first seen,
 * and again when the stream has ended. Returns how many. */
AG_NONNULL size_t sights_fresh(struct sights *s, bool ended,
                               struct incident_sight out[SIGHTS_MAX_COUNT]);

#endif
