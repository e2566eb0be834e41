#include <string.h>

#include "profile/fields.h"
#include "profile/leaf.h"

/* The TOML 1.0 that tools write: tables, arrays of tables, (dotted, quoted)
 * keys, strings of all four kinds, inline tables; other values as they stand.
 * Arrays may span lines. */

struct toml {
    struct leaf_walk *w;
    struct span table_name; /* of the last [[array]], to count its elements */
    size_t table_index;
};

static uint8_t
peek(const struct leaf_walk *w)
{
    return w->at < w->in.len ? w->in.ptr[w->at] : 0;
}

static void
skip_blanks(struct leaf_walk *w)
{
    while (peek(w) == ' ' || peek(w) == '\t') {
        w->at++;
    }
}

static void
skip_comment(struct leaf_walk *w)
{
    while (w->at < w->in.len && peek(w) != '\n') {
        w->at++;
    }
}

/* Blanks, comments and line ends. */
static void
skip_lines(struct leaf_walk *w)
{
    for (;;) {
        uint8_t c = peek(w);

        if (c == '#') {
            skip_comment(w);
        } else if (c == '\n') {
            w->line++;
            w->at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            w->at++;
        } else {
            return;
        }
    }
}

/* What may stand between a value and the end of its line. */
static enum ag_err
end_line(struct leaf_walk *w)
{
    skip_blanks(w);
    if (peek(w) == '#') {
        skip_comment(w);
    }
    if (peek(w) == '\r') {
        w->at++;
    }
    return w->at == w->in.len || peek(w) == '\n'
               ? AG_OK
               : walk_wrong(w, "something follows after a value");
}

/* Is the string that `width` quotes opened closed at `i`? */
static bool
closes(struct span rest, size_t i, uint8_t quote, size_t width)
{
    for (size_t k = 0; k < width; k++) {
        if (i + k >= rest.len || rest.ptr[i + k] != quote) {
            return false;
        }
    }
    return true;
}

/* A string at its quote: one line, or several between triple quotes. */
static enum ag_err
take_string(struct leaf_walk *w, struct span *ret, enum leaf_spelling *ret_how)
{
    struct span rest = span_sub(w->in, w->at, w->in.len - w->at);
    uint8_t quote = rest.len > 0 ? rest.ptr[0] : '"';
    size_t width = rest.len >= 6 && closes(rest, 0, quote, 3) ? 3 : 1;
    size_t i = width;

    while (i < rest.len && !closes(rest, i, quote, width)) {
        if (rest.ptr[i] == '\n') {
            if (width == 1) {
                break;
            }
            w->line++;
        }
        i += rest.ptr[i] == '\\' && quote == '"' ? 2 : 1;
    }
    if (!closes(rest, i, quote, width)) {
        return walk_wrong(w, "a string is not closed");
    }
    *ret = span_sub(rest, width, i - width);
    *ret_how = quote == '"' ? SPELL_JSON : SPELL_PLAIN;
    w->at += i + width;
    if (width == 3 && ret->len > 0 && ret->ptr[0] == '\n') {
        *ret = span_sub(*ret, 1, ret->len - 1);
    }
    return AG_OK;
}

