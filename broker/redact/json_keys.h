/*
 * json_keys.h - what the names of a record's members tell: whose strings are no
 * secrets whatever they look like, and which are parts of a longer text.
 * Floor: redact. Depends on: redact/json_scan.
 */
#ifndef AG_REDACT_JSON_KEYS_H
#define AG_REDACT_JSON_KEYS_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/json_scan.h"

/*
 * Is the string of this member made by a program, so that rules, which go by
 * looks, would take it for a secret: an id, a hash, a sealed blob? Values that
 * are known are taken out there too. `key` as it stands in the text.
 */
bool json_key_is_opaque(struct span key);

enum {
    JSON_PATH_MAX = 7,   /* steps of the longest path that is known */
    JSON_DELTAS_MAX = 8, /* of one record; further ones are ordinary strings */
    JSON_NAMES_MAX = 24,
};

/* A string that is one part of a text which several records bring. */
struct json_delta {
    size_t at;       /* of its opening quote in the record */
    struct span raw; /* between the quotes */
    bool is_escaped;
    uint64_t stream; /* which text it belongs to, by its path and names */
    uint32_t row;
    uint32_t spots[2]; /* where in the arrays on its way */
};

struct json_name {
    uint64_t hash;
    uint32_t spot_count;
    uint32_t spots[2];
};

/* Follows a scan through one record. In place; zeroed at its start. */
struct json_deltas {
    struct {
        struct span key; /* ptr NULL: an array */
        uint32_t spot;
    } path[JSON_PATH_MAX];

    size_t count;
    struct json_delta items[JSON_DELTAS_MAX];
    size_t name_count;
    struct json_name names[JSON_NAMES_MAX];
};

/* The scan's next token; true: it is one of `items` now. */
AG_NONNULL bool json_deltas_token(struct json_deltas *d,
                                  const struct json_token *token);

/* The record has ended: fills in which texts they belong to. */
AG_NONNULL void json_deltas_end(struct json_deltas *d);

#endif
