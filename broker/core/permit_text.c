/* What is sent in a placeholder's stead, as its place spells it. */
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/secret.h"
#include "core/permit_impl.h"
#include "core/proxied.h"
#include "profile/respell.h"

/* `before` | value | `after`, in locked memory. */
static enum ag_err
join(struct span before, struct span value, struct span after,
     struct secret **ret)
{
    struct secret *text = NULL;
    enum ag_err err = secret_new(before.len + value.len + after.len, &text);
    uint8_t *out = NULL;

    if (err != AG_OK) {
        return err;
    }
    out = secret_bytes(text);
    if (before.len > 0) {
        memcpy(out, before.ptr, before.len);
    }
    if (value.len > 0) {
        memcpy(out + before.len, value.ptr, value.len);
    }
    if (after.len > 0) {
        memcpy(out + before.len + value.len, after.ptr, after.len);
    }
    *ret = text;
    return AG_OK;
}

static enum ag_err
wrap(const char *format, struct span value, struct secret **ret)
{
    struct span all = span_str(format);
    size_t at = (size_t)(strstr(format, "{}") - format);

    return join(span_sub(all, 0, at), value, span_sub(all, at + 2, all.len),
                ret);
}

static enum ag_err
basic_text(struct span user, struct span value, struct secret **ret)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err = join(user, value, span_of(NULL, 0), &plain);

    buf_init(&text, 2 * (size_t)REQUEST_FOUND_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = encode_base64(secret_view(plain), &text);
    }
    return err == AG_OK ? join(span_str("Basic "), buf_view(&text),
                               span_of(NULL, 0), ret)
                        : err;
}

static bool
is_unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static enum ag_err
query_text(const char *format, struct span value, struct secret **ret)
{
    static const char HEX[] = "0123456789ABCDEF";
    AG_AUTO(secret) struct secret *plain = NULL;
    struct secret *text = NULL;
    struct span in = {0};
    size_t n = 0;
    enum ag_err err = wrap(format, value, &plain);

    if (err == AG_OK) {
        err = secret_new(3 * secret_len(plain), &text);
    }
    if (err != AG_OK) {
        return err;
    }
    in = secret_view(plain);
    for (size_t i = 0; i < in.len; i++) {
        uint8_t *out = secret_bytes(text) + n;

        if (is_unreserved(in.ptr[i])) {
            out[0] = in.ptr[i];
            n++;
            continue;
        }
        out[0] = '%';
        out[1] = (uint8_t)HEX[in.ptr[i] >> 4];
        out[2] = (uint8_t)HEX[in.ptr[i] & 15];
        n += 3;
    }
    secret_shrink(text, n);
    *ret = text;
    return AG_OK;
}

enum ag_err
permit_check_line(const struct proxied_item *item, const struct secret *text)
{
    struct span bytes = secret_view(text);

    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] < 0x20 || bytes.ptr[i] == 0x7f) {
            return err_why(AG_EUNSUPPORTED,
                           "the value of %s holds a control byte and can't "
                           "stand in a header",
                           item->name);
        }
    }
    return AG_OK;
}

/* As a JSON string has it, without its quotes. */
static enum ag_err
field_text(const char *format, struct span value, struct secret **ret)
{
    const struct leaf leaf = {.kind = LEAF_STRING, .spelling = SPELL_JSON};
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err = wrap(format, value, &plain);

    buf_init(&text, SECRET_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = respell(&leaf, secret_view(plain), &text);
    }
    return err == AG_OK ? secret_from(buf_view(&text), ret) : err;
}

enum ag_err
permit_text(const struct place *place, const struct request_found *found,
            struct span value, struct secret **ret)
{
    switch (place->in) {
    case PLACE_HEADER:
        return wrap(place->format, value, ret);
    case PLACE_BASIC:
        return basic_text(span_sub(buf_view(&found->text), 0, found->at), value,
                          ret);
    case PLACE_QUERY:
        return query_text(place->format, value, ret);
    case PLACE_FIELD:
        return field_text(place->format, value, ret);
    }
    return AG_EINTERNAL;
}
