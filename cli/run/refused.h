/*
 * refused.h - what a task wanted and did not get, told to the person when it
 * has ended: the hosts that --allow would have permitted.
 * Floor: cli/run. Depends on: out, base/buf.
 */
#ifndef AG_CLI_RUN_REFUSED_H
#define AG_CLI_RUN_REFUSED_H

#include <jansson.h>

#include "base/attr.h"
#include "out.h"

/* One line, of the broker's answer to the task's end; NULL, or nothing was
 * refused: none. */
void refused_tell(const struct out *out, const json_t *receipt);

#endif
