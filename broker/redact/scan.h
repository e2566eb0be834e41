/*
 * scan.h - one look through a stretch of text for the forms of a set: every
 * place where one stands, and every place where one may still come.
 * Floor: redact. Depends on: redact/matcher.
 */
#ifndef AG_REDACT_SCAN_H
#define AG_REDACT_SCAN_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/matcher.h"
#include "redact/matcher_impl.h"

enum {
    SCAN_TILE_BYTES = SET_TILE_BYTES, /* starts examined at a time; in the first
                                       * cache */
};

enum scan_flags {
    SCAN_PLAIN = 0,
    SCAN_AT_END = 1, /* nothing follows the text */
    /* On behalf of a task: no weak values; where nothing is found, the time
     * that takes doesn't depend on how much of a form is there (windows.c). The
     * text has every form that starts below the limit whole. */
    SCAN_FOR_TASK = 2,
    SCAN_STRONG = 4, /* no weak values */
};

/* What may be found where. */
struct scan_hit {
    size_t start;
    size_t len; /* of the longest form that stands here; 0: none */
    const struct matcher *part; /* the set or its base: where that form is */
    uint32_t ref;               /* of that form, if len > 0 */
    bool is_open; /* a (longer) form may stand here once text follows */
};

/* Lives in locked memory: forms are written anew here. */
struct scan {
    const struct matcher *set;
    struct span text;
    struct span behind; /* up to MATCHER_BEHIND_BYTES before the text */
    const struct marked *marked; /* two (see fragments.h), or NULL */
    size_t limit;                /* starts below it are examined */
    size_t tile;                 /* first start of the tile */
    size_t tile_end;
    size_t next; /* first start of the tile not yet told of */
    enum scan_flags flags;
    struct set_scratch scratch;
    uint64_t starts[STARTS_COUNT / 64]; /* by their lowest bits */
};

/* Begins at text[0]; forms that start below `limit` are looked for. All spans
 * are borrowed until the last scan_next(). Who has looked at the same text for
 * fragments sets `marked` behind scan_begin(). */
struct scan_request {
    const struct matcher *set;
    struct span text;
    struct span behind;
    size_t limit;
    enum scan_flags flags;
};

AG_NONNULL void scan_begin(struct scan *s, const struct scan_request *request);

/* The next place in order; false when there is none. */
AG_NONNULL bool scan_next(struct scan *s, struct scan_hit *ret);

/* Length of the shortest form that text[start..] is a proper beginning of;
 * SIZE_MAX: none. */
AG_NONNULL size_t scan_shortest_open(struct scan *s, size_t start);

/* ---- scan_starts.c ---- */

/* Sets the bits of the starts in the tile, and perhaps some more, where a form
 * may begin; on behalf of a task those ahead of it, too. */
AG_NONNULL void scan_find_starts(struct scan *s);

#endif
