#include "profile/fields.h"

#include <string.h>

#include "base/parse.h"
#include "base/secret.h"
#include "profile/expand.h"
#include "profile/leaf.h"
#include "profile/secrecy.h"

/* The next segment of a pointer that starts with '/'; *pointer moves on. */
static struct span
next_segment(struct span *pointer)
{
    struct span rest = span_sub(*pointer, 1, pointer->len - 1);
    struct span segment = span_sub(rest, 0, span_find(rest, '/'));

    *pointer = span_sub(rest, segment.len, rest.len - segment.len);
    return segment;
}

/* As glob_match_span(), with segments for bytes and `**` for the star. */
static bool
match_pointer(struct span pattern, struct span pointer)
{
    struct span star_pattern = {NULL, 0};
    struct span star_pointer = {NULL, 0};
    bool star = false;

    for (;;) {
        struct span p = pattern;
        struct span t = pointer;

        if (pattern.len > 0 && span_is(next_segment(&p), "**")) {
            star = true;
            star_pattern = p;
            star_pointer = pointer;
            pattern = p;
            continue;
        }
        if (pattern.len == 0 && pointer.len == 0) {
            return true;
        }
        p = pattern;
        if (pattern.len > 0 && pointer.len > 0 &&
            glob_match_span(next_segment(&p), next_segment(&t))) {
            pattern = p;
            pointer = t;
            continue;
        }
        if (!star || star_pointer.len == 0) {
            return false;
        }
        (void)next_segment(&star_pointer);
        pattern = star_pattern;
        pointer = star_pointer;
    }
}

bool
field_match(const char *pattern, const char *pointer)
{
    return match_pointer(span_str(pattern), span_str(pointer));
}

