/*
 * parse.h - strict parsing of small public texts: numbers, durations, names.
 * The whole input must be used; no leading blanks, no sign unless said.
 * Floor: base. Depends on: base/err, base/span.
 */
#ifndef AG_BASE_PARSE_H
#define AG_BASE_PARSE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    NAME_MAX_BYTES = 255, /* a secret's name: path of segments */
    REFERENCE_MAX_BYTES = 1024,
};

/* Decimal, 0..max. Errors: AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err parse_u64(struct span text, uint64_t max,
                                          uint64_t *ret);

/* "90", "90s", "15m", "8h", "7d", "500ms"; a bare number is seconds.
 * Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err parse_duration_ms(struct span text,
                                                  int64_t *ret_ms);

/* RFC 3339 time, UTC or offset, to milliseconds since 1970. */
AG_CHECK AG_NONNULL enum ag_err parse_time_ms(struct span text,
                                              int64_t *ret_ms);

/* A secret's name: segments of [a-z0-9._-]{1,64} joined by '/', none "." or
 * "..", at most NAME_MAX_BYTES. Errors: AG_EINVAL with a sentence. */
AG_CHECK enum ag_err parse_name(struct span text);

/* A name with an optional "/" + "*" tail, or "*": what a grant may hold. */
AG_CHECK enum ag_err parse_name_pattern(struct span text);

/* An environment variable: [A-Za-z_][A-Za-z0-9_]{0,127}. */
AG_CHECK enum ag_err parse_env_name(struct span text);

/*
 * A reference, `ag://NAME[#POINTER]`, or a bare `NAME[#POINTER]`; views into
 * `text`. The pointer is RFC 6901 (empty when absent) and still encoded.
 */
struct reference {
    struct span name;
    struct span pointer;
};
AG_CHECK AG_NONNULL enum ag_err parse_reference(struct span text,
                                                struct reference *ret);

/* Valid UTF-8 without NUL or control bytes other than tab and newline. */
bool parse_is_text(struct span bytes);
bool parse_is_utf8(struct span bytes);

#endif
