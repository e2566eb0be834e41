#include "upstream/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/secret.h"
#include "base/wipealloc.h"

enum {
    OWN_LINES_COUNT = 3, /* Expect, Accept, and Connection or T.-Encoding */
    FRAMING_BYTES = 3,   /* ": " and NUL */
    PORT_HTTPS = 443,
    PORT_HTTP = 80,
};

struct request_lines {
    char *plain;           /* wiped when freed */
    struct secret *locked; /* NULL without secret fields */
    size_t count;
    struct curl_slist nodes[];
};

/* ---- check ---- */

static bool
is_token_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool
request_is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* No control bytes but tab, no blanks at the ends. */
static bool
is_field_value(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return text.len == 0 ||
           (text.ptr[0] != ' ' && text.ptr[0] != '\t' &&
            text.ptr[text.len - 1] != ' ' && text.ptr[text.len - 1] != '\t');
}

static bool
is_target(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || text.ptr[i] == '#') {
            return false;
        }
    }
    return text.len > 0 && text.ptr[0] == '/';
}

static bool
is_name(struct span name, const char *text)
{
    return name.len == strlen(text) &&
           strncasecmp((const char *)name.ptr, text, name.len) == 0;
}

/* What the call decides itself, or what is only for the next hop. */
static bool
is_ours(const struct upstream_field *field, unsigned flags)
{
    static const char *const OURS[] = {
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Trailer",
        "Keep-Alive",
        "HTTP2-Settings",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Proxy-Authenticate",
    };

    for (size_t i = 0; i < AG_COUNT(OURS); i++) {
        if (is_name(field->name, OURS[i])) {
            return true;
        }
    }
    if (is_name(field->name, "TE")) {
        return !span_is(field->value, "trailers");
    }
    return is_name(field->name, "Upgrade") && (flags & UPSTREAM_UPGRADE) == 0;
}

static enum ag_err
check_fields(const struct upstream_request *request)
{
    size_t total = 0;

    if (request->field_count > UPSTREAM_FIELDS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a request has at most %d fields",
                       (int)UPSTREAM_FIELDS_MAX_COUNT);
    }
    for (size_t i = 0; i < request->field_count; i++) {
        const struct upstream_field *field = &request->fields[i];

        if (!request_is_token(field->name)) {
            return err_why(AG_EINVAL, "field %zu has no proper name", i + 1);
        }
        if (!is_field_value(field->value)) {
            return err_why(AG_EINVAL, "field %zu has no proper value", i + 1);
        }
        if (is_ours(field, request->flags)) {
            return err_why(AG_EINVAL, "field %zu is not the caller's to set",
                           i + 1);
        }
        if (__builtin_add_overflow(total, field->name.len, &total) ||
            __builtin_add_overflow(total, field->value.len, &total) ||
            total > UPSTREAM_HEAD_MAX_BYTES) {
            return err_why(AG_ELIMIT,
                           "a request's fields have at most %d bytes",
                           (int)UPSTREAM_HEAD_MAX_BYTES);
        }
    }
    return AG_OK;
}

static enum ag_err
check_method(const struct upstream_request *request, char *out)
{
    struct span method = request->method;

    if (!request_is_token(method) || method.len > UPSTREAM_METHOD_MAX_BYTES ||
        span_is(method, "CONNECT")) {
        return err_why(AG_EINVAL, "the method is not one for a service");
    }
    memcpy(out, method.ptr, method.len);
    out[method.len] = '\0';
    if (request->body_bytes < UPSTREAM_BODY_NONE) {
        return err_why(AG_EINVAL, "the body has no length below none");
    }
    if (request->body_bytes != UPSTREAM_BODY_NONE &&
        (span_is(method, "HEAD") || (request->flags & UPSTREAM_UPGRADE) != 0)) {
        return err_why(AG_EINVAL, "HEAD and an upgrade have no body");
    }
    if ((request->flags & UPSTREAM_UPGRADE) != 0 && !span_is(method, "GET")) {
        return err_why(AG_EINVAL, "an upgrade is asked for by GET");
    }
    return AG_OK;
}

static enum ag_err
check_host(const struct upstream_request *request, struct request_parts *parts)
{
    enum ag_err err = guard_read_host(request->host, &parts->host);

    if (err != AG_OK) {
        return err;
    }
    parts->may = GUARD_MAY_PUBLIC;
    if ((request->flags & UPSTREAM_INNER) != 0) {
        parts->may = parts->host.is_address ? GUARD_MAY_NAMED : GUARD_MAY_INNER;
    }
    if (!guard_allows(parts->host.rule, parts->may)) {
        return err_why(AG_EADDRESS, "%s %s, which no grant names",
                       parts->host.text, guard_says(parts->host.rule));
    }
    return AG_OK;
}

