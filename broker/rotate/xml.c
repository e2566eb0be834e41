#include "rotate/xml.h"

#include <string.h>

#include "base/buf.h"

struct walk {
    struct span in;
    size_t at;
    struct buf path; /* of the open elements */
    size_t depth;
    bool had_root;
    size_t text_at; /* behind the last opening tag; 0: a closing one came */
    const char *want;
    size_t nth;
    bool found;
    struct span text;
};

static bool
is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                    (c >= 'a' && c <= 'z') || c == '_' || c == '-' ||
                    c == '.' || c == ':';

        if (!good) {
            return false;
        }
    }
    return name.len > 0;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum ag_err
open_element(struct walk *w, struct span name)
{
    enum ag_err err = AG_OK;

    if (!is_name(name) || w->depth == XML_DEPTH_MAX ||
        (w->depth == 0 && w->had_root)) {
        return AG_EINVAL;
    }
    if (w->depth > 0) {
        err = buf_add_byte(&w->path, '/');
    }
    w->had_root = true;
    w->depth++;
    w->text_at = w->at;
    err = err == AG_OK ? buf_add(&w->path, name) : err;
    return err == AG_ELIMIT ? AG_EINVAL : err;
}

/* The open element is at the wanted path and has had no children. */
static enum ag_err
take_text(struct walk *w, size_t end)
{
    struct span text = span_sub(w->in, w->text_at, end - w->text_at);

    if (w->found || w->text_at == 0 || !span_is(buf_view(&w->path), w->want)) {
        return AG_OK;
    }
    if (w->nth > 0) {
        w->nth--;
        return AG_OK;
    }
    w->found = true;
    w->text = text;
    return span_find(text, '&') == text.len ? AG_OK : AG_EINVAL;
}

/* `end` is where the closing tag begins. */
static enum ag_err
close_element(struct walk *w, struct span name, size_t end)
{
    struct span path = buf_view(&w->path);
    size_t keep = path.len > name.len ? path.len - name.len : 0;
    enum ag_err err = AG_OK;

    if (w->depth == 0 || name.len > path.len ||
        !span_equal(span_sub(path, path.len - name.len, name.len), name) ||
        (keep > 0 && path.ptr[keep - 1] != '/') ||
        (keep > 0) != (w->depth > 1)) {
        return AG_EINVAL;
    }
    err = take_text(w, end);
    buf_truncate(&w->path, keep > 0 ? keep - 1 : 0);
    w->depth--;
    w->text_at = 0;
    return err;
}

/* What stands between '<' and '>'; `begin` is where the '<' is. */
static enum ag_err
tag(struct walk *w, struct span inside, size_t begin)
{
    bool is_empty = inside.len > 0 && inside.ptr[inside.len - 1] == '/';
    size_t name_len = 0;
    enum ag_err err = AG_OK;

    if (inside.len > 0 && inside.ptr[0] == '?') {
        return w->had_root ? AG_EINVAL : AG_OK;
    }
    if (inside.len > 0 && inside.ptr[0] == '/') {
        return close_element(w, span_sub(inside, 1, inside.len), begin);
    }
    inside.len -= is_empty ? 1 : 0;
    while (name_len < inside.len && !is_blank(inside.ptr[name_len])) {
        name_len++;
    }
    err = open_element(w, span_sub(inside, 0, name_len));
    if (err == AG_OK && is_empty) {
        w->text_at = w->at;
        err = close_element(w, span_sub(inside, 0, name_len), w->at);
    }
    return err;
}

/* Up to the next tag, and over it. False: there is none. */
static bool
next(struct walk *w, enum ag_err *ret)
{
    struct span rest = span_sub(w->in, w->at, w->in.len);
    size_t begin = span_find(rest, '<');
    size_t end = 0;

    for (size_t i = 0; i < begin; i++) {
        if (w->depth == 0 && !is_blank(rest.ptr[i])) {
            *ret = AG_EINVAL; /* text outside the root */
            return false;
        }
    }
    if (begin == rest.len) {
        return false;
    }
    rest = span_sub(rest, begin + 1, rest.len);
    end = span_find(rest, '>');
    if (end == rest.len) {
        *ret = AG_EINVAL;
        return false;
    }
    begin += w->at;
    w->at = begin + 1 + end + 1;
    *ret = tag(w, span_sub(rest, 0, end), begin);
    return *ret == AG_OK;
}

enum ag_err
xml_text(struct span text, const char *path, size_t nth, struct span *ret)
{
    struct walk w = {.in = text, .want = path, .nth = nth};
    enum ag_err err = AG_OK;

    buf_init(&w.path, XML_PATH_BYTES, BUF_PLAIN);
    while (next(&w, &err)) {
    }
    buf_done(&w.path);
    if (err != AG_OK || w.depth > 0 || !w.had_root) {
        return err != AG_OK ? err : AG_EINVAL;
    }
    if (!w.found) {
        return AG_ENOTFOUND;
    }
    *ret = w.text;
    return AG_OK;
}