enum ag_err
field_pointer_check(struct span pointer)
{
    if (pointer.len == 0) {
        return AG_OK;
    }
    if (pointer.ptr[0] != '/' || pointer.len > FIELD_POINTER_MAX_BYTES ||
        !parse_is_text(pointer)) {
        return err_why(AG_EINVAL,
                       "a field is a pointer such as /tokens/access_token");
    }
    for (size_t i = 0; i < pointer.len; i++) {
        if (pointer.ptr[i] == '~' &&
            (i + 1 == pointer.len ||
             (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1'))) {
            return err_why(AG_EINVAL,
                           "a field's '~' must be followed by 0 or 1");
        }
    }
    return AG_OK;
}

struct secret_walk {
    struct secrecy secrecy;
    field_secret_fn each;
    void *arg;
};

/* A password inside a URL is a secret of its own: it is printed alone too. */
static enum ag_err
give_url_password(const struct secret_walk *s, const struct leaf *leaf,
                  struct span value)
{
    struct leaf part = {.pointer = leaf->pointer, .spelling = SPELL_PERCENT};
    struct secret *password = NULL;
    enum ag_err err;

    part.raw = url_password(value);
    if (part.raw.len == 0 || secrecy_is_indirect(part.raw)) {
        return AG_OK;
    }
    err = leaf_value(&part, &password);
    return err == AG_OK ? s->each(s->arg, leaf->pointer, password) : err;
}

/* A secret that is JSON again (rclone's `token = {"access_token":…}`): its
 * long strings are secrets of their own, under the outer pointer. */
struct nested {
    const struct secret_walk *outer;
    const char *pointer;
};

static enum ag_err
give_inner(void *arg, const struct leaf *leaf)
{
    const struct nested *n = arg;
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = AG_OK;

    if (leaf->kind == LEAF_STRING) {
        err = leaf_value(leaf, &value);
    }
    if (err != AG_OK || value == NULL ||
        secrecy_is_harmless(secret_view(value))) {
        return err;
    }
    return n->outer->each(n->outer->arg, n->pointer, AG_TAKE(value));
}

static enum ag_err
give_nested(const struct secret_walk *s, const char *pointer, struct span value)
{
    struct nested n = {.outer = s, .pointer = pointer};

    if (value.len < 2 || value.ptr[0] != '{' ||
        fields_check(value, FORMAT_JSON) != AG_OK) {
        return AG_OK;
    }
    return leaf_walk(value, FORMAT_JSON, give_inner, &n);
}

static enum ag_err
give_leaf(void *arg, const struct leaf *leaf)
{
    const struct secret_walk *s = arg;
    AG_AUTO(secret) struct secret *value = NULL;
    struct span view;
    enum ag_err err;

    if (leaf->kind == LEAF_TREE) {
        return AG_OK;
    }
    err = leaf_value(leaf, &value);
    if (err != AG_OK) {
        return err;
    }
    view = secret_view(value);
    if (view.len == 0 || secrecy_is_indirect(view)) {
        return AG_OK;
    }
    if (!s->secrecy.whole) {
        err = give_url_password(s, leaf, view);
        if (err != AG_OK || secrecy_is_open(&s->secrecy, leaf, view)) {
            return err;
        }
        err = give_nested(s, leaf->pointer, view);
    }
    return err == AG_OK ? s->each(s->arg, leaf->pointer, AG_TAKE(value)) : err;
}

enum ag_err
fields_secret(struct span content, const struct profile_file *file,
              field_secret_fn each, void *arg)
{
    enum file_format format =
        file == NULL ? format_guess(content) : file->format;
    struct secret_walk s = {.each = each, .arg = arg};
    enum ag_err err = fields_check(content, format);

    if (err == AG_EINVAL || err == AG_ELIMIT) {
        format = FORMAT_OPAQUE; /* better too much than nothing */
    } else if (err != AG_OK) {
        return err;
    }
    s.secrecy = secrecy_of(file, format);
    return leaf_walk(content, format, give_leaf, &s);
}

struct get_walk {
    struct span pointer;
    struct secret *found;
};

static enum ag_err
get_leaf(void *arg, const struct leaf *leaf)
{
    struct get_walk *g = arg;
    struct secret *value = NULL;
    enum ag_err err;

    if (!span_is(g->pointer, leaf->pointer)) {
        return AG_OK;
    }
    err = leaf_value(leaf, &value);
    if (err == AG_OK) {
        secret_free(g->found); /* of two equal names the last one counts */
        g->found = value;
    }
    return err;
}

enum ag_err
field_get(struct span content, enum file_format format, struct span pointer,
          struct secret **ret)
{
    struct get_walk g = {.pointer = pointer};
    enum ag_err err = field_pointer_check(pointer);

    if (err != AG_OK) {
        return err;
    }
    if (pointer.len == 0) {
        return secret_from(content, ret);
    }
    err = leaf_walk(content, format, get_leaf, &g);
    if (err == AG_OK && g.found == NULL) {
        err = err_why(AG_ENOTFOUND, "the value has no field %.*s",
                      (int)pointer.len, (const char *)pointer.ptr);
    }
    if (err != AG_OK) {
        secret_free(g.found);
        return err;
    }
    *ret = g.found;
    return AG_OK;
}

/* Escapes are checked too: a leaf that can't be decoded is malformed. */
static enum ag_err
check_leaf(void *arg, const struct leaf *leaf)
{
    struct secret *value = NULL;
    enum ag_err err = AG_OK;

    (void)arg;
    if (leaf->kind == LEAF_STRING && leaf->spelling == SPELL_JSON) {
        err = leaf_value(leaf, &value);
        secret_free(value);
    }
    return err;
}

static bool
is_pem(struct span content)
{
    struct span begin = span_str("-----BEGIN ");
    size_t i = 0;

    while (i < content.len &&
           (content.ptr[i] == '\n' || content.ptr[i] == ' ' ||
            content.ptr[i] == '\r')) {
        i++;
    }
    return span_starts(span_sub(content, i, content.len - i), begin) &&
           memmem(content.ptr, content.len, "-----END ", 9) != NULL;
}

enum ag_err
fields_check(struct span content, enum file_format format)
{
    if (format == FORMAT_PEM && !is_pem(content)) {
        return err_why(AG_EINVAL, "it has no -----BEGIN … and -----END line");
    }
    return leaf_walk(content, format, check_leaf, NULL);
}

enum file_format
format_guess(struct span content)
{
    size_t i = 0;

    while (i < content.len && memchr(" \t\r\n", content.ptr[i], 4) != NULL) {
        i++;
    }
    if (i < content.len && (content.ptr[i] == '{' || content.ptr[i] == '[') &&
        fields_check(content, FORMAT_JSON) == AG_OK) {
        return FORMAT_JSON;
    }
    return is_pem(content) ? FORMAT_PEM : FORMAT_OPAQUE;
}
