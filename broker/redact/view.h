/*
 * view.h - the text as its reader sees it, searched beside the text itself:
 * without escape sequences and lines' ends, escapes undone, dumps read. A view
 * gives bytes with a map back to where they come from; the forms of the set are
 * looked for there, so what was nested twice is found when one level is undone;
 * what is found covers all of the text that it came from.
 * Floor: redact. Depends on: redact/scan, redact/view_steps, redact/holes.
 *
 * What a view gives depends on the whole text only, not on its parts: it is
 * read in one go from the stream's start, step by step. Stretches that it reads
 * as they are, and steps that no form can reach across (tetrads.h), are passed
 * over; this is what makes it quick, and changes nothing of what is found: a
 * form that takes such a step has four of its bytes in front of the first, or
 * behind it.
 *
 * Weak values are not looked for. A match that takes more than
 * views_span_bytes() of the text is none. Of one that begins with an escape its
 * first character shows, of a dump the first two bytes: so text that ends in a
 * backslash or a digit need not wait.
 */
#ifndef AG_REDACT_VIEW_H
#define AG_REDACT_VIEW_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/holes.h"
#include "redact/lockmem.h"
#include "redact/scan.h"

enum view_id {
    VIEW_SHOWN,
    VIEW_UNESCAPED,
    VIEW_MAIL,
    VIEW_DUMPED,
    VIEW_COUNT,
};

/* Of a dump being read: the stretch of numbers in a row, and the first that is
 * long enough for matches from there on to count. */
struct view_dump {
    uint64_t start;
    uint64_t end;
    uint64_t first;
};

/* Places count in the stream. What lies before `clean` belongs to no match that
 * is still to be found. */
struct view {
    uint64_t pos; /* read up to there */
    uint64_t clean;
    uint64_t aside; /* passed over, to be read if nothing reaches across */
    uint8_t *norm;  /* what was read and may still begin a match */
    uint64_t *at;   /* of each of its bytes: where it comes from */
    uint8_t *used;  /* and from how many bytes there */
    size_t norm_len;
    unsigned int carry; /* of the step at `pos`: see view_steps.h */
    bool is_cut;        /* that step needs more text */
    bool is_on;         /* within a dump */
    struct view_dump dump;
    struct view_dump dump_aside; /* when `aside` was passed over */
};

/* Holds no bytes of the text but in `norm`, which is locked. The fields are the
 * module's own, but for `holes`. */
struct views {
    struct lockmem norm; /* of all views */
    void *maps;          /* likewise */
    size_t cap;          /* of each */
    size_t span_bytes;
    uint64_t serial; /* of the set */
    struct view list[VIEW_COUNT];
    struct holes holes;
};

/* A text as in scan.h; `offset` is its place in the stream. */
struct views_request {
    const struct matcher *set;
    struct span text;
    struct span behind;
    uint64_t offset;
    bool is_at_end;
    struct scan *scan; /* to search with */
};

/*
 * For `set` from now on; what was found with another is forgotten, and looked
 * for again from `offset` on.
 * Errors: AG_EMEMLOCK, AG_ENOMEM; as it was.
 */
AG_CHECK AG_NONNULL enum ag_err
views_use(struct views *v, const struct matcher *set, uint64_t offset);
AG_NONNULL void views_done(struct views *v);

/* For another stream. */
AG_NONNULL void views_restart(struct views *v);

/* The most of a text that one match of the set may take. */
AG_NONNULL size_t views_span_bytes(const struct matcher *set);

/*
 * Adds what is found to v->holes. Returns how much of the text is decided:
 * behind that a match may still begin or go on. The text then begins where it
 * was decided up to, or before.
 */
AG_NONNULL size_t views_find(struct views *v,
                             const struct views_request *request);

/* How much of the text may be let out without showing more than a quarter of
 * any value that may be under way, nor more than `most` of its characters.
 * views_find() has read it. */
AG_NONNULL size_t views_show(struct views *v,
                             const struct views_request *request, size_t most);

#endif
