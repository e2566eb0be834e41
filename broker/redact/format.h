/*
 * format.h - the filter for a stream of which the format is known: what is
 * taken out leaves it in its format.
 * Floor: redact. Depends on: redact/scrub, redact/records.
 *
 * text      as it comes: redactor.h and rule_filter.h, without this one.
 * jsonl     a JSON text in each line (records.h); a line that is none is text,
 *           one of more than JSON_RECORD_MAX_BYTES, or of very many parts.
 * json      one JSON text; the same goes.
 * sse       server-sent events, with JSON in their data or not; an event is a
 *           record.
 * markdown  text whose lines keep their marks (format_lines.c), whatever is
 * diff      taken out across them.
 */
#ifndef AG_REDACT_FORMAT_H
#define AG_REDACT_FORMAT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/scrub.h"
#include "redact/sink.h"

enum format {
    STREAM_TEXT,
    STREAM_JSONL,
    STREAM_JSON,
    STREAM_SSE,
    STREAM_MARKDOWN,
    STREAM_DIFF,
    STREAM_COUNT,
};

/* "text", "jsonl", …: static. */
const char *format_name(enum format format);

struct format_filter;

/*
 * Of `terms` the borders are not looked at. Errors, ownership and threads: as
 * scrub_new(), but that the marker is copied; AG_EINVAL also for STREAM_TEXT.
 */
AG_CHECK AG_NONNULL enum ag_err format_new(enum format format,
                                           const struct scrub_terms *terms,
                                           const struct sink *next,
                                           struct format_filter **ret);
void format_free(struct format_filter *f);
AG_DEFINE_CLEANUP(format_filter, format_free)

/* As scrub_use(); the set is looked at in all that follow. */
AG_CHECK enum ag_err format_use(struct format_filter *f,
                                const struct matcher *set);

/*
 * As in scrub.h.
 * Errors: those of the scrub and of the next sink; AG_ENOMEM; AG_ELIMIT: what
 *         is put instead of values is sixteen times as long as a record may be.
 */
AG_CHECK AG_NONNULL enum ag_err format_feed(struct format_filter *f,
                                            struct span part);
AG_CHECK AG_NONNULL enum ag_err format_settle(struct format_filter *f);
AG_CHECK AG_NONNULL enum ag_err format_idle(struct format_filter *f);
AG_CHECK AG_NONNULL enum ag_err format_finish(struct format_filter *f);

/* Is anything held that format_idle() could let out? Half a record is not. */
AG_NONNULL bool format_is_holding(const struct format_filter *f);

#endif
