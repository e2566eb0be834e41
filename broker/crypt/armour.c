#include "crypt/armour.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/secret.h"

enum {
    LINE_BYTES = 64, /* of BEGIN and END, names are short */
};

struct span
armour_trim(struct span text)
{
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

bool
armour_is(struct span text)
{
    return span_starts(text, span_str("-----BEGIN "));
}

/* The text between the lines of BEGIN and END, if they say `name`. */
static bool
body_of(struct span text, const char *name, struct span *ret)
{
    char line[LINE_BYTES];
    struct span head;
    struct span tail;

    text = armour_trim(text);
    head = span_of(
        line, (size_t)snprintf(line, sizeof(line), "-----BEGIN %s-----", name));
    if (!span_starts(text, head)) {
        return false;
    }
    text = span_sub(text, head.len, text.len);
    tail = span_of(
        line, (size_t)snprintf(line, sizeof(line), "-----END %s-----", name));
    if (text.len < tail.len ||
        !span_equal(span_sub(text, text.len - tail.len, tail.len), tail)) {
        return false;
    }
    *ret = span_sub(text, 0, text.len - tail.len);
    return true;
}

enum ag_err
armour_open(struct span text, const char *name, struct secret **ret)
{
    AG_AUTO(secret) struct secret *letters = NULL;
    struct span body = {NULL, 0};
    size_t len = 0;
    enum ag_err err = AG_OK;

    if (!body_of(text, name, &body)) {
        return AG_EINVAL;
    }
    err = secret_new(body.len, &letters);
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < body.len; i++) {
        if (body.ptr[i] != '\n' && body.ptr[i] != '\r') {
            secret_bytes(letters)[len++] = body.ptr[i];
        }
    }
    secret_shrink(letters, len);
    err = decode_base64_secret(secret_view(letters), ret);
    return err == AG_ELIMIT ? AG_EINVAL : err;
}

enum ag_err
armour_add(const char *name, size_t line_chars, struct span der,
           struct buf *out)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err;

    buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
    err = encode_base64(der, &text);
    if (err == AG_OK) {
        err = buf_fmt(out, "-----BEGIN %s-----\n", name);
    }
    for (size_t at = 0; err == AG_OK && at < text.len; at += line_chars) {
        err = buf_add(out, span_sub(buf_view(&text), at, line_chars));
        if (err == AG_OK) {
            err = buf_add_byte(out, '\n');
        }
    }
    return err == AG_OK ? buf_fmt(out, "-----END %s-----", name) : err;
}
