/*
 * record.h - reading the record: exposure ledger and audit.
 * Floor: core. Depends on: store/audit, store/exposure.
 */
#ifndef AG_CORE_RECORD_H
#define AG_CORE_RECORD_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

struct db_read;
struct exposure_row;

/* GET /v1/exposure: exactly one of the two is set. Of a task also `rotate`, what
 * must be rotated after it (core/incident.h). */
AG_CHECK enum ag_err record_exposure(struct core *core, const char *secret,
                                     const char *task, json_t **ret);

/* One row of it as told. */
AG_CHECK AG_NONNULL enum ag_err
record_exposure_item(struct db_read *r, const struct exposure_row *row,
                     json_t **ret);

/* GET /v1/audit: rows after `after` (newest `limit` when after is -1).
 * *ret: {rows: [...], last}. */
AG_CHECK AG_NONNULL enum ag_err record_audit(struct core *core, int64_t after,
                                             int64_t limit, json_t **ret);

/* GET /v1/audit/verify: {rows, head, ok: true}, or AG_ECORRUPT with a
 * sentence that names the first row that does not verify. */
AG_CHECK AG_NONNULL enum ag_err record_verify(struct core *core, json_t **ret);

/* GET /v1/audit/export: JSON lines with chain values, from `after` on. */
AG_CHECK AG_NONNULL enum ag_err record_export(struct core *core, int64_t after,
                                              struct buf *out);

/* GET /v1/profiles and /v1/profiles/{name}. */
AG_CHECK AG_NONNULL enum ag_err record_profiles(struct core *core,
                                                json_t **ret);
AG_CHECK AG_NONNULL enum ag_err record_profile(struct core *core,
                                               const char *name, json_t **ret);

/* POST /v1/redact: one bounded body, answered whole. *ret: {text, hits,
 * counts}. Blocks for the filter. */
AG_CHECK AG_NONNULL enum ag_err record_redact(struct core *core,
                                              const struct call *call,
                                              struct span text, json_t **ret);

#endif
