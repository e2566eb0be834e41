/*
 * records.h - the records of a transcript, in their order: JSON (json_record.h),
 * and what stands between it, which is text.
 * Floor: redact. Depends on: redact/json_record, redact/scrub.
 *
 * Texts that come in parts, one in each record (json_keys.h), are searched as
 * one: a record whose part is not decided yet waits, and those behind it. What
 * is taken out leaves its marker in the record where it begins. What is left of
 * a part is then searched by itself, as any string. A text ends
 * when RECORDS_SILENT_COUNT records have come without a part of it, when
 * RECORDS_TEXTS_MAX_COUNT others go on, when more than RECORDS_WAITING_MAX_BYTES
 * wait, or with the stream. When idle a part goes out whole or not at all:
 * scrub_idle_whole().
 */
#ifndef AG_REDACT_RECORDS_H
#define AG_REDACT_RECORDS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/json_record.h"
#include "redact/scrub.h"
#include "redact/sink.h"

struct records;

enum {
    RECORDS_TEXTS_MAX_COUNT = 4, /* at once; each has locked buffers */
    RECORDS_SILENT_COUNT = 64,
    RECORDS_WAITING_MAX_BYTES = 4 * 1024 * 1024,
};

/* Of `terms` the borders are not looked at. Errors: as scrub_new(). */
AG_CHECK AG_NONNULL enum ag_err records_new(const struct scrub_terms *terms,
                                            const struct sink *next,
                                            struct records **ret);
void records_free(struct records *r);
AG_DEFINE_CLEANUP(records, records_free)

/* As scrub_use(); `set` is looked at in all that follow. */
AG_CHECK enum ag_err records_use(struct records *r, const struct matcher *set);

/*
 * Takes a record; *ret_is_json false: it is none, nothing has happened.
 * Errors: those of the next sink and of the scrub; AG_ENOMEM; AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err
records_json(struct records *r, const struct record *record, bool *ret_is_json);

/* Text between records: with what follows it without a record in between, one
 * text. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err records_text(struct records *r,
                                             struct span part, uint64_t offset);

/* As in scrub.h. finish does not finish the next sink. */
AG_CHECK AG_NONNULL enum ag_err records_settle(struct records *r);
AG_CHECK AG_NONNULL enum ag_err records_idle(struct records *r);
AG_CHECK AG_NONNULL enum ag_err records_finish(struct records *r);
AG_NONNULL bool records_is_holding(const struct records *r);

#endif
