#include "proxy/connect_head.h"

#include <string.h>
#include <strings.h>

static const char METHOD[] = "CONNECT ";

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EHTTP, "malformed CONNECT: %s", what);
}

bool
connect_head_begins(struct span bytes)
{
    size_t len = strlen(METHOD);

    return bytes.len < len ? span_starts(span_str(METHOD), bytes)
                           : span_starts(bytes, span_str(METHOD));
}

/* Cuts a line off, without its CR LF. False: it is not whole. */
static bool
next_line(struct span *rest, struct span *ret, enum ag_err *err)
{
    size_t end = span_find(*rest, '\n');

    *err = AG_OK;
    if (end == rest->len) {
        return false;
    }
    if (end == 0 || rest->ptr[end - 1] != '\r') {
        *err = malformed("a line that ends in LF without CR");
        return false;
    }
    *ret = span_sub(*rest, 0, end - 1);
    *rest = span_sub(*rest, end + 1, rest->len);
    return true;
}

static enum ag_err
read_request_line(struct span line, struct connect_head *ret)
{
    struct span rest = span_sub(line, strlen(METHOD), line.len);
    size_t at = span_find(rest, ' ');
    struct span version = span_sub(rest, at + 1, rest.len);
    uint16_t port = 0;
    enum ag_err err = AG_OK;

    if (!span_starts(line, span_str(METHOD)) || at == rest.len) {
        return malformed("it is no CONNECT HOST:PORT HTTP/1.1");
    }
    if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0")) {
        return malformed("the version must be HTTP/1.1");
    }
    err = guard_read_authority(span_sub(rest, 0, at), &ret->host, &port);
    if (err == AG_OK && port == 0) {
        return malformed("the target must be HOST:PORT");
    }
    ret->port = port;
    return err == AG_EINVAL ? malformed("the target must be HOST:PORT") : err;
}

static bool
is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                      (c >= 'A' && c <= 'Z');

        if (!letter && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

static bool
is_value(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static struct span
trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_sub(text, 1, text.len);
    }
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

static bool
is_named(struct span name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.ptr, wanted, name.len) == 0;
}

/* Nothing goes by it: clients send the target's, with its port or without, or
 * the proxy's own. */
static enum ag_err
check_host(struct span value)
{
    struct guard_host host = {0};
    uint16_t port = 0;

    return guard_read_authority(value, &host, &port) == AG_OK
               ? AG_OK
               : malformed("Host is not a name and port");
}

static enum ag_err
read_field(struct span line, bool *has_host)
{
    size_t at = span_find(line, ':');
    struct span name = span_sub(line, 0, at);
    struct span value = trim(span_sub(line, at + 1, line.len));

    if (at == line.len || !is_token(name)) {
        return malformed("a header line that is none");
    }
    if (!is_value(value)) {
        return malformed("a control byte in a header");
    }
    if (is_named(name, "transfer-encoding") ||
        (is_named(name, "content-length") && !span_is(value, "0"))) {
        return malformed("it has no body");
    }
    if (!is_named(name, "host")) {
        return AG_OK;
    }
    if (*has_host) {
        return malformed("Host comes twice");
    }
    *has_host = true;
    return check_host(value);
}

static enum ag_err
too_large(struct span bytes)
{
    return bytes.len >= CONNECT_HEAD_MAX_BYTES
               ? err_why(AG_EHEAD,
                         "the head of a CONNECT is longer than %d "
                         "bytes",
                         CONNECT_HEAD_MAX_BYTES)
               : AG_OK;
}

enum ag_err
connect_head_read(struct span bytes, struct connect_head *ret, size_t *ret_len)
{
    struct connect_head head = {0};
    struct span rest = span_sub(bytes, 0, CONNECT_HEAD_MAX_BYTES);
    struct span line = {0};
    size_t most = rest.len;
    bool has_host = false;
    enum ag_err err = AG_OK;

    *ret_len = 0;
    if (!next_line(&rest, &line, &err)) {
        return err != AG_OK ? err : too_large(bytes);
    }
    err = read_request_line(line, &head);
    for (size_t count = 0; err == AG_OK; count++) {
        if (!next_line(&rest, &line, &err)) {
            return err != AG_OK ? err : too_large(bytes);
        }
        if (line.len == 0) {
            *ret = head;
            *ret_len = most - rest.len;
            return AG_OK;
        }
        if (count == CONNECT_FIELDS_MAX_COUNT) {
            return err_why(AG_EHEAD, "more than %d header lines",
                           CONNECT_FIELDS_MAX_COUNT);
        }
        err = read_field(line, &has_host);
    }
    return err;
}
