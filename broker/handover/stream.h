/*
 * stream.h - the streams of one connection: handed to the filter process,
 * watched to their end, reported.
 * Floor: handover. Depends on: handover/conn, privsep/filter.
 *
 * {"event":"stream_end","stream":N,"hits":n,"bytes_in":…,"bytes_out":…,
 *  "counts":{NAME:n,…},"found":[{"name","form","count","offset"},…]}; with
 * "code" when it did not end with its source, "truncated":true when not every
 * row fits. Of one for a task's eyes the names of values are "-": it would be
 * told what is in the vault. Those of rules stay.
 * Before it, where one was asked for and the stream ended well:
 * {"event":"receipt","stream":N,"receipt":LINE,"opening":HEX}, both as
 * wire/receipt.h has them, or "code" and "detail": why there is none.
 */
#ifndef AG_HANDOVER_STREAM_H
#define AG_HANDOVER_STREAM_H

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct buf;
struct conn;
struct filter_report;
struct message_receipt;
struct stream_terms;

/* Starts one; *ret_number is this connection's name for it. `receipt` may be
 * NULL. Errors: those of filter_stream() and receipt_draft_new(); AG_ELIMIT. */
AG_CHECK enum ag_err stream_start(struct conn *c,
                                  const struct stream_terms *terms,
                                  const struct message_receipt *receipt,
                                  const int fds[2], uint64_t *ret_number);

/* Tells the record and the peer of the streams that have ended, and counts the
 * hits of those that run. */
AG_NONNULL void streams_settle(struct conn *c);

/* Ends all that live, and waits for their last word, a second at most. */
AG_NONNULL void streams_end(struct conn *c);

/* Every name with its hits, for the record; the caller's. NULL when there is no
 * memory. */
AG_NONNULL json_t *stream_counts(const struct filter_report *report);
/* Adds `more` to it, name by name. Either may be NULL. */
void stream_counts_add(json_t *counts, const json_t *more);

/* The event of an ended stream, at most 8 KiB. */
AG_CHECK AG_NONNULL enum ag_err
stream_put_report(struct buf *out, uint64_t number,
                  const struct filter_report *report);

/* The same of a stream for a task's eyes. */
AG_CHECK AG_NONNULL enum ag_err
stream_put_report_of_task(struct buf *out, uint64_t number,
                          const struct filter_report *report);

#endif
