#include "base/paths.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/span.h"

/* A variable that is set, not empty and absolute; XDG says to ignore others. */
static const char *
absolute(const char *variable)
{
    const char *value = getenv(variable); // NOLINT(concurrency-mt-unsafe)

    return value != NULL && value[0] == '/' ? value : NULL;
}

static AG_PRINTF(3, 4) enum ag_err
    put(char *out, size_t cap, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(out, cap, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= cap) {
        return err_why(AG_EINVAL, "a path is longer than %zu bytes: %.80s...",
                       cap - 1, out);
    }
    return AG_OK;
}

/* $VARIABLE/auth-guard, or $HOME/FALLBACK/auth-guard. */
static enum ag_err
user_dir(char out[PATH_BYTES], const char *variable, const char *fallback)
{
    const char *base = absolute(variable);
    const char *home = absolute("HOME");

    if (base != NULL) {
        return put(out, PATH_BYTES, "%s/auth-guard", base);
    }
    if (home == NULL) {
        return err_why(AG_EINVAL, "HOME is not set to an absolute path");
    }
    return put(out, PATH_BYTES, "%s/%s/auth-guard", home, fallback);
}

static enum ag_err
find_home(struct paths *p, bool *ret_given)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char *given = getenv("AUTH_GUARD_HOME");

    *ret_given = given != NULL && given[0] != '\0';
    if (!*ret_given) {
        return user_dir(p->home, "XDG_DATA_HOME", ".local/share");
    }
    if (given[0] != '/') {
        return err_why(AG_EINVAL, "AUTH_GUARD_HOME must be an absolute path");
    }
    return put(p->home, PATH_BYTES, "%s", given);
}

/*
 * A home given by hand has its sockets inside, so two vaults never share them;
 * the usual one has them in $XDG_RUNTIME_DIR. AUTH_GUARD_SOCKET names one
 * socket; the others are its neighbours.
 */
static enum ag_err
find_run(struct paths *p, bool home_given)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char *socket = getenv("AUTH_GUARD_SOCKET");
    const char *runtime = absolute("XDG_RUNTIME_DIR");
    const char *slash;

    if (socket == NULL || socket[0] == '\0') {
        return runtime != NULL && !home_given
                   ? put(p->run, PATH_BYTES, "%s/auth-guard", runtime)
                   : put(p->run, PATH_BYTES, "%s/run", p->home);
    }
    slash = strrchr(socket, '/');
    if (socket[0] != '/' || slash == socket || slash[1] == '\0') {
        return err_why(AG_EINVAL, "AUTH_GUARD_SOCKET must be an absolute path "
                                  "of a socket");
    }
    return put(p->run, PATH_BYTES, "%.*s", (int)(slash - socket), socket);
}

static enum ag_err
find_sockets(struct paths *p)
{
    const char *names[] = {"admin.sock", "task.sock", "fd.sock", "proxy.sock"};
    char *slots[] = {p->admin_sock, p->task_sock, p->fd_sock, p->proxy_sock};
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char *socket = getenv("AUTH_GUARD_SOCKET");
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(slots); i++) {
        int len =
            snprintf(slots[i], SOCKET_PATH_BYTES, "%s/%s", p->run, names[i]);

        if (len < 0 || len >= SOCKET_PATH_BYTES) {
            return err_why(AG_EINVAL,
                           "%s is too long for a socket (%d bytes); "
                           "set XDG_RUNTIME_DIR or a shorter "
                           "AUTH_GUARD_HOME",
                           p->run, SOCKET_PATH_BYTES - 1);
        }
    }
    if (socket == NULL || socket[0] == '\0') {
        socket = p->admin_sock;
    }
    return put(p->api_sock, SOCKET_PATH_BYTES, "%s", socket);
}

static bool
is_dir(const char *path)
{
    return access(path, R_OK | X_OK) == 0;
}

/*
 * A program in the build tree uses the source tree's schema/; an installed one
 * what lies beside it (PREFIX/bin/../share/auth-guard), else the directory that
 * was named when it was built.
 */
enum ag_err
paths_find_data(struct paths *p)
{
    char exe[PATH_BYTES];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;

    if (len > 0 && (size_t)len < sizeof(exe) - 1) {
        exe[len] = '\0';
        if (span_starts(span_str(exe), span_str(AG_BUILD_DIR "/"))) {
            (void)!put(p->rules, PATH_BYTES, "%s", AG_BUILD_DIR "/rules");
            return put(p->data, PATH_BYTES, "%s", AG_SCHEMA_DIR);
        }
        for (int up = 0; up < 2; up++) {
            slash = strrchr(exe, '/');
            *(slash == NULL ? exe : slash) = '\0';
        }
        if (put(p->data, PATH_BYTES, "%s/share/auth-guard", exe) == AG_OK &&
            is_dir(p->data)) {
            return put(p->rules, PATH_BYTES, "%s/lib/auth-guard", exe);
        }
    }
    (void)!put(p->rules, PATH_BYTES, "%s", AG_LIB_DIR);
    return put(p->data, PATH_BYTES, "%s", AG_DATA_DIR);
}

static enum ag_err
find_addr(struct paths *p)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char *addr = getenv("AUTH_GUARD_ADDR");

    return put(p->addr, sizeof(p->addr), "%s", addr == NULL ? "" : addr);
}

enum ag_err
paths_find(struct paths *ret)
{
    struct paths p = {0};
    bool home_given = false;
    enum ag_err err = find_home(&p, &home_given);

    err = err != AG_OK ? err : find_run(&p, home_given);
    err = err != AG_OK ? err : find_sockets(&p);
    err = err != AG_OK ? err : user_dir(p.config, "XDG_CONFIG_HOME", ".config");
    err = err != AG_OK ? err : paths_find_data(&p);
    err = err != AG_OK ? err : find_addr(&p);
    if (err == AG_OK) {
        *ret = p;
    }
    return err;
}
