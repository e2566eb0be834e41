#include <string.h>

#include "profile/leaf.h"

/* [section] and `key = value`, as AWS, npm, pip, MySQL, rclone and others
 * write it. ':' separates only where there is no '='. An indented line without
 * either continues the value before it. */

struct ini {
    struct leaf_walk *w;
    struct span section; /* empty above the first one */
    struct span key;     /* of the last pair: for continuations */
};

static enum ag_err
emit(struct ini *ini, struct span raw)
{
    enum leaf_spelling how = SPELL_PLAIN;
    size_t mark = 0;
    enum ag_err err;

    if (raw.len >= 2 && raw.ptr[0] == raw.ptr[raw.len - 1] &&
        (raw.ptr[0] == '"' || raw.ptr[0] == '\'')) {
        how = raw.ptr[0] == '"' ? SPELL_SHELL : SPELL_PLAIN;
        raw = span_sub(raw, 1, raw.len - 2);
    }
    if (ini->section.len == 0) {
        return walk_named(ini->w, ini->key, how, raw);
    }
    err = walk_push(ini->w, ini->section, &mark);
    if (err == AG_OK) {
        err = walk_named(ini->w, ini->key, how, raw);
        walk_pop(ini->w, mark);
    }
    return err;
}

static enum ag_err
take_section(struct ini *ini, struct span text)
{
    size_t close = span_find(text, ']');

    if (close == text.len) {
        return walk_wrong(ini->w, "a section is not closed");
    }
    ini->section = span_trim(span_sub(text, 1, close - 1));
    ini->key = span_of(NULL, 0);
    return ini->section.len == 0 ? walk_wrong(ini->w, "a section has no name")
                                 : AG_OK;
}

/* A bare word ("skip-ssl") is an option without a value. */
static bool
is_word(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c <= ' ' || c == '[' || c == ']' || c == '{' || c == '}' ||
            c == '"' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum ag_err
take_line(struct ini *ini, struct span line)
{
    struct span text = span_trim(line);
    bool indented = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    size_t split;

    if (text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';') {
        return AG_OK;
    }
    if (text.ptr[0] == '[') {
        return take_section(ini, text);
    }
    split = span_find(text, '=');
    if (split == text.len) {
        split = span_find(text, ':');
    }
    if (split == text.len && indented && ini->key.len > 0) {
        return emit(ini, text);
    }
    if (split == text.len && is_word(text)) {
        return AG_OK;
    }
    if (split == 0 || split == text.len) {
        return walk_wrong(ini->w, "neither [section] nor key = value");
    }
    ini->key = span_trim(span_sub(text, 0, split));
    return emit(ini, span_trim(span_sub(text, split + 1, text.len)));
}

enum ag_err
leaf_ini(struct leaf_walk *w)
{
    struct ini ini = {.w = w};
    struct span line = {NULL, 0};
    enum ag_err err = AG_OK;

    while (err == AG_OK && walk_line(w, &line)) {
        err = take_line(&ini, line);
    }
    return err;
}
