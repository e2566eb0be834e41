/* json_record_impl.h - what looking through a record and rewriting it share:
 * not for others. */
#ifndef AG_REDACT_JSON_RECORD_IMPL_H
#define AG_REDACT_JSON_RECORD_IMPL_H

#include "redact/json_record.h"
#include "redact/json_scan.h"

/* One string within another. */
struct json_level {
    struct buf text; /* what it stands for */
    struct buf made; /* the same, rewritten */
};

enum {
    JSON_BORDERS_COUNT = 2, /* of a text, with what is around it */
};

struct json_record {
    struct scrub *scrub;
    struct redactor_options told; /* who is told of hits */
    bool is_looking;              /* hits are counted, the output is dropped */
    uint64_t found;
    size_t token_count; /* of the record that is looked through */
    uint64_t offset;
    struct buf part;                    /* goes to the scrub next */
    struct buf opaque;                  /* waits until rules are off */
    struct buf out;                     /* of the scrub, when rewriting */
    size_t borders[JSON_BORDERS_COUNT]; /* in it */
    size_t border_count;
    struct json_level levels[JSON_NESTED_MAX];
};

/* Where one is among the members. */
struct json_place {
    struct json_scan scan;
    struct json_token token;
    struct span key; /* of the value that comes next; ptr NULL: has none */
    size_t depth;    /* of strings in strings */
};

/* `depth` of strings in strings. */
AG_NONNULL void json_place_init(struct json_place *p, struct span text,
                                size_t depth);
AG_NONNULL enum json_kind json_place_next(struct json_place *p);

/* Is it worth a try to read it as JSON? */
bool json_may_be(struct span text);

/* Appends a quote, and a value's name as it stands before it, for rules. */
AG_CHECK AG_NONNULL enum ag_err json_add_head(struct buf *out, struct span key);

/* Empties a buffer; a large one is given back. */
AG_NONNULL void json_empty(struct buf *b);

#endif
