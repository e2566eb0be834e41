/*
 * filter_msg.h - the words broker and filter process say to each other: bodies
 * of channel packets, little-endian, read strictly.
 * Floor: privsep. Depends on: privsep/channel, base/buf.
 *
 * A body of changes is a sequence of records:
 *   drop 1 | id 8          drop group 4 | id 8, of any of the group
 *   load 2 | id 8 | flags 4 | value length 4 | name length 2 | part length 4 |
 *            name | part
 *   more 3 | part length 4 | part        (the value last loaded goes on)
 * A stream: id 8 | audience 1 | rules 1 | places 1 | vouch 1 | format 1 |
 *   marker length 1 (255: default) | marker.
 * Its end: id 8 | result 4 | in 8 | out 8 | hits 8 | rows 4, and per row
 *   id 8 | form 1 | count 8 | first offset 8 | name length 1 | name;
 *   behind the rows, if it vouches: the four hashes and the five numbers of
 *   struct filter_vouch in its order.
 */
#ifndef AG_PRIVSEP_FILTER_MSG_H
#define AG_PRIVSEP_FILTER_MSG_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "privsep/filter.h"
#include "redact/matcher.h"

enum filter_op {
    FILTER_OP_CHANGE = 1, /* body: records; answer: nothing */
    FILTER_OP_COMMIT = 2, /* answer: epoch 8 */
    FILTER_OP_WIPE = 3,
    FILTER_OP_STATS = 4,  /* answer: five numbers of 8 */
    FILTER_OP_STREAM = 5, /* two descriptors */
    FILTER_OP_CANCEL = 6, /* id 8 */
    FILTER_OP_END = 7,    /* an event */
    FILTER_OP_HITS = 8,   /* the same body, while the stream runs */
    FILTER_OP_KNOW = 9,   /* body: the key */
    FILTER_OP_REST = 10,  /* as hits, of what has no row there: filter_tell.h */
};

enum fmsg_record_kind {
    FMSG_DROP = 1,
    FMSG_LOAD = 2,
    FMSG_MORE = 3,
    FMSG_DROP_GROUP = 4, /* filter.h, filter_drop_group() */
};

enum {
    FMSG_LOAD_HEAD_BYTES = 1 + 8 + 4 + 4 + 2 + 4,
    FMSG_DROP_BYTES = 1 + 8,
};

struct fmsg_record {
    enum fmsg_record_kind kind;
    uint64_t id;
    enum matcher_flags flags;
    size_t value_len; /* of the whole value */
    struct span name;
    struct span part;
};

/* The head of a record into out[]; name and part follow it. Returns its
 * length. */
AG_NONNULL size_t fmsg_put_record(const struct fmsg_record *record,
                                  uint8_t out[FMSG_LOAD_HEAD_BYTES]);

/* Takes one record off the front of *rest. Errors: AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err fmsg_get_record(struct span *rest,
                                                struct fmsg_record *ret);

struct fmsg_stream {
    uint64_t id;
    enum filter_audience audience;
    enum filter_rules rules;
    bool places;
    bool vouch;
    enum format format;
    char marker[FILTER_MARKER_MAX_BYTES + 1];
    bool has_marker;
};

AG_CHECK AG_NONNULL enum ag_err fmsg_put_stream(struct buf *out,
                                                const struct fmsg_stream *s);
AG_CHECK AG_NONNULL enum ag_err fmsg_get_stream(struct span body,
                                                struct fmsg_stream *ret);

/* One row of a report as the process counts it. */
struct fmsg_row {
    uint64_t id;
    enum variant form;
    uint64_t count;
    uint64_t first_offset;
    uint8_t name_len;
    char name[MATCHER_NAME_MAX_BYTES + 1];
};

struct fmsg_end {
    uint64_t id;
    enum ag_err result;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t hits;
    size_t row_count;
    struct fmsg_row rows[FILTER_COUNTS_MAX_COUNT];
    bool has_vouch;
    struct filter_vouch vouch;
};

struct redactor_hit;

/* Adds a hit to its value's row for this form, but not to `hits`. False: there is
 * no room for another row. */
AG_CHECK AG_NONNULL bool
fmsg_count(struct fmsg_end *end, const struct redactor_hit *hit, bool *ret_new);

AG_CHECK AG_NONNULL enum ag_err fmsg_put_end(struct buf *out,
                                             const struct fmsg_end *end);
AG_CHECK AG_NONNULL enum ag_err fmsg_get_end(struct span body,
                                             struct fmsg_end *ret);

/* Bodies that are numbers and nothing else. */
AG_CHECK AG_NONNULL enum ag_err fmsg_get_numbers(struct span body,
                                                 uint64_t *out, size_t count);

#endif
