/*
 * format_event.h - one server-sent event: JSON in its data is a record, or in
 * each line of it; all else is text.
 * Floor: redact. Depends on: redact/records.
 * Source: HTML Living Standard, section 9.2.6; a lone CR ends no line here.
 */
#ifndef AG_REDACT_FORMAT_EVENT_H
#define AG_REDACT_FORMAT_EVENT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/records.h"

/* `event` with the empty line that ends it, if there is one; `offset` is where
 * it stands in the stream. Errors: those of records_json(). */
AG_CHECK AG_NONNULL enum ag_err
format_event_put(struct records *r, struct span event, uint64_t offset);

#endif
