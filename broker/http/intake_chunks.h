/*
 * intake_chunks.h - the border of each chunk of a body that is passed on; the
 * rest of the strict machine is intake.c.
 * Floor: http. Depends on: http/intake.
 */
#ifndef AG_HTTP_INTAKE_CHUNKS_H
#define AG_HTTP_INTAKE_CHUNKS_H

#include "base/attr.h"
#include "base/err.h"
#include "http/intake.h"

/* One byte of a state from INTAKE_CHUNK_SIZE to INTAKE_LAST_LF, but for those of
 * a chunk itself. Errors: AG_EHTTP. */
AG_CHECK AG_NONNULL enum ag_err intake_chunk_byte(struct intake *in, uint8_t c);

#endif
