#include "profile/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

static const char *
process_get(void *arg, const char *name)
{
    (void)arg;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets */
}

struct expand_env
expand_env_process(void)
{
    return (struct expand_env){
        .home = process_get(NULL, "HOME"),
        .get = process_get,
    };
}

struct expander {
    const struct expand_env *env; /* NULL: only the grammar is checked */
    enum expand_flags flags;
    struct buf *out;
};

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EINVAL, "path template: %s", what);
}

/* The index of the brace that closes `${` whose content starts the span. */
static size_t
find_close(struct span text)
{
    size_t depth = 1;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') {
            depth++;
        } else if (text.ptr[i] == '}' && --depth == 0) {
            return i;
        }
    }
    return text.len;
}

/* The value of a variable, or NULL when it counts as unset. */
static const char *
lookup(const struct expander *x, struct span name)
{
    char text[160];
    const char *value;

    if (x->env == NULL || x->env->get == NULL ||
        (x->flags & EXPAND_DEFAULTS) != 0 || name.len >= sizeof(text)) {
        return NULL;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    value = x->env->get(x->env->arg, text);
    return value != NULL && value[0] == '/' ? value : NULL;
}

static enum ag_err expand(const struct expander *x, struct span tmpl,
                          unsigned depth);

/* `body` is what stands between `${` and its `}`. */
static enum ag_err
expand_variable(const struct expander *x, struct span body, unsigned depth)
{
    size_t name_len = span_find(body, ':');
    struct span name = span_sub(body, 0, name_len);
    struct span rest = span_sub(body, name_len, body.len - name_len);
    const char *value;

    if (parse_env_name(name) != AG_OK) {
        return malformed("not a variable's name");
    }
    if (rest.len != 0 && !span_starts(rest, span_str(":-"))) {
        return malformed("after a variable's name only :- may follow");
    }
    if (x->env == NULL) {
        return rest.len == 0 ? AG_OK
                             : expand(x, span_sub(rest, 2, rest.len), depth);
    }
    value = lookup(x, name);
    if (value != NULL) {
        size_t len = strlen(value);

        while (len > 1 && value[len - 1] == '/') {
            len--;
        }
        return buf_add(x->out, span_of(value, len));
    }
    return rest.len == 0 ? AG_ENOTFOUND
                         : expand(x, span_sub(rest, 2, rest.len), depth);
}

static enum ag_err
expand_home(const struct expander *x, struct span tmpl)
{
    if (tmpl.len > 1 && tmpl.ptr[1] != '/') {
        return malformed("'~' must be followed by '/'");
    }
    if (x->env == NULL) {
        return AG_OK;
    }
    if (x->env->home == NULL || x->env->home[0] != '/') {
        return err_why(AG_EINVAL, "HOME is not set to an absolute path");
    }
    return buf_add_str(x->out, x->env->home);
}

static enum ag_err
expand(const struct expander *x, struct span tmpl, unsigned depth)
{
    enum ag_err err = AG_OK;
    size_t i = 0;

    if (depth > EXPAND_DEPTH_MAX) {
        return malformed("nested too deep");
    }
    if (tmpl.len > 0 && tmpl.ptr[0] == '~') {
        err = expand_home(x, tmpl);
        i = 1;
    }
    while (err == AG_OK && i < tmpl.len) {
        struct span rest = span_sub(tmpl, i, tmpl.len - i);
        size_t plain = span_find(rest, '$');

        if (plain > 0) {
            err = x->env == NULL ? AG_OK
                                 : buf_add(x->out, span_sub(rest, 0, plain));
            i += plain;
            continue;
        }
        if (rest.len < 2 || rest.ptr[1] != '{') {
            return malformed("'$' must start ${NAME}");
        }
        rest = span_sub(rest, 2, rest.len - 2);
        if (find_close(rest) == rest.len) {
            return malformed("'${' is not closed");
        }
        err =
            expand_variable(x, span_sub(rest, 0, find_close(rest)), depth + 1);
        i += 2 + find_close(rest) + 1;
    }
    return err;
}

enum ag_err
expand_path(const char *tmpl, const struct expand_env *env,
            enum expand_flags flags, struct buf *out)
{
    struct expander x = {.env = env, .flags = flags, .out = out};
    size_t before = out->len;
    enum ag_err err = expand(&x, span_str(tmpl), 0);

    if (err == AG_OK && out->len - before > EXPAND_MAX_BYTES) {
        err = AG_ELIMIT;
    }
    if (err == AG_OK && (out->len == before || out->ptr[before] != '/')) {
        err = malformed("the result is not an absolute path");
    }
    if (err != AG_OK) {
        buf_truncate(out, before);
    }
    return err;
}

enum ag_err
expand_check(const char *tmpl)
{
    struct expander x = {.env = NULL};

    if (!parse_is_text(span_str(tmpl)) ||
        (tmpl[0] != '~' && tmpl[0] != '/' && tmpl[0] != '$')) {
        return malformed("must start with '~', '/' or '${'");
    }
    return expand(&x, span_str(tmpl), 0);
}

/* Iterative, with one point to go back to, so that no pattern costs more than
 * len * len. */
bool
glob_match_span(struct span p, struct span t)
{
    size_t pi = 0;
    size_t ti = 0;
    size_t star = SIZE_MAX;
    size_t star_at = 0;

    while (ti < t.len) {
        if (pi < p.len && p.ptr[pi] == '*') {
            star = pi++;
            star_at = ti;
        } else if (pi < p.len && p.ptr[pi] == t.ptr[ti]) {
            pi++;
            ti++;
        } else if (star != SIZE_MAX) {
            pi = star + 1;
            ti = ++star_at;
        } else {
            return false;
        }
    }
    while (pi < p.len && p.ptr[pi] == '*') {
        pi++;
    }
    return pi == p.len;
}

/* One segment of a path: no star stands for a leading dot. */
static bool
match_segment(struct span p, struct span t)
{
    bool hidden = t.len > 0 && t.ptr[0] == '.';

    return (!hidden || (p.len > 0 && p.ptr[0] == '.')) && glob_match_span(p, t);
}

bool
glob_match(const char *pattern, const char *text)
{
    return match_segment(span_str(pattern), span_str(text));
}

bool
glob_match_path(const char *pattern, const char *path)
{
    struct span p = span_str(pattern);
    struct span t = span_str(path);

    for (;;) {
        size_t p_len = span_find(p, '/');
        size_t t_len = span_find(t, '/');

        if (!match_segment(span_sub(p, 0, p_len), span_sub(t, 0, t_len)) ||
            (p_len == p.len) != (t_len == t.len)) {
            return false;
        }
        if (p_len == p.len) {
            return true;
        }
        p = span_sub(p, p_len + 1, p.len - p_len - 1);
        t = span_sub(t, t_len + 1, t.len - t_len - 1);
    }
}
