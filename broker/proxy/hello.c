#include "proxy/hello.h"

#include <string.h>

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEAD_BYTES = 5,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_HEAD_BYTES = 4,
    VERSION_MAJOR = 3,
    RANDOM_BYTES = 32,
    SESSION_MAX_BYTES = 32,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ENCRYPTED = 0xfe0d,
    NAME_TYPE_HOST = 0,
};

/* ---- records ---- */

/* The length of the message that begins with these bytes, its head included;
 * 0: not known yet. */
static size_t
message_len(const uint8_t *bytes, size_t len)
{
    return len < MESSAGE_HEAD_BYTES
               ? 0
               : MESSAGE_HEAD_BYTES + ((size_t)bytes[1] << 16 |
                                       (size_t)bytes[2] << 8 | bytes[3]);
}

/* One record's head. HELLO_WHOLE: *ret_len is its length. */
static enum hello_result
read_record_head(struct span rest, bool first, size_t *ret_len)
{
    if (rest.ptr[0] != RECORD_HANDSHAKE) {
        return first ? HELLO_NOT_TLS : HELLO_MALFORMED;
    }
    if (rest.len > 1 && rest.ptr[1] != VERSION_MAJOR) {
        return HELLO_MALFORMED;
    }
    if (rest.len < RECORD_HEAD_BYTES) {
        return HELLO_MORE;
    }
    *ret_len = (size_t)rest.ptr[3] << 8 | rest.ptr[4];
    return *ret_len == 0 ? HELLO_MALFORMED : HELLO_WHOLE;
}

/* Joins what the records carry, until the message is whole: what comes behind
 * it (early data) is not looked at. */
static enum hello_result
join_records(struct span bytes, uint8_t out[HELLO_MAX_BYTES], size_t *ret_len)
{
    size_t at = 0;
    size_t len = 0;

    *ret_len = 0;
    while (at < bytes.len) {
        struct span rest = span_sub(bytes, at, bytes.len);
        enum hello_result result = read_record_head(rest, at == 0, &len);
        size_t wanted = 0;

        if (result != HELLO_WHOLE) {
            return result;
        }
        /* Nor may one record be longer: RFC 8446 has the same bound. */
        if (*ret_len + len > HELLO_MAX_BYTES) {
            return HELLO_MALFORMED;
        }
        if (rest.len < RECORD_HEAD_BYTES + len) {
            return HELLO_MORE;
        }
        memcpy(out + *ret_len, rest.ptr + RECORD_HEAD_BYTES, len);
        *ret_len += len;
        at += RECORD_HEAD_BYTES + len;
        wanted = message_len(out, *ret_len);
        if (wanted > HELLO_MAX_BYTES || out[0] != MESSAGE_CLIENT_HELLO) {
            return HELLO_MALFORMED;
        }
        if (wanted > 0 && *ret_len >= wanted) {
            return *ret_len == wanted ? HELLO_WHOLE : HELLO_MALFORMED;
        }
    }
    return HELLO_MORE;
}

/* ---- fields ---- */

static bool
take_number(struct span *in, size_t bytes, size_t *ret)
{
    *ret = 0;
    if (in->ptr == NULL || in->len < bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        *ret = *ret << 8 | in->ptr[i];
    }
    *in = span_sub(*in, bytes, in->len);
    return true;
}

static bool
take_bytes(struct span *in, size_t len, struct span *ret)
{
    if (in->len < len) {
        return false;
    }
    *ret = span_of(in->ptr, len);
    *in = span_of(len < in->len ? in->ptr + len : NULL, in->len - len);
    return true;
}

/* A list of bytes behind its length, which has `width` bytes. */
static bool
take_list(struct span *in, size_t width, struct span *ret)
{
    size_t len = 0;

    return take_number(in, width, &len) && take_bytes(in, len, ret);
}

/* One name, of a host, and nothing else. */
static bool
read_server_name(struct span body, struct hello *ret)
{
    struct span list = {0};
    struct span name = {0};
    size_t type = 0;

    if (ret->has_name || !take_list(&body, 2, &list) || body.len > 0 ||
        !take_number(&list, 1, &type) || type != NAME_TYPE_HOST ||
        !take_list(&list, 2, &name) || list.len > 0 ||
        guard_read_host(name, &ret->name) != AG_OK || ret->name.is_address) {
        return false;
    }
    ret->has_name = true;
    return true;
}

static bool
read_extensions(struct span list, struct hello *ret)
{
    while (list.len > 0) {
        struct span body = {0};
        size_t type = 0;

        if (!take_number(&list, 2, &type) || !take_list(&list, 2, &body)) {
            return false;
        }
        if (type == EXTENSION_SERVER_NAME && !read_server_name(body, ret)) {
            return false;
        }
        ret->encrypted = ret->encrypted || type == EXTENSION_ENCRYPTED;
    }
    return true;
}

static bool
read_body(struct span in, struct hello *ret)
{
    struct span part = {0};
    size_t major = 0;
    size_t minor = 0;

    if (!take_number(&in, 1, &major) || major != VERSION_MAJOR ||
        !take_number(&in, 1, &minor) || !take_bytes(&in, RANDOM_BYTES, &part) ||
        !take_list(&in, 1, &part) || part.len > SESSION_MAX_BYTES ||
        !take_list(&in, 2, &part) || part.len < 2 || part.len % 2 != 0 ||
        !take_list(&in, 1, &part) || part.len < 1) {
        return false;
    }
    /* Before TLS 1.2 there may be none. */
    if (in.len == 0) {
        return true;
    }
    return take_list(&in, 2, &part) && in.len == 0 &&
           read_extensions(part, ret);
}

/* ---- the whole ---- */

enum hello_result
hello_read(struct span bytes, uint8_t scratch[HELLO_MAX_BYTES],
           struct hello *ret)
{
    struct hello hello = {0};
    size_t len = 0;
    enum hello_result result = join_records(bytes, scratch, &len);

    if (result != HELLO_WHOLE) {
        return result;
    }
    if (!read_body(span_sub(span_of(scratch, len), MESSAGE_HEAD_BYTES, len),
                   &hello)) {
        return HELLO_MALFORMED;
    }
    *ret = hello;
    return HELLO_WHOLE;
}

bool
hello_is_for(const struct hello *hello, const struct guard_host *host)
{
    if (host->is_address) {
        return !hello->has_name;
    }
    return hello->has_name && strcmp(hello->name.text, host->text) == 0;
}
