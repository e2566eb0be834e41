#include "profile/respell.h"

#include <string.h>

static enum ag_err
spell_json(uint8_t c, struct buf *out)
{
    static const char BYTES[] = "\"\\\b\f\n\r\t";
    static const char NAMES[] = "\"\\bfnrt";
    const char *at = memchr(BYTES, c, sizeof(BYTES) - 1);

    if (at == NULL) {
        return c < 0x20 ? buf_fmt(out, "\\u%04x", c) : buf_add_byte(out, c);
    }
    return buf_fmt(out, "\\%c", NAMES[at - BYTES]);
}

/* A dollar sign is escaped where the leaf did so, a line break where it did
 * not write one: not every reader of double quotes takes both. */
static enum ag_err
spell_shell(struct span raw, uint8_t c, struct buf *out)
{
    static const char BYTES[] = "\n\r\t\"\\$`";
    static const char NAMES[] = "nrt\"\\$`";
    const char *at = memchr(BYTES, c, sizeof(BYTES) - 1);
    const char dollar[] = {'\\', (char)c};

    if (at != NULL && (c == '$' || c == '`') &&
        memmem(raw.ptr, raw.len, dollar, sizeof(dollar)) == NULL) {
        at = NULL;
    }
    if (c == '\n' && span_find(raw, '\n') < raw.len) {
        at = NULL;
    }
    return at == NULL ? buf_add_byte(out, c)
                      : buf_fmt(out, "\\%c", NAMES[at - BYTES]);
}

static enum ag_err
spell_percent(uint8_t c, struct buf *out)
{
    static const char KEPT[] = "-._~!$&'()*+,;=";
    bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                 (c >= 'a' && c <= 'z');

    return alnum || memchr(KEPT, c, sizeof(KEPT) - 1) != NULL
               ? buf_add_byte(out, c)
               : buf_fmt(out, "%%%02X", c);
}

static enum ag_err
spell_byte(const struct leaf *leaf, uint8_t c, struct buf *out)
{
    switch (leaf->spelling) {
    case SPELL_JSON:
        return spell_json(c, out);
    case SPELL_SHELL:
        return spell_shell(leaf->raw, c, out);
    case SPELL_PERCENT:
        return spell_percent(c, out);
    case SPELL_YAML_SQ:
        return buf_add_str(out, c == '\'' ? "''" : (const char[]){(char)c, 0});
    case SPELL_BACKSLASH:
        return c == '\\' || c == ':' ? buf_fmt(out, "\\%c", c)
                                     : buf_add_byte(out, c);
    case SPELL_PLAIN:
    case SPELL_BLOCK:
        break;
    }
    return buf_add_byte(out, c);
}

/* The line breaks that end a block; the value does not have them. */
static struct span
block_end(struct span raw)
{
    size_t at = raw.len;

    while (at > 0 && memchr("\r\n ", raw.ptr[at - 1], 3) != NULL) {
        at--;
    }
    return span_sub(raw, at, raw.len - at);
}

static enum ag_err
spell_block(const struct leaf *leaf, struct span value, struct buf *out)
{
    enum ag_err err = AG_OK;
    bool at_start = true;

    for (size_t i = 0; err == AG_OK && i < value.len; i++) {
        for (size_t k = 0; err == AG_OK && at_start && k < leaf->indent; k++) {
            err = buf_add_byte(out, ' ');
        }
        if (err == AG_OK) {
            err = buf_add_byte(out, value.ptr[i]);
        }
        at_start = value.ptr[i] == '\n';
    }
    return err == AG_OK ? buf_add(out, block_end(leaf->raw)) : err;
}

enum ag_err
respell(const struct leaf *leaf, struct span value, struct buf *out)
{
    bool lines = span_find(value, '\n') < value.len;
    enum ag_err err = AG_OK;

    if (leaf->spelling == SPELL_BLOCK) {
        return spell_block(leaf, value, out);
    }
    if (lines && leaf->spelling == SPELL_PLAIN &&
        span_find(leaf->raw, '\n') == leaf->raw.len) {
        return err_why(AG_EINVAL, "a line break can't stand in this field");
    }
    for (size_t i = 0; err == AG_OK && i < value.len; i++) {
        err = spell_byte(leaf, value.ptr[i], out);
    }
    return err;
}
