/*
 * paths.h - where everything is, from one place: vault, sockets, the broker's
 * program. System mode is another answer of this file and nothing else.
 * Floor: base. Depends on: base/err.
 *
 * Read from the environment: AUTH_GUARD_HOME, AUTH_GUARD_SOCKET,
 * AUTH_GUARD_ADDR, XDG_DATA_HOME, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME.
 */
#ifndef AG_BASE_PATHS_H
#define AG_BASE_PATHS_H

#include "base/attr.h"
#include "base/err.h"

enum {
    PATH_BYTES = 1024,
    SOCKET_PATH_BYTES = 104, /* sun_path less a margin */
};

struct paths {
    char home[PATH_BYTES]; /* of the vault: $AUTH_GUARD_HOME */
    char run[PATH_BYTES];  /* sockets: $XDG_RUNTIME_DIR/auth-guard; home/run
                             when that is not set or AUTH_GUARD_HOME is */
    char config
        [PATH_BYTES]; /* settings.ini, profiles/: $XDG_CONFIG_HOME/auth-guard */
    char data[PATH_BYTES]; /* the content of schema/ (*.sql, profiles/, …), as
                              installed or in the source tree */
    char rules[PATH_BYTES]; /* compiled rules (redact/rule_set.h), installed or
                               in the build tree */
    char admin_sock[SOCKET_PATH_BYTES];
    char task_sock[SOCKET_PATH_BYTES];
    char fd_sock[SOCKET_PATH_BYTES];
    char proxy_sock[SOCKET_PATH_BYTES];
    char api_sock[SOCKET_PATH_BYTES]; /* where a client asks: $AUTH_GUARD_SOCKET
                                         or admin_sock */
    char addr[64]; /* $AUTH_GUARD_ADDR, 127.0.0.1:PORT; "" when not set */
};

/* Only p->data and p->rules, which the environment has no say in. */
AG_CHECK AG_NONNULL enum ag_err paths_find_data(struct paths *p);

/* Errors: AG_EINVAL when HOME is missing or a path is too long or relative. */
AG_CHECK AG_NONNULL enum ag_err paths_find(struct paths *ret);

#endif
