#include "wire/emit.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/parse.h"

enum {
    EMIT_DEPTH_MAX = 16, /* our own answers are 4 deep at most */
};

void
emit_start(struct emit *e, struct buf *out)
{
    *e = (struct emit){.out = out, .err = AG_OK};
}

enum ag_err
emit_end(struct emit *e)
{
    AG_ASSERT(e->err != AG_OK || e->depth == 0);
    return e->err;
}

static void
add_byte(struct emit *e, char c)
{
    if (e->err == AG_OK) {
        e->err = buf_add_byte(e->out, (uint8_t)c);
    }
}

static void
add_text(struct emit *e, const char *text)
{
    if (e->err == AG_OK) {
        e->err = buf_add_str(e->out, text);
    }
}

/* The comma before, and the key. */
static void
begin(struct emit *e, const char *key)
{
    if (e->more) {
        add_byte(e, ',');
    }
    e->more = true;
    if (key != NULL) {
        add_byte(e, '"');
        add_text(e, key);
        add_text(e, "\":");
    }
}

void
emit_open(struct emit *e, const char *key, char bracket)
{
    begin(e, key);
    add_byte(e, bracket);
    e->depth++;
    e->more = false;
    AG_ASSERT(e->depth <= EMIT_DEPTH_MAX);
}

void
emit_close(struct emit *e, char bracket)
{
    AG_ASSERT(e->depth > 0);
    e->depth--;
    add_byte(e, bracket);
    e->more = true;
}

static const char *
short_escape(uint8_t c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static bool
needs_escape(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static enum ag_err
escape_byte(struct buf *out, uint8_t c)
{
    static const char HEX[] = "0123456789abcdef";
    const char *brief = short_escape(c);
    const char code[] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};

    return brief != NULL ? buf_add_str(out, brief)
                         : buf_add(out, span_of(code, sizeof(code)));
}

/* Runs that need nothing go over in one copy. */
static enum ag_err
add_escaped(struct buf *out, struct span text)
{
    size_t from = 0;
    enum ag_err err = AG_OK;

    if (!parse_is_utf8(text)) {
        return err_why(AG_EINVAL, "the text is not UTF-8");
    }
    for (size_t i = 0; i < text.len && err == AG_OK; i++) {
        if (!needs_escape(text.ptr[i])) {
            continue;
        }
        err = buf_add(out, span_sub(text, from, i - from));
        if (err == AG_OK) {
            err = escape_byte(out, text.ptr[i]);
        }
        from = i + 1;
    }
    if (err == AG_OK) {
        err = buf_add(out, span_sub(text, from, text.len - from));
    }
    return err;
}

void
emit_span(struct emit *e, const char *key, struct span text)
{
    begin(e, key);
    add_byte(e, '"');
    if (e->err == AG_OK) {
        e->err = add_escaped(e->out, text);
    }
    add_byte(e, '"');
}

void
emit_str(struct emit *e, const char *key, const char *text)
{
    if (text != NULL) {
        emit_span(e, key, span_str(text));
    }
}

void
emit_int(struct emit *e, const char *key, int64_t value)
{
    char digits[24]; /* 20 digits, sign, NUL */
    char *at = digits + sizeof(digits) - 1;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    *at = '\0';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    begin(e, key);
    add_text(e, at);
}

void
emit_bool(struct emit *e, const char *key, bool value)
{
    begin(e, key);
    add_text(e, value ? "true" : "false");
}

void
emit_time(struct emit *e, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];

    if (wall_ms < 0) {
        begin(e, key);
        add_text(e, "null");
        return;
    }
    clock_text(wall_ms, text);
    begin(e, key);
    add_byte(e, '"');
    add_text(e, text);
    add_byte(e, '"');
}

void
emit_base64(struct emit *e, const char *key, struct span bytes)
{
    begin(e, key);
    add_byte(e, '"');
    if (e->err == AG_OK) {
        e->err = encode_base64(bytes, e->out);
    }
    add_byte(e, '"');
}

void
emit_raw(struct emit *e, const char *key, struct span json)
{
    begin(e, key);
    if (e->err == AG_OK) {
        e->err = buf_add(e->out, json);
    }
}
