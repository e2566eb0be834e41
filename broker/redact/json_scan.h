/*
 * json_scan.h - the tokens of one JSON text that lies in memory, where they
 * stand: what is not asked for keeps its bytes. Strict as RFC 8259, but that
 * bytes above 127 are taken as they are.
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_JSON_SCAN_H
#define AG_REDACT_JSON_SCAN_H

#include "base/attr.h"
#include "base/span.h"

enum {
    JSON_DEPTH_MAX = 256, /* objects and arrays in one another */
};

enum json_kind {
    JSON_OPEN_OBJECT,
    JSON_OPEN_ARRAY,
    JSON_CLOSE, /* of either */
    JSON_KEY,
    JSON_STRING,
    JSON_SCALAR, /* a number, true, false, null */
    JSON_END,    /* of the text: it was JSON */
    JSON_BAD,    /* it is none */
};

struct json_token {
    enum json_kind kind;
    size_t at;       /* in the text */
    struct span raw; /* of strings and keys without the quotes */
    bool is_escaped; /* has a backslash */
    size_t depth;    /* of objects and arrays around it */
};

/* In place. */
struct json_scan {
    struct span text;
    size_t at;
    size_t depth;
    unsigned expects;                   /* json_scan.c */
    uint8_t arrays[JSON_DEPTH_MAX / 8]; /* a bit per level */
};

/* `text` is borrowed. */
AG_NONNULL void json_scan_init(struct json_scan *s, struct span text);

/* After JSON_END and JSON_BAD there is no next one. */
AG_NONNULL enum json_kind json_scan_next(struct json_scan *s,
                                         struct json_token *ret);

/* Is the whole text JSON? */
bool json_scan_is_json(struct span text);

#endif
