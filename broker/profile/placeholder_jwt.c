#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "profile/leaf.h"
#include "profile/placeholder_parts.h"

/* JSON Web Tokens, RFC 7519: header.payload.signature. */

/* 2100-01-01, in ten digits as every `exp` of today. */
static const char FAR_EXP[] = "4102444800";

/* Claims that name this one token: what a service could know it by. */
static const char *const ONCE[] = {"/jti",    "/nonce", "/at_hash", "/c_hash",
                                   "/s_hash", "/uti",   "/rh"};

struct parts {
    struct span header;
    struct span payload;
    struct span signature;
};

static bool
split(struct span text, struct parts *ret)
{
    size_t first = span_find(text, '.');
    struct span rest = span_sub(text, first + 1, text.len);
    size_t second = span_find(rest, '.');

    ret->header = span_sub(text, 0, first);
    ret->payload = span_sub(rest, 0, second);
    ret->signature = span_sub(rest, second + 1, rest.len);
    return span_starts(text, span_str("eyJ")) && second < rest.len &&
           ret->payload.len > 0;
}

static bool
is_base64url(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!code_is_alnum(text.ptr[i]) && text.ptr[i] != '-' &&
            text.ptr[i] != '_') {
            return false;
        }
    }
    return text.len > 0 && text.len % 4 != 1;
}

static enum ag_err
decode(struct span text, struct secret **ret)
{
    AG_AUTO(secret) struct secret *padded = NULL;
    enum ag_err err;

    if (!is_base64url(text)) {
        return AG_EINVAL;
    }
    err = secret_new((text.len + 3) / 4 * 4, &padded);
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < secret_len(padded); i++) {
        uint8_t c = i < text.len ? text.ptr[i] : '=';

        secret_bytes(padded)[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    return decode_base64_secret(secret_view(padded), ret);
}

static enum ag_err
pass_leaf(void *arg, const struct leaf *leaf)
{
    (void)arg;
    (void)leaf;
    return AG_OK;
}

static enum ag_err
check_object(const struct secret *json)
{
    struct span text = secret_view(json);

    if (text.len == 0 || text.ptr[0] != '{') {
        return AG_EINVAL;
    }
    return leaf_walk(text, FORMAT_JSON, pass_leaf, NULL);
}

enum ag_err
jwt_payload(struct span text, struct secret **ret)
{
    AG_AUTO(secret) struct secret *header = NULL;
    AG_AUTO(secret) struct secret *payload = NULL;
    struct parts parts;
    enum ag_err err;

    if (!split(text, &parts) || !is_base64url(parts.signature)) {
        return AG_EINVAL;
    }
    err = decode(parts.header, &header);
    if (err == AG_OK) {
        err = check_object(header);
    }
    if (err == AG_OK) {
        err = decode(parts.payload, &payload);
    }
    if (err == AG_OK) {
        err = check_object(payload);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(payload);
    }
    return err == AG_ELIMIT ? AG_EINVAL : err; /* nested too deep: no JWT */
}

/* The payload is copied with its claims replaced: `from` up to `done`, into
 * `to` up to `len`. */
struct claims {
    struct span from;
    size_t done;
    uint8_t *to;
    size_t len;
    struct fill *fill;
};

static void
copy(struct claims *c, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy(c->to + c->len, bytes.ptr, bytes.len);
        c->len += bytes.len;
    }
}

/* What stands before `raw`; then `raw` is done with. */
static void
pass_to(struct claims *c, struct span raw)
{
    size_t at = (size_t)(raw.ptr - c->from.ptr);

    copy(c, span_sub(c->from, c->done, at - c->done));
    c->done = at + raw.len;
}

static bool
names_token(const char *pointer)
{
    for (size_t i = 0; i < AG_COUNT(ONCE); i++) {
        if (strcmp(pointer, ONCE[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum ag_err
replace_claim(void *arg, const struct leaf *leaf)
{
    struct claims *c = arg;
    bool number = leaf->kind == LEAF_WORD && leaf->raw.len > 0 &&
                  (leaf->raw.ptr[0] >= '0' && leaf->raw.ptr[0] <= '9');

    if (number && strcmp(leaf->pointer, "/exp") == 0) {
        pass_to(c, leaf->raw);
        copy(c, span_str(FAR_EXP));
    } else if (leaf->kind == LEAF_STRING && names_token(leaf->pointer)) {
        /* An escape must not become another: then all of it goes. */
        bool escaped = span_find(leaf->raw, '\\') < leaf->raw.len;

        pass_to(c, leaf->raw);
        for (size_t i = 0; i < leaf->raw.len; i++) {
            c->to[c->len++] = escaped ? fill_char(c->fill, CODE_ALNUM)
                                      : fill_class(c->fill, leaf->raw.ptr[i]);
        }
    }
    return AG_OK;
}

static enum ag_err
add_payload(const struct secret *payload, struct fill *f, struct buf *out)
{
    AG_AUTO(secret) struct secret *changed = NULL;
    struct claims c = {.from = secret_view(payload), .fill = f};
    uint8_t *to = NULL;
    size_t room;
    enum ag_err err;

    /* `"exp":1,` again and again: nothing grows by more. */
    err = secret_new(c.from.len * 3 + sizeof(FAR_EXP), &changed);
    if (err != AG_OK) {
        return err;
    }
    c.to = secret_bytes(changed);
    err = leaf_walk(c.from, FORMAT_JSON, replace_claim, &c);
    if (err != AG_OK) {
        return err;
    }
    copy(&c, span_sub(c.from, c.done, c.from.len));
    room = sodium_base64_encoded_len(c.len,
                                     sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    err = buf_room(out, room, &to);
    if (err == AG_OK) {
        (void)sodium_bin2base64((char *)to, room, c.to, c.len,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        buf_grew(out, room - 1);
    }
    return err;
}

/* `len` characters, the number among the last. */
static enum ag_err
add_signature(const struct making *m, struct fill *f, size_t len, size_t start,
              struct buf *out)
{
    size_t last = len % 4 == 0 ? 0 : 1;
    struct code code;
    uint8_t *to = NULL;
    enum ag_err err = buf_room(out, len, &to);

    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < len; i++) {
        bool number = i + NUMBER_CHARS + last >= len;

        to[i] = number ? (uint8_t)BASE64_LAST : fill_char(f, FILL_BASE64URL);
    }
    buf_grew(out, len);
    to = out->ptr + start;
    len = out->len - start;
    if (!code_find(CODE_BASE62, span_of(to, len), len - last, &code)) {
        return err_why(AG_EUNSUPPORTED, "there is no placeholder for a token "
                                        "with so short a signature");
    }
    code_put(m->key, &code, m->id, to, len);
    return AG_OK;
}

enum ag_err
jwt_make(const struct making *m, struct span real, const struct secret *payload,
         struct buf *out)
{
    AG_AUTO(fill) struct fill f;
    struct parts parts;
    size_t start = out->len;
    enum ag_err err;

    AG_ASSERT(split(real, &parts));
    fill_init(&f, m->key, m->id, real.len);
    err = buf_add(out, parts.header);
    if (err == AG_OK) {
        err = buf_add_byte(out, '.');
    }
    if (err == AG_OK) {
        err = add_payload(payload, &f, out);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, '.');
    }
    if (err == AG_OK) {
        err = add_signature(m, &f, parts.signature.len, start, out);
    }
    return err;
}
