#include "move/own_path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Does `tmpl` mean a file in the directory of `path`? Then the path as it says
 * it is in `out`. */
static bool
spell(const char *tmpl, const struct expand_env *env, enum expand_flags flags,
      const char *path, struct buf *out)
{
    const char *base = strrchr(path, '/');
    size_t dir_len = (size_t)(base - path);
    char real[PATH_MAX];
    char *slash;

    buf_clear(out);
    if (expand_path(tmpl, env, flags, out) != AG_OK || buf_cstr(out) == NULL) {
        return false; /* not a place on this machine */
    }
    slash = strrchr((char *)out->ptr, '/');
    if (slash == NULL || slash == (char *)out->ptr) {
        return false;
    }
    buf_truncate(out, (size_t)(slash - (char *)out->ptr));
    if (buf_cstr(out) == NULL || realpath(buf_cstr(out), real) == NULL ||
        strlen(real) != dir_len || strncmp(real, path, dir_len) != 0) {
        return false;
    }
    return buf_add_str(out, base) == AG_OK && buf_cstr(out) != NULL;
}

static bool
spell_by(const struct profile *p, const struct expand_env *env,
         const char *path, struct buf *out)
{
    static const enum expand_flags FLAGS[] = {EXPAND_USUAL, EXPAND_DEFAULTS};

    for (size_t i = 0; i < p->files.count; i++) {
        const struct profile_file *f = &p->files.items[i];

        for (size_t k = 0; f->path != NULL && k < AG_COUNT(FLAGS); k++) {
            if (spell(f->path, env, FLAGS[k], path, out) &&
                profile_is_own_path(f, env, buf_cstr(out))) {
                return true;
            }
        }
    }
    return false;
}

enum ag_err
own_path(const struct profiles *ps, const struct expand_env *env,
         const char *path, char **ret)
{
    AG_AUTO(buf) struct buf spelled = {0};
    const char *found = path;
    char *copy = NULL;

    buf_init(&spelled, PATH_MAX, BUF_PLAIN);
    for (size_t i = 0; i < profiles_count(ps) && found == path; i++) {
        if (spell_by(profiles_at(ps, i), env, path, &spelled)) {
            found = buf_cstr(&spelled);
        }
    }
    copy = strdup(found);
    if (copy == NULL) {
        return AG_ENOMEM;
    }
    *ret = copy;
    return AG_OK;
}