static bool
is_bare(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static enum ag_err
take_key_part(struct leaf_walk *w, struct span *ret)
{
    enum leaf_spelling how = SPELL_PLAIN;
    size_t start = w->at;

    if (peek(w) == '"' || peek(w) == '\'') {
        return take_string(w, ret, &how);
    }
    while (is_bare(peek(w))) {
        w->at++;
    }
    *ret = span_sub(w->in, start, w->at - start);
    return ret->len == 0 ? walk_wrong(w, "a key must come here") : AG_OK;
}

/* a.b."c": every part is pushed; the caller pops back to *ret_mark. */
static enum ag_err
push_key(struct leaf_walk *w, size_t *ret_mark)
{
    size_t first = w->pointer.len;
    enum ag_err err = AG_OK;

    for (;;) {
        struct span part = {NULL, 0};
        size_t mark = 0;

        err = take_key_part(w, &part);
        if (err == AG_OK) {
            err = walk_push(w, part, &mark);
        }
        skip_blanks(w);
        if (err != AG_OK || peek(w) != '.') {
            break;
        }
        w->at++;
        skip_blanks(w);
    }
    *ret_mark = first;
    return err;
}

static enum ag_err take_value(struct leaf_walk *w);

static enum ag_err
take_pair(struct leaf_walk *w)
{
    size_t mark = 0;
    enum ag_err err = push_key(w, &mark);

    if (err == AG_OK && peek(w) != '=') {
        err = walk_wrong(w, "'=' must come here");
    }
    if (err == AG_OK) {
        w->at++;
        skip_blanks(w);
        err = take_value(w);
    }
    walk_pop(w, mark);
    return err;
}

static enum ag_err
take_element(struct leaf_walk *w, size_t index)
{
    size_t mark = 0;
    enum ag_err err = walk_push_index(w, index, &mark);

    if (err == AG_OK) {
        err = take_value(w);
        walk_pop(w, mark);
    }
    return err;
}

/* { a = 1, b = "x" } or [ 1, "x", ]. */
static enum ag_err
take_group(struct leaf_walk *w, uint8_t close)
{
    size_t start = w->at++;
    enum ag_err err = AG_OK;

    if (++w->depth > FIELD_DEPTH_MAX) {
        return err_why(AG_ELIMIT, "nested deeper than %d", FIELD_DEPTH_MAX);
    }
    skip_lines(w);
    for (size_t i = 0; peek(w) != close; i++) {
        err = close == '}' ? take_pair(w) : take_element(w, i);
        if (err != AG_OK) {
            return err;
        }
        skip_lines(w);
        if (peek(w) == ',') {
            w->at++;
            skip_lines(w);
        } else if (peek(w) != close) {
            return walk_wrong(w, "',' or the closing bracket is missing");
        }
    }
    w->at++;
    w->depth--;
    return walk_leaf(w, LEAF_TREE, SPELL_PLAIN,
                     span_sub(w->in, start, w->at - start), 0);
}

static enum ag_err
take_value(struct leaf_walk *w)
{
    struct span raw = {NULL, 0};
    enum leaf_spelling how = SPELL_PLAIN;
    size_t start = w->at;
    enum ag_err err;

    if (peek(w) == '{' || peek(w) == '[') {
        return take_group(w, peek(w) == '{' ? '}' : ']');
    }
    if (peek(w) == '"' || peek(w) == '\'') {
        err = take_string(w, &raw, &how);
        return err == AG_OK ? walk_leaf(w, LEAF_STRING, how, raw, 0) : err;
    }
    while (is_bare(peek(w)) || peek(w) == '+' || peek(w) == '.' ||
           peek(w) == ':') {
        w->at++;
    }
    raw = span_sub(w->in, start, w->at - start);
    return raw.len == 0 ? walk_wrong(w, "a value must come here")
                        : walk_leaf(w, LEAF_WORD, SPELL_PLAIN, raw, 0);
}

/* [a.b] or [[a.b]]: the pointer starts anew with it. */
static enum ag_err
take_table(struct toml *t)
{
    struct leaf_walk *w = t->w;
    bool array = w->at + 1 < w->in.len && w->in.ptr[w->at + 1] == '[';
    size_t mark = 0;
    size_t start;
    struct span name;
    enum ag_err err;

    walk_pop(w, 0);
    w->at += array ? 2 : 1;
    skip_blanks(w);
    start = w->at;
    err = push_key(w, &mark);
    if (err != AG_OK) {
        return err;
    }
    name = span_sub(w->in, start, w->at - start);
    if (peek(w) != ']') {
        return walk_wrong(w, "a table is not closed");
    }
    w->at++;
    if (!array) {
        return AG_OK;
    }
    if (peek(w) != ']') {
        return walk_wrong(w, "a table is not closed");
    }
    w->at++;
    t->table_index = span_equal(name, t->table_name) ? t->table_index + 1 : 0;
    t->table_name = name;
    return walk_push_index(w, t->table_index, &mark);
}

enum ag_err
leaf_toml(struct leaf_walk *w)
{
    struct toml t = {.w = w};
    enum ag_err err = AG_OK;

    w->line = 1;
    skip_lines(w);
    while (err == AG_OK && w->at < w->in.len) {
        err = peek(w) == '[' ? take_table(&t) : take_pair(w);
        if (err == AG_OK) {
            err = end_line(w);
        }
        skip_lines(w);
    }
    return err;
}
