/*
 * json_record.h - one JSON text with secrets taken out inside its strings: of
 * what they stand for, not of how it is spelled. What has nothing to take out
 * keeps its bytes.
 * Floor: redact. Depends on: redact/scrub, redact/json_scan, redact/json_keys.
 *
 * Each string, and each member's name, is a text of its own; that of a member
 * is searched behind its name, which rules go by. A string that is JSON itself
 * is treated in the same way, JSON_NESTED_MAX deep, and then as a text. Rules
 * don't look into members that json_key_is_opaque(). A number that is a known
 * value becomes a string. A value that reaches from one string into another is
 * not found.
 *
 * Looking and rewriting are apart, since most records have nothing to take out:
 * all their strings are searched as one text.
 */
#ifndef AG_REDACT_JSON_RECORD_H
#define AG_REDACT_JSON_RECORD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/json_keys.h"
#include "redact/scrub.h"

struct json_record;

enum {
    /* Longer ones are text: they would take too much memory. */
    JSON_RECORD_MAX_BYTES = 4 * 1024 * 1024,
    JSON_REWRITTEN_MAX_BYTES = 16 * JSON_RECORD_MAX_BYTES,
    JSON_NESTED_MAX = 3,
};

/* Of `terms` the borders are not looked at. Errors: as scrub_new(). */
AG_CHECK AG_NONNULL enum ag_err json_record_new(const struct scrub_terms *terms,
                                                struct json_record **ret);
void json_record_free(struct json_record *j);
AG_DEFINE_CLEANUP(json_record, json_record_free)

/* As scrub_use(). */
AG_CHECK enum ag_err json_record_use(struct json_record *j,
                                     const struct matcher *set);

enum json_state {
    JSON_STATE_NONE,  /* not JSON, or too long */
    JSON_STATE_CLEAN, /* nothing to take out */
    JSON_STATE_FOUND,
};

/* One record; what is around its JSON is text. */
struct record {
    struct span head;
    struct span body;
    struct span tail;
    struct span line; /* what begins each further line of the body */
    uint64_t offset;  /* in the stream */
};

/*
 * Looks through one record, and what is around it. Fills
 * *deltas: parts of longer texts, which are here searched each by itself.
 * Errors: those of the scrub; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err json_record_look(struct json_record *j,
                                                 const struct record *record,
                                                 struct json_deltas *deltas,
                                                 enum json_state *ret);

/* What is put instead of a delta. */
struct json_swap {
    size_t at; /* of the opening quote */
    struct span text;
};

/*
 * Appends the text with everything taken out; `swaps` are in order. Hits are
 * told with `offset` as theirs. `is_clean`: only the swaps are to be done.
 * Errors: as above; AG_ELIMIT.
 */
struct json_rewrite {
    struct span text;
    const struct json_swap *swaps;
    size_t swap_count;
    uint64_t offset;
    bool is_clean;
};
AG_CHECK AG_NONNULL enum ag_err
json_record_rewrite(struct json_record *j, const struct json_rewrite *what,
                    struct buf *out);

/* Appends `text`, filtered as one text that is not JSON. */
AG_CHECK AG_NONNULL enum ag_err json_record_text(struct json_record *j,
                                                 struct span text,
                                                 uint64_t offset,
                                                 struct buf *out);

#endif
