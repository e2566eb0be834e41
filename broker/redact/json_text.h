/*
 * json_text.h - the text that a JSON string stands for, and back.
 * Floor: redact. Depends on: base/buf, redact/sink.
 *
 * A surrogate that is alone becomes the three bytes that UTF-8 would have for
 * it, and these become its escape again.
 */
#ifndef AG_REDACT_JSON_TEXT_H
#define AG_REDACT_JSON_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Appends the text of a string, given as json_scan.h has found it.
 * Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err json_text_decode(struct span raw,
                                                 struct buf *out);

/* Appends `text` as it stands between quotes. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err json_text_encode(struct span text,
                                                 struct buf *out);

#endif
