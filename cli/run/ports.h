/*
 * ports.h - the broker's ports on 127.0.0.1, as it wrote them down.
 * Floor: cli/run. Depends on: base/paths, base/fsx, base/parse.
 */
#ifndef AG_CLI_RUN_PORTS_H
#define AG_CLI_RUN_PORTS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"

#define PORTS_TASK  "port"       /* what task.sock has */
#define PORTS_PROXY "proxy.port" /* what proxy.sock has */

/* Reads run/NAME. Errors: AG_EUNSUPPORTED there is none. */
AG_CHECK AG_NONNULL enum ag_err ports_read(const struct paths *paths,
                                           const char *name, uint16_t *ret);

#endif
