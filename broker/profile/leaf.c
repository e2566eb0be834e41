#include "profile/leaf.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "profile/fields.h"

enum ag_err
walk_wrong(const struct leaf_walk *w, const char *what)
{
    return err_why(AG_EINVAL, "line %zu: %s", w->line, what);
}

enum ag_err
walk_push(struct leaf_walk *w, struct span name, size_t *ret_mark)
{
    size_t mark = w->pointer.len;
    enum ag_err err = buf_add_byte(&w->pointer, '/');

    for (size_t i = 0; err == AG_OK && i < name.len; i++) {
        if (name.ptr[i] == '~') {
            err = buf_add_str(&w->pointer, "~0");
        } else if (name.ptr[i] == '/') {
            err = buf_add_str(&w->pointer, "~1");
        } else if (name.ptr[i] == '\0') {
            err = walk_wrong(w, "NUL in a name");
        } else {
            err = buf_add_byte(&w->pointer, name.ptr[i]);
        }
    }
    if (err != AG_OK) {
        buf_truncate(&w->pointer, mark);
        return err;
    }
    *ret_mark = mark;
    return AG_OK;
}

enum ag_err
walk_push_index(struct leaf_walk *w, size_t index, size_t *ret_mark)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", index);

    AG_ASSERT(len > 0 && (size_t)len < sizeof(text));
    return walk_push(w, span_of(text, (size_t)len), ret_mark);
}

void
walk_pop(struct leaf_walk *w, size_t mark)
{
    buf_truncate(&w->pointer, mark);
}

enum ag_err
walk_leaf(struct leaf_walk *w, enum leaf_kind kind, enum leaf_spelling spelling,
          struct span raw, size_t indent)
{
    struct leaf leaf = {
        .pointer = buf_cstr(&w->pointer),
        .kind = kind,
        .spelling = spelling,
        .raw = raw,
        .indent = indent,
    };

    if (leaf.pointer == NULL) {
        return AG_ENOMEM;
    }
    if (++w->count > FIELDS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d fields", FIELDS_MAX_COUNT);
    }
    return w->each(w->arg, &leaf);
}

enum ag_err
walk_named(struct leaf_walk *w, struct span name, enum leaf_spelling spelling,
           struct span raw)
{
    size_t mark = 0;
    enum ag_err err = walk_push(w, name, &mark);

    if (err == AG_OK) {
        err = walk_leaf(w, LEAF_STRING, spelling, raw, 0);
        walk_pop(w, mark);
    }
    return err;
}

bool
walk_line(struct leaf_walk *w, struct span *ret)
{
    struct span rest = span_sub(w->in, w->at, w->in.len - w->at);
    size_t len = span_find(rest, '\n');

    if (rest.len == 0) {
        return false;
    }
    w->at += len < rest.len ? len + 1 : len;
    w->line++;
    if (len > 0 && rest.ptr[len - 1] == '\r') {
        len--;
    }
    *ret = span_sub(rest, 0, len);
    return true;
}

struct span
span_trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_sub(text, 1, text.len - 1);
    }
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

enum ag_err
leaf_walk(struct span content, enum file_format format, leaf_fn each, void *arg)
{
    static enum ag_err (*const SCANNERS[])(struct leaf_walk *) = {
        [FORMAT_OPAQUE] = leaf_whole, [FORMAT_JSON] = leaf_json,
        [FORMAT_YAML] = leaf_yaml,    [FORMAT_INI] = leaf_ini,
        [FORMAT_TOML] = leaf_toml,    [FORMAT_ENV] = leaf_env,
        [FORMAT_NETRC] = leaf_netrc,  [FORMAT_PGPASS] = leaf_pgpass,
        [FORMAT_URLS] = leaf_urls,    [FORMAT_PEM] = leaf_whole,
        [FORMAT_SQLITE] = leaf_whole,
    };
    struct leaf_walk w = {.in = content, .each = each, .arg = arg};
    bool lines = format != FORMAT_JSON && format != FORMAT_YAML;
    enum ag_err err;

    if (SCANNERS[format] != leaf_whole && !parse_is_utf8(content)) {
        return err_why(AG_EINVAL, "it is not UTF-8 text");
    }
    w.line = lines ? 0 : 1; /* walk_line() counts the one it gives */
    buf_init(&w.pointer, FIELD_POINTER_MAX_BYTES, BUF_WIPE);
    err = SCANNERS[format](&w);
    buf_done(&w.pointer);
    return err;
}

struct span
url_user(struct span url)
{
    struct span password = url_password(url);
    const uint8_t *start;

    if (password.ptr == NULL) {
        return span_of(NULL, 0);
    }
    start = memmem(url.ptr, url.len, "://", 3);
    AG_ASSERT(start != NULL);
    start += 3;
    return span_of(start, (size_t)(password.ptr - 1 - start));
}

struct span
url_password(struct span url)
{
    const uint8_t *start =
        url.len == 0 ? NULL : memmem(url.ptr, url.len, "://", 3);
    struct span authority;
    size_t colon;
    size_t at;

    if (start == NULL || start == url.ptr) {
        return span_of(NULL, 0);
    }
    for (const uint8_t *p = url.ptr; p < start; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

        if (!letter &&
            (p == url.ptr || memchr("0123456789+-.", *p, 13) == NULL)) {
            return span_of(NULL, 0);
        }
    }
    start += 3;
    authority = span_of(start, url.len - (size_t)(start - url.ptr));
    authority.len = span_find(authority, '/');
    authority.len = span_find(authority, '?');
    at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@') {
        at--;
    }
    colon = span_find(authority, ':');
    if (at == 0 || colon + 1 >= at) {
        return span_of(NULL, 0);
    }
    return span_sub(authority, colon + 1, at - 1 - colon - 1);
}
