#include "proxy/handshake.h"

static const char PROTOCOL[] = "websocket";

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* The next word of a list such as "websocket, h2c". */
static struct span
next_word(struct span *rest)
{
    struct span word = {0};
    size_t len = 0;

    while (rest->len > 0 && is_blank(rest->ptr[0])) {
        *rest = span_sub(*rest, 1, rest->len);
    }
    while (len < rest->len && !is_blank(rest->ptr[len])) {
        len++;
    }
    word = span_sub(*rest, 0, len);
    *rest = span_sub(*rest, len, rest->len);
    return word;
}

/* Connection names it, or it means nothing. */
static bool
is_named(const struct proxy_request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (request_name_is(request->fields[i].name, "connection") &&
            request_list_names(request->fields[i].value, span_str("upgrade"))) {
            return true;
        }
    }
    return false;
}

static enum ag_err
read_list(struct span list, bool *wants)
{
    struct span word = next_word(&list);

    while (word.len > 0) {
        if (request_name_is(word, PROTOCOL)) {
            *wants = true;
        } else if (!request_name_is(word, "h2c")) {
            return err_why(AG_EUPGRADE,
                           "an upgrade to anything but a WebSocket is not "
                           "passed on");
        }
        word = next_word(&list);
    }
    return AG_OK;
}

enum ag_err
handshake_read(const struct proxy_request *request, bool *ret)
{
    bool wants = false;
    enum ag_err err = AG_OK;

    for (size_t i = 0;
         err == AG_OK && is_named(request) && i < request->field_count; i++) {
        if (request_name_is(request->fields[i].name, "upgrade")) {
            err = read_list(request->fields[i].value, &wants);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    if (wants && (!span_is(request->method, "GET") || request->body_bytes > 0 ||
                  request->body_bytes == PROXY_BODY_CHUNKED)) {
        return err_why(AG_EUPGRADE, "a WebSocket begins by GET without a body");
    }
    *ret = wants;
    return AG_OK;
}

enum ag_err
handshake_check(const struct upstream_head *head)
{
    size_t upgrades = 0;
    size_t accepts = 0;

    for (size_t i = 0; i < head->field_count; i++) {
        struct span name = head->fields[i].name;

        if (request_name_is(name, "upgrade")) {
            upgrades +=
                request_name_is(head->fields[i].value, PROTOCOL) ? 1 : 2;
        }
        accepts += request_name_is(name, "sec-websocket-accept") ? 1 : 0;
        if (request_name_is(name, "sec-websocket-extensions")) {
            return err_why(AG_EUPSTREAM, "the service uses an extension of "
                                         "WebSocket, unasked");
        }
    }
    return upgrades == 1 && accepts == 1
               ? AG_OK
               : err_why(AG_EUPSTREAM, "the service switches to something that "
                                       "is no WebSocket");
}
