/*
 * record_item.h - a record that waits until the parts of longer texts in it
 * are decided, or the text between records.
 * Floor: redact. Depends on: redact/records, redact/json_keys.
 */
#ifndef AG_REDACT_RECORD_ITEM_H
#define AG_REDACT_RECORD_ITEM_H

#include <sys/queue.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "redact/json_keys.h"
#include "redact/records.h"

struct record_item;

/* A part of a text that several records bring. */
struct record_part {
    STAILQ_ENTRY(record_part) next; /* of the same text */
    struct record_item *item;
    struct json_delta delta; /* its span is in the item */
    struct buf text;         /* what is left of it */
};

struct record_item {
    STAILQ_ENTRY(record_item) next;
    struct record record; /* all in `bytes` */
    struct buf bytes;     /* as it came; of text: what is left of it */
    bool is_text;
    bool is_clean;     /* but for its parts */
    size_t open_count; /* parts that are not decided */
    size_t part_count;
    struct record_part parts[];
};

/* Without a record. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err record_item_new(size_t part_count,
                                                struct record_item **ret);
void record_item_free(struct record_item *item);
AG_DEFINE_CLEANUP(record_item, record_item_free)

/* A copy of the record, all its parts open. Errors: AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err record_item_of(const struct record *record,
                                               const struct json_deltas *deltas,
                                               struct record_item **ret);

/* What it takes, about. */
AG_NONNULL size_t record_item_bytes(const struct record_item *item);

#endif
