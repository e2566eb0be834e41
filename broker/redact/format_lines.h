/*
 * format_lines.h - text whose lines begin with marks that have to stay: quotes
 * and lists of Markdown, the signs of a diff, line numbers.
 * Floor: redact. Depends on: redact/scrub, redact/format.
 *
 * The text is searched as a whole. Where a hole reaches over lines each of them
 * stays a line, with its mark and a marker of its own: a diff has as many lines
 * in each hunk as before.
 */
#ifndef AG_REDACT_FORMAT_LINES_H
#define AG_REDACT_FORMAT_LINES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/format.h"
#include "redact/scrub.h"
#include "redact/sink.h"

struct format_lines;

enum {
    FORMAT_MARK_MAX_BYTES = 32, /* more at a line's start is text */
};

/* STREAM_MARKDOWN or STREAM_DIFF. All as in format.h. */
AG_CHECK AG_NONNULL enum ag_err
format_lines_new(enum format format, const struct scrub_terms *terms,
                 const struct sink *next, struct format_lines **ret);
void format_lines_free(struct format_lines *f);
AG_DEFINE_CLEANUP(format_lines, format_lines_free)
AG_CHECK enum ag_err format_lines_use(struct format_lines *f,
                                      const struct matcher *set);
AG_CHECK AG_NONNULL enum ag_err format_lines_feed(struct format_lines *f,
                                                  struct span part);
AG_CHECK AG_NONNULL enum ag_err format_lines_settle(struct format_lines *f);
AG_CHECK AG_NONNULL enum ag_err format_lines_idle(struct format_lines *f);
AG_CHECK AG_NONNULL enum ag_err format_lines_finish(struct format_lines *f);
AG_NONNULL bool format_lines_is_holding(const struct format_lines *f);

/* How many bytes at the start of a line are its mark. */
size_t format_mark_len(enum format format, struct span line);

#endif
