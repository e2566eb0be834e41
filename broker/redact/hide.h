/*
 * hide.h - what stands where a value stood: a marker that names it or, on a
 * terminal where columns are counted (screen.h), as many columns of `*`.
 * Floor: redact. Depends on: redact/marker, redact/screen, redact/sink.
 *
 * Of a hole on such a screen everything that moves or colours stays as it is:
 * newlines, tabs, backspaces, control sequences of up to
 * HIDE_SEQUENCE_MAX_BYTES (which are no text: a value's letters are not in
 * them). Other control characters and control strings are left out, since they
 * show nothing. A control sequence that a hole cuts off is cancelled (CAN).
 * Within a control string, a title or a clipboard, there are no columns: the
 * marker stands there.
 */
#ifndef AG_REDACT_HIDE_H
#define AG_REDACT_HIDE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/marker.h"
#include "redact/screen.h"
#include "redact/sink.h"

enum {
    HIDE_SEQUENCE_MAX_BYTES = 32,
};

struct hide {
    struct marker marker;
    bool is_terminal;
    bool is_mask; /* the hole that was begun last */
    bool is_open; /* nothing was let out behind it */
    struct screen screen;
    size_t sequence_len; /* of one in the hole; more than there is room for: it
                          * is left out */
    uint8_t sequence[HIDE_SEQUENCE_MAX_BYTES];
};

/* `marker`: as in marker_parse(). Errors: AG_EINVAL; *ret is then as it was. */
AG_CHECK enum ag_err hide_init(struct hide *ret, const char *marker,
                               bool is_terminal);

/* Text that is let out, to `next`. Errors: next's, as of all below. */
AG_CHECK AG_NONNULL enum ag_err
hide_pass(struct hide *h, const struct sink *next, struct span text);

/* Here a hole begins, of a value with this name. */
AG_CHECK AG_NONNULL enum ag_err
hide_begin(struct hide *h, const struct sink *next, struct span name);

/* Its text, as it comes: what of it has not been let out. */
AG_CHECK AG_NONNULL enum ag_err
hide_over(struct hide *h, const struct sink *next, struct span text);

/* How many columns `text` takes, behind what was passed; no terminal: its
 * bytes. */
AG_NONNULL size_t hide_columns(const struct hide *h, struct span text);

#endif
