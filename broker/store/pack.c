#include "store/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
    LEN_BYTES = 4,
    INT_BYTES = 8,
};

void
pack_bytes(struct pack *p, struct span bytes, size_t max_bytes)
{
    if (p->err == AG_OK && (bytes.len > max_bytes || bytes.len > UINT32_MAX)) {
        p->err = err_why(AG_EINVAL, "a text of %zu bytes; at most %zu",
                         bytes.len, max_bytes);
    }
    if (p->err == AG_OK) {
        p->err = buf_add_u32le(p->out, (uint32_t)bytes.len);
    }
    if (p->err == AG_OK && bytes.len > 0) {
        p->err = buf_add(p->out, bytes);
    }
}

void
pack_text(struct pack *p, const char *text, size_t max_bytes)
{
    pack_bytes(p, span_str(text), max_bytes);
}

void
pack_json(struct pack *p, const char *json, size_t max_bytes)
{
    pack_text(p, json == NULL ? "{}" : json, max_bytes);
}

static uint64_t
take_le(struct unpack *u, size_t bytes)
{
    uint64_t value = 0;
    size_t i;

    if (u->err == AG_OK && u->rest.len < bytes) {
        u->err = err_why(AG_ECORRUPT, "a row's body ends too early");
    }
    if (u->err != AG_OK) {
        return 0;
    }
    for (i = 0; i < bytes; i++) {
        value |= (uint64_t)u->rest.ptr[i] << (8 * i);
    }
    u->rest = span_sub(u->rest, bytes, u->rest.len - bytes);
    return value;
}

struct span
unpack_bytes(struct unpack *u)
{
    struct span none = span_of(NULL, 0);
    struct span text;
    size_t len = (size_t)take_le(u, LEN_BYTES);

    if (u->err == AG_OK && len > u->rest.len) {
        u->err = err_why(AG_ECORRUPT, "a row's body ends too early");
    }
    if (u->err != AG_OK) {
        return none;
    }
    text = span_sub(u->rest, 0, len);
    u->rest = span_sub(u->rest, len, u->rest.len - len);
    return text;
}

void
unpack_text(struct unpack *u, char *out, size_t size)
{
    struct span text = unpack_bytes(u);

    if (u->err == AG_OK && text.len >= size) {
        u->err = err_why(AG_ECORRUPT, "a row's text is too long");
    }
    if (u->err == AG_OK) {
        if (text.len > 0) {
            memcpy(out, text.ptr, text.len);
        }
        out[text.len] = '\0';
    }
}

void
unpack_new(struct unpack *u, char **ret)
{
    struct span text = unpack_bytes(u);
    char *copy;

    if (u->err != AG_OK) {
        return;
    }
    copy = malloc(text.len + 1);
    if (copy == NULL) {
        u->err = AG_ENOMEM;
        return;
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    *ret = copy;
}

enum ag_err
unpack_end(struct unpack *u)
{
    if (u->err == AG_OK && u->rest.len != 0) {
        u->err = err_why(AG_ECORRUPT, "a row's body is too long");
    }
    return u->err;
}

void
text_free(char *text)
{
    if (text != NULL) {
        wipe(text, strlen(text));
        free(text);
    }
}
