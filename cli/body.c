#include "body.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/span.h"
#include "base/wipealloc.h"
#include "scan.h"

static const char HEX[] = "0123456789abcdef";

/* Bytes of `text` inside a JSON string; the same walk writes them to `to` when
 * it is not NULL. */
static size_t
escape(struct span text, uint8_t *to)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint8_t out[6] = {c};
        size_t len = 1;

        if (c == '"' || c == '\\') {
            out[0] = '\\';
            out[1] = c;
            len = 2;
        } else if (c < 0x20 || c == 0x7f) {
            memcpy(out, "\\u00", 4);
            out[4] = (uint8_t)HEX[c >> 4];
            out[5] = (uint8_t)HEX[c & 15];
            len = 6;
        }
        if (to != NULL) {
            memcpy(to + n, out, len);
        }
        n += len;
        wipe(out, sizeof(out));
    }
    return n;
}

static size_t
base64_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

/* Base64 written straight into locked memory (encode_base64 wants a buf). */
static void
base64(struct span in, uint8_t *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                 "rstuvwxyz0123456789+/";

    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = in.len - i < 3 ? in.len - i : 3;
        uint32_t v = (uint32_t)in.ptr[i] << 16;

        v |= have > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0;
        v |= have > 2 ? (uint32_t)in.ptr[i + 2] : 0;
        *to++ = (uint8_t)digits[v >> 18 & 63];
        *to++ = (uint8_t)digits[v >> 12 & 63];
        *to++ = (uint8_t)(have > 1 ? digits[v >> 6 & 63] : '=');
        *to++ = (uint8_t)(have > 2 ? digits[v & 63] : '=');
    }
}

static size_t
member_len(const struct body_member *m)
{
    struct span value = secret_view(m->value);
    size_t len = m->base64 ? base64_len(value.len) : escape(value, NULL);

    return len + strlen(m->name) + sizeof(",\"\":\"\"") - 1;
}

static uint8_t *
put(uint8_t *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

static uint8_t *
put_member(uint8_t *to, const struct body_member *m)
{
    struct span value = secret_view(m->value);

    *to++ = '"';
    to = put(to, m->name, strlen(m->name));
    to = put(to, "\":\"", 3);
    if (m->base64) {
        base64(value, to);
        to += base64_len(value.len);
    } else {
        to += escape(value, to);
    }
    *to++ = '"';
    return to;
}

/* `head` is the public part, an object's text without its closing bracket. */
static enum ag_err
assemble(const char *head, size_t head_len, const struct body_member *members,
         size_t count, struct secret **ret)
{
    struct secret *body = NULL;
    size_t total = head_len + 1;
    uint8_t *to;
    enum ag_err err;

    for (size_t i = 0; i < count; i++) {
        total += member_len(&members[i]);
    }
    err = secret_new(total, &body);
    if (err != AG_OK) {
        return err;
    }
    to = put(secret_bytes(body), head, head_len);
    for (size_t i = 0; i < count; i++) {
        if (to[-1] != '{') {
            *to++ = ',';
        }
        to = put_member(to, &members[i]);
    }
    *to++ = '}';
    secret_shrink(body, (size_t)(to - secret_bytes(body)));
    *ret = body;
    return AG_OK;
}

enum ag_err
body_make(const json_t *object, const struct body_member *members, size_t count,
          struct secret **ret)
{
    char *text;
    size_t len;
    enum ag_err err;

    for (size_t i = 0; i < count; i++) {
        if (!members[i].base64 &&
            !parse_is_utf8(secret_view(members[i].value))) {
            return err_why(AG_EINVAL, "%s: not UTF-8 text", members[i].name);
        }
    }
    if (object == NULL) {
        return assemble("{", 1, members, count, ret);
    }
    text = json_dumps(object, JSON_COMPACT);
    if (text == NULL) {
        return err_why(AG_EINVAL, "the request is not UTF-8 text");
    }
    len = strlen(text);
    AG_ASSERT(len >= 2 && text[0] == '{');
    err = assemble(text, len - 1, members, count, ret);
    wipe_free(text);
    return err;
}

/* The members other than `name`, whose text is `skip`, as a public tree. */
static enum ag_err
rest_of(struct span text, struct span skip, json_t **ret)
{
    struct buf rest;
    size_t start = (size_t)(skip.ptr - text.ptr);
    enum ag_err err;

    buf_init(&rest, text.len + 4, BUF_PLAIN);
    err = buf_add(&rest, span_sub(text, 0, start));
    if (err == AG_OK) {
        err = buf_add_str(&rest, "null");
    }
    if (err == AG_OK) {
        err = buf_add(&rest, span_sub(text, start + skip.len, text.len));
    }
    if (err == AG_OK) {
        *ret = json_loadb((const char *)rest.ptr, rest.len,
                          JSON_REJECT_DUPLICATES, NULL);
        err = *ret == NULL ? AG_ECORRUPT : AG_OK;
    }
    buf_done(&rest);
    return err;
}

enum ag_err
body_take(const struct secret *text, const char *name,
          struct secret **ret_value, json_t **ret_rest)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct span all = secret_view(text);
    struct span raw = {0};
    json_t *rest = NULL;
    size_t len = 0;
    enum ag_err err = scan_member(all, name, &raw);

    if (err == AG_OK) {
        err = secret_new(raw.len, &value); /* unescaping never grows */
    }
    if (err == AG_OK) {
        err = scan_string(raw, secret_bytes(value), &len);
    }
    if (err == AG_OK && ret_rest != NULL) {
        err = rest_of(all, raw, &rest);
    }
    if (err != AG_OK) {
        return err == AG_ECORRUPT
                   ? err_why(err, "the broker's answer has no %s", name)
                   : err;
    }
    secret_shrink(value, len);
    *ret_value = AG_TAKE(value);
    if (ret_rest != NULL) {
        *ret_rest = rest;
    }
    return AG_OK;
}
