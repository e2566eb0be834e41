#include <string.h>

#include "profile/fields.h"
#include "profile/leaf.h"

/*
 * The YAML that tools write into credential files: block mappings and lists,
 * plain, quoted and block scalars, comments, one document. Flow lists and an
 * empty {} stand as they are. Anchors, tags, flow mappings with content and
 * quoted scalars over several lines are refused rather than half understood.
 * Text that starts with a bracket is JSON, which YAML contains.
 */

struct level {
    size_t indent; /* column of its keys or dashes */
    size_t mark;   /* length of the pointer outside of it */
    size_t index;  /* of the current item, for a list */
    bool list;
};

struct yaml {
    struct leaf_walk *w;
    struct level levels[FIELD_DEPTH_MAX];
    size_t count;
    bool open; /* the last key has no value yet: a child may follow */
    size_t open_indent;
};

static size_t
indent_of(struct span line)
{
    size_t i = 0;

    while (i < line.len && line.ptr[i] == ' ') {
        i++;
    }
    return i;
}

/* Leaves every level deeper than `indent`. */
static void
leave(struct yaml *y, size_t indent)
{
    while (y->count > 0 && y->levels[y->count - 1].indent > indent) {
        y->count--;
        walk_pop(y->w, y->levels[y->count].mark);
    }
}

static enum ag_err
enter(struct yaml *y, size_t indent, bool list)
{
    if (y->count == FIELD_DEPTH_MAX) {
        return err_why(AG_ELIMIT, "nested deeper than %d", FIELD_DEPTH_MAX);
    }
    y->levels[y->count++] = (struct level){
        .indent = indent,
        .mark = y->w->pointer.len,
        .list = list,
    };
    return AG_OK;
}

/* Where the ':' of `key: value` is; text.len when there is none. A quoted key
 * is stepped over. */
static size_t
find_colon(struct span text)
{
    size_t i = 0;

    if (text.len > 0 && (text.ptr[0] == '"' || text.ptr[0] == '\'')) {
        for (i = 1; i < text.len && text.ptr[i] != text.ptr[0]; i++) {
        }
    }
    for (; i < text.len; i++) {
        bool end = i + 1 == text.len || text.ptr[i + 1] == ' ' ||
                   text.ptr[i + 1] == '\t';

        if (text.ptr[i] == ':' && end) {
            return i;
        }
        if (text.ptr[i] == '#' && i > 0 && text.ptr[i - 1] == ' ') {
            return text.len;
        }
    }
    return text.len;
}

static struct span
unquoted(struct span key)
{
    if (key.len >= 2 && key.ptr[0] == key.ptr[key.len - 1] &&
        (key.ptr[0] == '"' || key.ptr[0] == '\'')) {
        return span_sub(key, 1, key.len - 2);
    }
    return key;
}

/* A plain scalar ends at " #". */
static struct span
plain(struct span text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '#' && text.ptr[i - 1] == ' ') {
            return span_trim(span_sub(text, 0, i));
        }
    }
    return text;
}

/* All lines deeper than `parent` belong to the block. */
static enum ag_err
take_block(struct yaml *y, size_t parent)
{
    struct leaf_walk *w = y->w;
    struct span line = {NULL, 0};
    size_t start = w->at;
    size_t indent = 0;

    while (w->at < w->in.len) {
        size_t before = w->at;

        (void)walk_line(w, &line);
        if (span_trim(line).len > 0 && indent_of(line) <= parent) {
            w->at = before;
            w->line--;
            break;
        }
        if (indent == 0 && span_trim(line).len > 0) {
            indent = indent_of(line);
        }
    }
    return walk_leaf(w, LEAF_STRING, SPELL_BLOCK,
                     span_sub(w->in, start, w->at - start), indent);
}

static enum ag_err
take_quoted(struct yaml *y, struct span text)
{
    uint8_t quote = text.ptr[0];
    size_t end = 1;
    struct span tail;

    for (; end < text.len; end++) {
        if (quote == '"' && text.ptr[end] == '\\') {
            end++;
        } else if (text.ptr[end] == quote) {
            if (quote == '"' || end + 1 >= text.len ||
                text.ptr[end + 1] != quote) {
                break;
            }
            end++;
        }
    }
    if (end >= text.len) {
        return walk_wrong(y->w, "a quoted value does not end on its line");
    }
    tail = span_trim(span_sub(text, end + 1, text.len));
    if (tail.len > 0 && tail.ptr[0] != '#') {
        return walk_wrong(y->w, "something follows after a quoted value");
    }
    return walk_leaf(y->w, LEAF_STRING,
                     quote == '"' ? SPELL_JSON : SPELL_YAML_SQ,
                     span_sub(text, 1, end - 1), 0);
}