enum ag_err
request_check(const struct upstream_request *request, struct request_parts *ret)
{
    struct request_parts parts = {.port = request->port};
    enum ag_err err = check_method(request, parts.method);

    if (parts.port == 0) {
        parts.port =
            (request->flags & UPSTREAM_PLAIN) != 0 ? PORT_HTTP : PORT_HTTPS;
    }
    if (err == AG_OK && request->target.len > UPSTREAM_TARGET_MAX_BYTES) {
        err = err_why(AG_ELIMIT, "a target has at most %d bytes",
                      (int)UPSTREAM_TARGET_MAX_BYTES);
    }
    if (err == AG_OK && !is_target(request->target)) {
        err = err_why(AG_EINVAL, "the target is not a path with a query");
    }
    if (err == AG_OK) {
        err = check_host(request, &parts);
    }
    if (err == AG_OK) {
        err = check_fields(request);
    }
    if (err == AG_OK) {
        *ret = parts;
    }
    return err;
}

/* ---- lines ---- */

static size_t
line_bytes(const struct upstream_field *field)
{
    return field->name.len + field->value.len + FRAMING_BYTES;
}

/* "Name: value"; without a value "Name;", which libcurl sends as "Name:". */
static char *
write_line(char *at, const struct upstream_field *field)
{
    memcpy(at, field->name.ptr, field->name.len);
    at += field->name.len;
    if (field->value.len == 0) {
        *at++ = ';';
    } else {
        *at++ = ':';
        *at++ = ' ';
        memcpy(at, field->value.ptr, field->value.len);
        at += field->value.len;
    }
    *at++ = '\0';
    return at;
}

static void
add_node(struct request_lines *lines, char *text)
{
    struct curl_slist *node = &lines->nodes[lines->count];

    node->data = text;
    if (lines->count > 0) {
        lines->nodes[lines->count - 1].next = node;
    }
    lines->count++;
}

static void
write_lines(struct request_lines *lines, const struct upstream_request *request)
{
    char *plain = lines->plain;
    char *locked =
        lines->locked == NULL ? NULL : (char *)secret_bytes(lines->locked);

    for (size_t i = 0; i < request->field_count; i++) {
        const struct upstream_field *field = &request->fields[i];
        char **at = field->secret ? &locked : &plain;

        AG_ASSERT(*at != NULL);
        add_node(lines, *at);
        *at = write_line(*at, field);
    }
}

/* A line without a value keeps libcurl from a field of its own. An upgrade is
 * sent as an upload of no said length, so that its bytes can go out later. */
static void
add_own(struct request_lines *lines, const struct upstream_request *request)
{
    static char expect_none[] = "Expect:";
    static char expect[] = "Expect: 100-continue";
    static char accept_none[] = "Accept:";
    static char connection[] = "Connection: Upgrade";
    static char encoding_none[] = "Transfer-Encoding:";
    bool accepts = false;

    for (size_t i = 0; i < request->field_count; i++) {
        accepts = accepts || is_name(request->fields[i].name, "Accept");
    }
    if (!accepts) {
        add_node(lines, accept_none);
    }
    add_node(lines, (request->flags & UPSTREAM_EXPECT) != 0 &&
                            request->body_bytes != UPSTREAM_BODY_NONE
                        ? expect
                        : expect_none);
    if ((request->flags & UPSTREAM_UPGRADE) != 0) {
        add_node(lines, connection);
        add_node(lines, encoding_none);
    }
}

enum ag_err
request_lines_new(const struct upstream_request *request,
                  struct request_lines **ret)
{
    AG_AUTO(request_lines) struct request_lines *lines = NULL;
    size_t plain_bytes = 1;
    size_t locked_bytes = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < request->field_count; i++) {
        *(request->fields[i].secret ? &locked_bytes : &plain_bytes) +=
            line_bytes(&request->fields[i]);
    }
    lines = calloc(1, sizeof(*lines) +
                          (request->field_count + OWN_LINES_COUNT + 1) *
                              sizeof(lines->nodes[0]));
    if (lines == NULL) {
        return AG_ENOMEM;
    }
    lines->plain = wipe_malloc(plain_bytes);
    if (lines->plain == NULL) {
        return AG_ENOMEM;
    }
    if (locked_bytes > 0) {
        err = secret_new(locked_bytes, &lines->locked);
    }
    if (err != AG_OK) {
        return err;
    }
    write_lines(lines, request);
    add_own(lines, request);
    *ret = AG_TAKE(lines);
    return AG_OK;
}

void
request_lines_free(struct request_lines *lines)
{
    if (lines == NULL) {
        return;
    }
    secret_free(lines->locked);
    wipe_free(lines->plain);
    free(lines);
}

struct curl_slist *
request_lines_list(struct request_lines *lines)
{
    return &lines->nodes[0];
}
