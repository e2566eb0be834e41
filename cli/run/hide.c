#include "run/hide.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glob.h>

#include "base/buf.h"
#include "profile/expand.h"
#include "run/view.h"

enum {
    PATH_TEXT_BYTES = PATH_MAX,
};

/* Without segments that lead up or nowhere: those only mean something resolved.
 */
static bool
is_plain(const char *path)
{
    static const char *const odd[] = {"//", "/./", "/../"};
    size_t len = strlen(path);
    bool plain = len > 0 && path[len - 1] != '/';

    for (size_t i = 0; plain && i < AG_COUNT(odd); i++) {
        plain = strstr(path, odd[i]) == NULL;
    }
    return plain && (len < 2 || strcmp(path + len - 2, "/.") != 0) &&
           (len < 3 || strcmp(path + len - 3, "/..") != 0);
}

/* As far as it exists; then as it is written. */
static char *
resolve_odd(const char *path)
{
    char there[PATH_TEXT_BYTES];
    char *real = NULL;
    char *whole = NULL;
    size_t len = strlen(path);

    memcpy(there, path, len + 1);
    while (len > 0 && (real = realpath(there, NULL)) == NULL) {
        while (len > 0 && there[len - 1] != '/') {
            len--;
        }
        len -= len > 0 ? 1 : 0;
        there[len] = '\0';
    }
    if (asprintf(&whole, "%s%s",
                 real == NULL || strcmp(real, "/") == 0 ? "" : real,
                 path + len) < 0) {
        whole = NULL;
    }
    free(real);
    return whole;
}

enum ag_err
hide_path(struct view *v, const char *path)
{
    char *real = NULL;
    enum ag_err err = AG_OK;

    if (strlen(path) >= PATH_TEXT_BYTES) {
        return AG_OK; /* no file has such a name */
    }
    if (is_plain(path)) {
        err = trail_follow(&v->trail, path, &real);
    } else {
        real = resolve_odd(path);
        err = real == NULL ? AG_ENOMEM : AG_OK;
    }
    if (err == AG_OK && strlen(real) < PATH_TEXT_BYTES && is_plain(real)) {
        err = view_hide(v, real);
    }
    free(real);
    return err;
}

static enum ag_err
hide_matches(struct view *v, const char *pattern)
{
    glob_t found = {0};
    enum ag_err err = AG_OK;

    if (glob(pattern, GLOB_NOSORT | GLOB_PERIOD, NULL, &found) == 0) {
        for (size_t i = 0; err == AG_OK && i < found.gl_pathc; i++) {
            err = hide_path(v, found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return err;
}

static enum ag_err
hide_pattern(struct view *v, const char *path, enum hide_patterns how)
{
    char folder[PATH_TEXT_BYTES];
    size_t plain = strcspn(path, "*?[");

    if (path[plain] == '\0') {
        return hide_path(v, path);
    }
    while (plain > 0 && path[plain] != '/') {
        plain--;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)plain, path);
    /* Never the whole home, or more. */
    if (how == HIDE_MATCHES || view_is_below(v->home, folder) ||
        view_is_below(v->home_real, folder)) {
        return hide_matches(v, path);
    }
    return hide_path(v, folder);
}

/* Expands and hides it, unless it comes to `*seen` again, which is set.
 * A variable that is not set: no such place. */
static enum ag_err
hide_expanded(struct view *v, const char *tmpl, enum expand_flags flags,
              enum hide_patterns how, struct buf *seen)
{
    struct expand_env env = expand_env_process();
    AG_AUTO(buf) struct buf path;
    enum ag_err err;

    buf_init(&path, PATH_TEXT_BYTES - 1, BUF_PLAIN);
    err = expand_path(tmpl, &env, flags, &path);
    if (err == AG_OK && !span_equal(buf_view(&path), buf_view(seen))) {
        err = hide_pattern(v, buf_cstr(&path), how);
    }
    if (err == AG_OK) {
        buf_done(seen);
        *seen = path;
        buf_init(&path, 1, BUF_PLAIN);
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
hide_template(struct view *v, const char *tmpl, enum hide_patterns how)
{
    AG_AUTO(buf) struct buf seen;
    enum ag_err err;

    buf_init(&seen, 1, BUF_PLAIN);
    err = hide_expanded(v, tmpl, EXPAND_USUAL, how, &seen);
    return err == AG_OK && strchr(tmpl, '$') != NULL
               ? hide_expanded(v, tmpl, EXPAND_DEFAULTS, how, &seen)
               : err;
}

enum ag_err
hide_as_written(struct view *v, const char *text)
{
    char path[PATH_TEXT_BYTES];
    bool whole = text[0] == '/';
    int n = snprintf(path, sizeof(path), "%s%s%s", whole ? "" : v->cwd,
                     whole ? "" : "/", text);

    if (n <= 0 || (size_t)n >= sizeof(path) || text[0] == '\0') {
        return err_why(AG_EUSAGE, "--hide needs a path, not '%s'", text);
    }
    while (n > 1 && path[n - 1] == '/') {
        path[--n] = '\0';
    }
    if (view_is_below(v->cwd, path) || view_is_below(v->home_real, path)) {
        return err_why(AG_EUSAGE,
                       "--hide %s would hide your home or where you stand",
                       text);
    }
    return hide_path(v, path);
}
