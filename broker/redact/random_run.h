/*
 * random_run.h - do FRAGMENT_MIN_BYTES look random (fragments.h)?
 * Floor: redact. Depends on: redact/strength.
 */
#ifndef AG_REDACT_RANDOM_RUN_H
#define AG_REDACT_RANDOM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* So many bytes from `at` on: changes, many digits, or words of letters only. */
AG_NONNULL bool random_run_at(const uint8_t *at);

/* Where the first that do begin; run.len: nowhere. */
size_t random_run_in(struct span run);

#endif