/* The value on the line of its key or dash, whose column is `indent`. */
static enum ag_err
take_scalar(struct yaml *y, struct span text, size_t indent)
{
    struct span value = plain(text);

    switch (text.ptr[0]) {
    case '"':
    case '\'':
        return take_quoted(y, text);
    case '|':
    case '>':
        return take_block(y, indent);
    case '{':
        if (!span_is(value, "{}")) {
            return walk_wrong(y->w, "a mapping in braces is not supported");
        }
        return walk_leaf(y->w, LEAF_TREE, SPELL_PLAIN, value, 0);
    case '[':
        if (span_find(value, '{') < value.len) {
            return walk_wrong(y->w, "a mapping in braces is not supported");
        }
        return walk_leaf(y->w, LEAF_TREE, SPELL_PLAIN, value, 0);
    case '&':
    case '*':
    case '!':
    case '%':
    case '@':
    case '`':
        return walk_wrong(y->w, "anchors, tags and the like are not supported");
    default: /* a byte, not an enum */
        return walk_leaf(y->w, LEAF_STRING, SPELL_PLAIN, value, 0);
    }
}

static enum ag_err take_content(struct yaml *y, struct span text,
                                size_t indent);

static enum ag_err
take_item(struct yaml *y, struct span text, size_t indent)
{
    struct level *top = y->count > 0 ? &y->levels[y->count - 1] : NULL;
    struct span rest = span_sub(text, 1, text.len - 1);
    size_t skipped = indent_of(rest);
    size_t mark = 0;
    enum ag_err err = AG_OK;

    if (top == NULL || top->indent != indent || !top->list) {
        err = enter(y, indent, true);
        top = err == AG_OK ? &y->levels[y->count - 1] : NULL;
    } else {
        walk_pop(y->w, top->mark);
        top->index++;
    }
    if (err == AG_OK) {
        AG_ASSERT(top != NULL);
        err = walk_push_index(y->w, top->index, &mark);
    }
    rest = span_trim(rest);
    y->open = true;
    y->open_indent = indent;
    return err != AG_OK || rest.len == 0 || rest.ptr[0] == '#'
               ? err
               : take_content(y, rest, indent + 1 + skipped);
}

static enum ag_err
take_key(struct yaml *y, struct span text, size_t colon, size_t indent)
{
    struct level *top = y->count > 0 ? &y->levels[y->count - 1] : NULL;
    struct span key = unquoted(span_trim(span_sub(text, 0, colon)));
    struct span value = span_trim(span_sub(text, colon + 1, text.len));
    size_t mark = 0;
    enum ag_err err = AG_OK;

    if (top != NULL && top->indent == indent && !top->list) {
        walk_pop(y->w, top->mark);
    } else if (top != NULL && !y->open) {
        return walk_wrong(y->w, "unexpected indentation");
    } else {
        err = enter(y, indent, false);
    }
    if (err == AG_OK) {
        err = walk_push(y->w, key, &mark);
    }
    if (err != AG_OK) {
        return err;
    }
    y->open = value.len == 0 || value.ptr[0] == '#';
    y->open_indent = indent;
    return y->open ? AG_OK : take_scalar(y, value, indent);
}

/* `text` without its indentation, which is `indent` columns. */
static enum ag_err
take_content(struct yaml *y, struct span text, size_t indent)
{
    size_t colon;

    if (text.ptr[0] == '-' && (text.len == 1 || text.ptr[1] == ' ')) {
        if (y->w->depth++ > FIELD_DEPTH_MAX) {
            return err_why(AG_ELIMIT, "nested deeper than %d", FIELD_DEPTH_MAX);
        }
        return take_item(y, text, indent);
    }
    /* An item in braces is no key: what is in it must not be passed over. */
    colon =
        text.ptr[0] == '{' || text.ptr[0] == '[' ? text.len : find_colon(text);
    if (colon < text.len && colon > 0) {
        return take_key(y, text, colon, indent);
    }
    if (y->count == 0 || (!y->open && indent <= y->open_indent)) {
        return walk_wrong(y->w, "neither key: value nor an item");
    }
    /* An item's scalar, or a plain one that goes on. */
    y->open = false;
    return take_scalar(y, text, y->open_indent);
}

static enum ag_err
take_line(struct yaml *y, struct span line)
{
    struct span text = span_trim(line);
    size_t indent = indent_of(line);

    if (text.len == 0 || text.ptr[0] == '#' || span_is(text, "---")) {
        return AG_OK;
    }
    if (line.ptr[indent] == '\t') {
        return walk_wrong(y->w, "a tab in the indentation");
    }
    leave(y, indent);
    y->w->depth = 0;
    /* A list may stand at the column of its key, a key after it may not be
     * taken for one of the list's. */
    if (y->count > 0 && y->levels[y->count - 1].list &&
        y->levels[y->count - 1].indent == indent && text.ptr[0] != '-') {
        y->count--;
        walk_pop(y->w, y->levels[y->count].mark);
    }
    return take_content(y, text, indent);
}

enum ag_err
leaf_yaml(struct leaf_walk *w)
{
    struct yaml y = {.w = w};
    struct span line = {NULL, 0};
    enum ag_err err = AG_OK;
    size_t i = 0;

    while (i < w->in.len && (w->in.ptr[i] == ' ' || w->in.ptr[i] == '\n')) {
        i++;
    }
    if (i < w->in.len && (w->in.ptr[i] == '{' || w->in.ptr[i] == '[')) {
        return leaf_json(w);
    }
    w->line = 0;
    y.open = true;
    while (err == AG_OK && walk_line(w, &line)) {
        err = take_line(&y, line);
    }
    return err;
}
