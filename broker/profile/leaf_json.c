#include <string.h>

#include "base/secret.h"
#include "profile/fields.h"
#include "profile/leaf.h"

/* RFC 8259, strictly: no trailing commas, no comments, no control bytes in
 * strings. The text was checked to be UTF-8 before. */

static void
skip_blanks(struct leaf_walk *w)
{
    while (w->at < w->in.len) {
        uint8_t c = w->in.ptr[w->at];

        if (c == '\n') {
            w->line++;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
        w->at++;
    }
}

static bool
take_byte(struct leaf_walk *w, uint8_t byte)
{
    if (w->at < w->in.len && w->in.ptr[w->at] == byte) {
        w->at++;
        return true;
    }
    return false;
}

static bool
is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* Behind the backslash: how many bytes the escape takes, 0 if it is none. */
static size_t
escape_len(struct span rest)
{
    if (rest.len == 0) {
        return 0;
    }
    if (rest.ptr[0] != 'u') {
        return memchr("\"\\/bfnrt", rest.ptr[0], 8) != NULL ? 1 : 0;
    }
    for (size_t i = 1; i < 5; i++) {
        if (i >= rest.len || !is_hex(rest.ptr[i])) {
            return 0;
        }
    }
    return 5;
}

/* A string's content, between the quotes, still escaped. */
static enum ag_err
take_string(struct leaf_walk *w, struct span *ret)
{
    size_t start;

    if (!take_byte(w, '"')) {
        return walk_wrong(w, "a string must come here");
    }
    start = w->at;
    while (w->at < w->in.len) {
        uint8_t c = w->in.ptr[w->at];

        if (c == '"') {
            *ret = span_sub(w->in, start, w->at - start);
            w->at++;
            return AG_OK;
        }
        if (c < 0x20) {
            return walk_wrong(w, "control byte in a string");
        }
        w->at++;
        if (c == '\\') {
            size_t len = escape_len(span_sub(w->in, w->at, w->in.len - w->at));

            if (len == 0) {
                return walk_wrong(w, "unknown escape in a string");
            }
            w->at += len;
        }
    }
    return walk_wrong(w, "a string is not closed");
}

static size_t
digits(struct leaf_walk *w)
{
    size_t start = w->at;

    while (w->at < w->in.len && w->in.ptr[w->at] >= '0' &&
           w->in.ptr[w->at] <= '9') {
        w->at++;
    }
    return w->at - start;
}

static enum ag_err
take_number(struct leaf_walk *w)
{
    size_t start = w->at;

    (void)take_byte(w, '-');
    if (!take_byte(w, '0') && digits(w) == 0) {
        return walk_wrong(w, "a value must come here");
    }
    if (take_byte(w, '.') && digits(w) == 0) {
        return walk_wrong(w, "malformed number");
    }
    if (take_byte(w, 'e') || take_byte(w, 'E')) {
        if (!take_byte(w, '+')) {
            (void)take_byte(w, '-');
        }
        if (digits(w) == 0) {
            return walk_wrong(w, "malformed number");
        }
    }
    return walk_leaf(w, LEAF_WORD, SPELL_PLAIN,
                     span_sub(w->in, start, w->at - start), 0);
}

static enum ag_err
take_word(struct leaf_walk *w)
{
    static const char *const WORDS[] = {"true", "false", "null"};

    for (size_t i = 0; i < AG_COUNT(WORDS); i++) {
        struct span word = span_str(WORDS[i]);

        if (span_starts(span_sub(w->in, w->at, w->in.len - w->at), word)) {
            struct span raw = span_sub(w->in, w->at, word.len);

            w->at += word.len;
            return walk_leaf(w, LEAF_WORD, SPELL_PLAIN, raw, 0);
        }
    }
    return take_number(w);
}

static enum ag_err take_value(struct leaf_walk *w);

/* Names are public: they are decoded into a plain secret for the moment. */
static enum ag_err
push_name(struct leaf_walk *w, struct span raw, size_t *ret_mark)
{
    AG_AUTO(secret) struct secret *name = NULL;
    struct leaf leaf = {.spelling = SPELL_JSON, .raw = raw};
    enum ag_err err = AG_OK;

    if (span_find(raw, '\\') == raw.len) {
        return walk_push(w, raw, ret_mark);
    }
    err = leaf_value(&leaf, &name);
    return err == AG_OK ? walk_push(w, secret_view(name), ret_mark) : err;
}

static enum ag_err
take_member(struct leaf_walk *w)
{
    struct span name = {NULL, 0};
    size_t mark = 0;
    enum ag_err err = take_string(w, &name);

    if (err != AG_OK) {
        return err;
    }
    skip_blanks(w);
    if (!take_byte(w, ':')) {
        return walk_wrong(w, "':' must come here");
    }
    err = push_name(w, name, &mark);
    if (err == AG_OK) {
        skip_blanks(w);
        err = take_value(w);
        walk_pop(w, mark);
    }
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

static enum ag_err
take_tree(struct leaf_walk *w, uint8_t close)
{
    size_t start = w->at++;
    enum ag_err err = AG_OK;

    if (++w->depth > FIELD_DEPTH_MAX) {
        return err_why(AG_ELIMIT, "nested deeper than %d", FIELD_DEPTH_MAX);
    }
    skip_blanks(w);
    if (!take_byte(w, close)) {
        for (size_t i = 0;; i++) {
            err = close == '}' ? take_member(w) : take_element(w, i);
            if (err != AG_OK) {
                return err;
            }
            skip_blanks(w);
            if (take_byte(w, close)) {
                break;
            }
            if (!take_byte(w, ',')) {
                return walk_wrong(w, "',' or the closing bracket is missing");
            }
            skip_blanks(w);
        }
    }
    w->depth--;
    return walk_leaf(w, LEAF_TREE, SPELL_PLAIN,
                     span_sub(w->in, start, w->at - start), 0);
}

static enum ag_err
take_value(struct leaf_walk *w)
{
    struct span raw = {NULL, 0};
    enum ag_err err;

    if (w->at == w->in.len) {
        return walk_wrong(w, "it ends too early");
    }
    switch (w->in.ptr[w->at]) {
    case '{':
        return take_tree(w, '}');
    case '[':
        return take_tree(w, ']');
    case '"':
        err = take_string(w, &raw);
        return err == AG_OK ? walk_leaf(w, LEAF_STRING, SPELL_JSON, raw, 0)
                            : err;
    default: /* a byte, not an enum */
        return take_word(w);
    }
}

enum ag_err
leaf_json(struct leaf_walk *w)
{
    enum ag_err err;

    skip_blanks(w);
    err = take_value(w);
    if (err != AG_OK) {
        return err;
    }
    skip_blanks(w);
    return w->at == w->in.len
               ? AG_OK
               : walk_wrong(w, "something follows after the value");
}
