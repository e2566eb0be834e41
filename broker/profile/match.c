#include <string.h>

#include "base/buf.h"
#include "profile/expand.h"
#include "profile/load.h"

/* Which profile a path belongs to. */

static bool
any_glob(const struct strings *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (glob_match(patterns->items[i], name)) {
            return true;
        }
    }
    return false;
}

static bool
matches_template(const char *tmpl, const struct expand_env *env,
                 enum expand_flags flags, const char *path)
{
    AG_AUTO(buf) struct buf pattern = {0};

    buf_init(&pattern, EXPAND_MAX_BYTES, BUF_PLAIN);
    return expand_path(tmpl, env, flags, &pattern) == AG_OK &&
           buf_cstr(&pattern) != NULL &&
           glob_match_path(buf_cstr(&pattern), path);
}

bool
profile_is_own_path(const struct profile_file *f, const struct expand_env *env,
                    const char *path)
{
    return f->path != NULL &&
           (matches_template(f->path, env, EXPAND_USUAL, path) ||
            matches_template(f->path, env, EXPAND_DEFAULTS, path));
}

enum match_how {
    MATCH_PATH,
    MATCH_NAME,
};

static bool
matches(const struct profile_file *f, const struct expand_env *env,
        const char *path, enum match_how how)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;

    if (any_glob(&f->except, base)) {
        return false;
    }
    switch (how) {
    case MATCH_PATH:
        return profile_is_own_path(f, env, path);
    case MATCH_NAME:
        return any_glob(&f->names, base);
    }
    return false;
}

static bool
find_in(const struct profile *p, const struct expand_env *env, const char *path,
        enum match_how how, size_t *ret)
{
    for (size_t i = 0; i < p->files.count; i++) {
        if (matches(&p->files.items[i], env, path, how)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

enum ag_err
profile_file_for_path(const struct profile *p, const struct expand_env *env,
                      const char *path, size_t *ret)
{
    if (find_in(p, env, path, MATCH_PATH, ret) ||
        find_in(p, env, path, MATCH_NAME, ret)) {
        return AG_OK;
    }
    return err_why(AG_ENOTFOUND, "profile %s has no file like %s", p->name,
                   path);
}

enum ag_err
profile_for_name(const struct profiles *ps, const char *name,
                 struct profile_match *ret)
{
    for (size_t i = 0; i < profiles_count(ps); i++) {
        const struct profile *p = profiles_at(ps, i);

        for (size_t k = 0; k < p->files.count; k++) {
            const struct profile_file *f = &p->files.items[k];

            if (f->names.count > 0 && any_glob(&f->names, name) &&
                !any_glob(&f->except, name)) {
                *ret = (struct profile_match){p, k};
                return AG_OK;
            }
        }
    }
    return AG_ENOTFOUND;
}

enum ag_err
profile_for_path(const struct profiles *ps, const struct expand_env *env,
                 const char *path, struct profile_match *ret)
{
    static const enum match_how HOWS[] = {MATCH_PATH, MATCH_NAME};

    static const enum profile_origin ORIGINS[] = {ORIGIN_SHIPPED, ORIGIN_USER};

    size_t index = 0;

    for (size_t step = 0; step < AG_COUNT(HOWS) * AG_COUNT(ORIGINS); step++) {
        for (size_t i = 0; i < profiles_count(ps); i++) {
            const struct profile *p = profiles_at(ps, i);

            if (p->origin == ORIGINS[step % 2] &&
                find_in(p, env, path, HOWS[step / 2], &index)) {
                *ret = (struct profile_match){p, index};
                return AG_OK;
            }
        }
    }
    return err_why(AG_ENOTFOUND, "no profile knows %s; name one by --profile",
                   path);
}
