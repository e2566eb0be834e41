#include "policy/request.h"

#include <string.h>

#include "base/encode.h"
#include "base/secret.h"

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Of the first `b.len` bytes of `a`; `a` is as long at least. */
static bool
starts_like(struct span a, struct span b)
{
    if (a.len < b.len) {
        return false;
    }
    for (size_t i = 0; i < b.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool
request_name_is(struct span name, const char *wanted)
{
    /* By the first byte most are told apart already. */
    return name.len > 0 && lower(name.ptr[0]) == lower((uint8_t)wanted[0]) &&
           name.len == strlen(wanted) && starts_like(name, span_str(wanted));
}

bool
request_is_own_token(const struct request_field *field)
{
    return request_name_is(field->name, "x-vault-token") ||
           (request_name_is(field->name, "authorization") &&
            starts_like(field->value, span_str("bearer agt_")));
}

bool
request_list_names(struct span list, struct span name)
{
    size_t at = 0;

    while (at < list.len) {
        struct span rest = span_sub(list, at, list.len);
        struct span word = span_sub(rest, 0, span_find(rest, ','));

        at += word.len + 1;
        while (word.len > 0 && (word.ptr[0] == ' ' || word.ptr[0] == '\t')) {
            word = span_sub(word, 1, word.len);
        }
        while (word.len > 0 && (word.ptr[word.len - 1] == ' ' ||
                                word.ptr[word.len - 1] == '\t')) {
            word = span_sub(word, 0, word.len - 1);
        }
        if (word.len == name.len && starts_like(word, name)) {
            return true;
        }
    }
    return false;
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte an escape at `at` stands for, or -1. */
static int
escaped(struct span text, size_t at)
{
    int high = at + 2 < text.len ? hex_digit(text.ptr[at + 1]) : -1;
    int low = at + 2 < text.len ? hex_digit(text.ptr[at + 2]) : -1;

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* ---- the path ---- */

/* UTF-8 in more bytes than it needs (RFC 3629 section 3): readers have taken
 * %C0%AE for a '.', %E0%80%AF for a '/'. */
static bool
is_overlong(struct span path, size_t at, int byte)
{
    bool follows = at + 3 < path.len && path.ptr[at + 3] == '%';
    int next = follows ? escaped(path, at + 3) : -1;

    return byte == 0xc0 || byte == 0xc1 ||
           (byte == 0xe0 && next >= 0x80 && next < 0xa0) ||
           (byte == 0xf0 && next >= 0x80 && next < 0x90);
}

static enum ag_err
check_byte(struct span path, size_t at)
{
    int byte = path.ptr[at];

    if (byte == '\\' || byte == ';') {
        return err_why(AG_ETARGET, "the path holds a '%c'", byte);
    }
    if (byte != '%') {
        return AG_OK;
    }
    byte = escaped(path, at);
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' ||
        byte == '.' || byte == '%' || byte == ';') {
        return err_why(AG_ETARGET,
                       "the path holds an escaped '/', '\\', '.', '%%', ';' or "
                       "control byte");
    }
    return is_overlong(path, at, byte)
               ? err_why(AG_ETARGET, "the path holds UTF-8 of too many bytes")
               : AG_OK;
}

static enum ag_err
check_segment(struct span segment, bool last)
{
    if (span_is(segment, ".") || span_is(segment, "..")) {
        return err_why(AG_ETARGET, "the path holds a segment of dots");
    }
    return segment.len == 0 && !last
               ? err_why(AG_ETARGET, "the path holds an empty segment")
               : AG_OK;
}

enum ag_err
request_check_path(struct span path)
{
    struct span rest = span_sub(path, 1, path.len);
    enum ag_err err = path.len > 0 && path.ptr[0] == '/' ? AG_OK : AG_ETARGET;

    for (size_t i = 0; err == AG_OK && i < path.len; i++) {
        err = check_byte(path, i);
    }
    while (err == AG_OK) {
        size_t len = span_find(rest, '/');

        err = check_segment(span_sub(rest, 0, len), len == rest.len);
        if (len == rest.len) {
            break;
        }
        rest = span_sub(rest, len + 1, rest.len);
    }
    return err;
}

/* ---- the rules ---- */

/* `*` is any run, '/' too. */
static bool
path_matches(const char *pattern, struct span path)
{
    const uint8_t *p = (const uint8_t *)pattern;
    const uint8_t *star = NULL;
    size_t at = 0;
    size_t back = 0;

    while (at < path.len) {
        if (*p == '*') {
            star = p++;
            back = at;
        } else if (*p == path.ptr[at]) {
            p++;
            at++;
        } else if (star != NULL) {
            p = star + 1;
            at = ++back;
        } else {
            return false;
        }
    }
    while (*p == '*') {
        p++;
    }
    return *p == '\0';
}

static bool
any_method(const struct place *place, struct span method)
{
    for (size_t i = 0; i < place->methods.count; i++) {
        if (span_is(method, place->methods.items[i])) {
            return true;
        }
    }
    return place->methods.count == 0;
}

static bool
any_path(const struct place *place, struct span path)
{
    for (size_t i = 0; i < place->paths.count; i++) {
        if (path_matches(place->paths.items[i], path)) {
            return true;
        }
    }
    return place->paths.count == 0;
}

enum ag_err
request_allows(const struct place *place, const struct request_ask *ask)
{
    if (!place_covers(place, ask->host)) {
        return err_why(AG_EHOST, "no value of this task goes to %.*s",
                       (int)ask->host.len, (const char *)ask->host.ptr);
    }
    if (!any_method(place, ask->method)) {
        return err_why(AG_EVERB, "%.*s is not a method that may be used there",
                       (int)ask->method.len, (const char *)ask->method.ptr);
    }
    if (!any_path(place, ask->path)) {
        return err_why(AG_EPATH,
                       "that path of %.*s is not one that may be "
                       "called",
                       (int)ask->host.len, (const char *)ask->host.ptr);
    }
    return AG_OK;
}

/* ---- what stands at a place ---- */

void
request_found_done(struct request_found *found)
{
    buf_done(&found->text);
    *found = (struct request_found){0};
}

bool
request_unwrap(const char *format, struct span text, struct span *ret)
{
    struct span all = span_str(format);
    size_t at = (size_t)(strstr(format, "{}") - format);
    struct span head = span_sub(all, 0, at);
    struct span tail = span_sub(all, at + 2, all.len);

    if (text.len <= head.len + tail.len || !starts_like(text, head) ||
        !span_equal(span_sub(text, text.len - tail.len, tail.len), tail)) {
        return false;
    }
    *ret = span_sub(text, head.len, text.len - head.len - tail.len);
    return true;
}

/* The one header of that name. */
static enum ag_err
find_header(const struct request_ask *ask, const char *name,
            struct request_found *ret)
{
    for (size_t i = 0; i < ask->field_count; i++) {
        if (!request_name_is(ask->fields[i].name, name)) {
            continue;
        }
        if (ret->there) {
            return err_why(AG_EPLACE, "the header %s comes twice", name);
        }
        ret->there = true;
        ret->field = i;
    }
    return AG_OK;
}

static enum ag_err
look_header(const struct place *place, const struct request_ask *ask,
            struct request_found *ret)
{
    enum ag_err err = find_header(ask, place->name, ret);

    if (err == AG_OK && ret->there) {
        ret->there = request_unwrap(place->format,
                                    ask->fields[ret->field].value, &ret->value);
    }
    return err;
}

/* "Basic " + base64 of user:password, for the place's user or, with '*', any. */
static enum ag_err
look_basic(const struct place *place, const struct request_ask *ask,
           struct request_found *ret)
{
    static const char SCHEME[] = "Basic {}";
    AG_AUTO(secret) struct secret *plain = NULL;
    struct span text = {0};
    size_t colon = 0;
    enum ag_err err = find_header(ask, "Authorization", ret);

    if (err != AG_OK || !ret->there ||
        !request_unwrap(SCHEME, ask->fields[ret->field].value, &text)) {
        ret->there = false;
        return err;
    }
    ret->there = false;
    err = decode_base64_secret(text, &plain);
    if (err != AG_OK) {
        return err == AG_EINVAL ? AG_OK : err;
    }
    text = secret_view(plain);
    colon = span_find(text, ':');
    if (colon == text.len ||
        (strcmp(place->name, "*") != 0 &&
         !span_is(span_sub(text, 0, colon), place->name))) {
        return AG_OK;
    }
    err = buf_add(&ret->text, text);
    ret->there = err == AG_OK;
    ret->at = colon + 1;
    ret->value = span_sub(buf_view(&ret->text), colon + 1, text.len);
    return err;
}

static enum ag_err
unescape(struct span text, struct buf *out)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < text.len; i++) {
        int byte = text.ptr[i] == '%' ? escaped(text, i) : text.ptr[i];

        if (byte < 0) {
            return AG_EHTTP;
        }
        i += text.ptr[i] == '%' ? 2 : 0;
        err = buf_add_byte(out, (uint8_t)byte);
    }
    return err;
}

static enum ag_err
look_query(const struct place *place, const struct request_ask *ask,
           struct request_found *ret)
{
    size_t at = 0;

    while (at < ask->query.len) {
        struct span rest = span_sub(ask->query, at, ask->query.len);
        struct span pair = span_sub(rest, 0, span_find(rest, '&'));
        size_t equals = span_find(pair, '=');

        if (span_is(span_sub(pair, 0, equals), place->name)) {
            if (ret->there) {
                return err_why(AG_EPLACE, "the parameter %s comes twice",
                               place->name);
            }
            ret->there = equals < pair.len;
            ret->at = at + equals + 1;
            ret->len = pair.len - (equals < pair.len ? equals + 1 : equals);
        }
        at += pair.len + 1;
    }
    if (ret->there) {
        enum ag_err err =
            unescape(span_sub(ask->query, ret->at, ret->len), &ret->text);

        ret->there =
            err == AG_OK &&
            request_unwrap(place->format, buf_view(&ret->text), &ret->value);
        return err;
    }
    return AG_OK;
}

enum ag_err
request_look(const struct place *place, const struct request_ask *ask,
             struct request_found *ret)
{
    buf_init(&ret->text, REQUEST_FOUND_MAX_BYTES, BUF_PLAIN);
    switch (place->in) {
    case PLACE_HEADER:
        return look_header(place, ask, ret);
    case PLACE_BASIC:
        return look_basic(place, ask, ret);
    case PLACE_QUERY:
        return look_query(place, ask, ret);
    case PLACE_FIELD:
        return request_look_body(place, ask, ret);
    }
    return AG_EINTERNAL;
}
