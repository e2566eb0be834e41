/*
 * conf.h - settings.ini into structs: every key known, every value bounded.
 * Floor: daemon. Depends on: core/core, http/limits, proxy/forward,
 * upstream/upstream, base/parse, inih.
 *
 * schema/settings.ini shows every key with its default and what it bounds; a
 * test holds the two together.
 */
#ifndef AG_DAEMON_CONF_H
#define AG_DAEMON_CONF_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/core.h"
#include "http/limits.h"
#include "proxy/forward.h"
#include "upstream/upstream.h"

struct paths;

enum {
    SETTINGS_FILE_BYTES = 1024, /* a path, with its NUL */
};

struct settings {
    struct core_settings core;
    struct http_limits http;
    struct upstream_limits upstream;
    struct forward_limits forward;
    char ca_file[SETTINGS_FILE_BYTES]; /* "": the system's */
    int64_t tcp_port;                  /* 0: a free one */
    int log_level;                     /* enum log_level */
};

AG_NONNULL void settings_default(struct settings *ret);

/*
 * `text` over what *ret holds.
 * Errors: AG_EINVAL with a sentence that names line, key and reason; *ret is
 *         then unchanged.
 */
AG_CHECK AG_NONNULL enum ag_err settings_parse(struct span text,
                                               struct settings *ret);

/*
 * The defaults, and over them $XDG_CONFIG_HOME/auth-guard/settings.ini if it is
 * there. Errors: as above; AG_EMODE another user could have written it.
 */
AG_CHECK AG_NONNULL enum ag_err settings_load(const struct paths *paths,
                                              struct settings *ret);

#endif
