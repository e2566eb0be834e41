/*
 * format_split.h - a stream cut into records, and these passed on: lines, one
 * text, or events.
 * Floor: redact. Depends on: redact/records.
 */
#ifndef AG_REDACT_FORMAT_SPLIT_H
#define AG_REDACT_FORMAT_SPLIT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/format.h"
#include "redact/records.h"

struct format_split;

/* STREAM_JSONL, STREAM_JSON or STREAM_SSE; `records` is borrowed.
 * Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err format_split_new(enum format format,
                                                 struct records *records,
                                                 struct format_split **ret);
void format_split_free(struct format_split *s);
AG_DEFINE_CLEANUP(format_split, format_split_free)

/* Errors: those of records_json() and records_text(). finish does not finish
 * the records. */
AG_CHECK AG_NONNULL enum ag_err format_split_feed(struct format_split *s,
                                                  struct span part);
AG_CHECK AG_NONNULL enum ag_err format_split_finish(struct format_split *s);

#endif
