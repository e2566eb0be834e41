/*
 * marker.h - what stands in the output where a value stood.
 * Floor: redact. Depends on: base/span, redact/matcher (limits).
 */
#ifndef AG_REDACT_MARKER_H
#define AG_REDACT_MARKER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/matcher.h"

enum {
    MARKER_TEXT_MAX_BYTES = 64, /* the text around the name */
    MARKER_MAX_BYTES = MARKER_TEXT_MAX_BYTES + MATCHER_NAME_MAX_BYTES,
};

#define MARKER_DEFAULT "[redacted:%s]"

struct marker {
    size_t head_len; /* before the name */
    size_t tail_len; /* behind it */
    bool has_name;
    uint8_t head[MARKER_TEXT_MAX_BYTES];
    uint8_t tail[MARKER_TEXT_MAX_BYTES];
};

/* From a text with one %s or none; NULL: MARKER_DEFAULT.
 * Errors: AG_EINVAL with a sentence. */
AG_CHECK enum ag_err marker_parse(const char *text, struct marker *ret);

/* How long the marker for a value of this name is; 0: nothing stands there. */
AG_NONNULL size_t marker_bytes(const struct marker *m, struct span name);

/* The marker for a value of this name (at most MATCHER_NAME_MAX_BYTES).
 * Returns its length. */
AG_NONNULL size_t marker_write(const struct marker *m, struct span name,
                               uint8_t out[MARKER_MAX_BYTES]);

/* Does a marker begin in `text`? False if it begins with the name. */
AG_NONNULL bool marker_begins_in(const struct marker *m, struct span text);

/* Are the `len` bytes at `at` of `text` the name in a marker, and its end?
 * False if nothing stands before or behind the name. */
AG_NONNULL bool marker_names(const struct marker *m, struct span text,
                             size_t at, size_t len);

#endif
