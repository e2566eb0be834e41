#include "http/route.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"

enum {
    ID_MAX_BYTES = 64,
};

/* One segment of a path, and what is behind it. */
struct walker {
    struct span rest;
};

/* "/a/b" gives "a", then "b"; false at the end. */
static bool
next_segment(struct walker *w, struct span *ret)
{
    size_t len;

    if (w->rest.len == 0 || w->rest.ptr[0] != '/') {
        return false;
    }
    w->rest = span_sub(w->rest, 1, w->rest.len - 1);
    len = span_find(w->rest, '/');
    *ret = span_sub(w->rest, 0, len);
    w->rest = span_sub(w->rest, len, w->rest.len - len);
    return true;
}

static bool
is_param(struct span segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

struct matched {
    struct span kind[REQUEST_PARAMS_MAX_COUNT];  /* {name} or {id} */
    struct span value[REQUEST_PARAMS_MAX_COUNT]; /* still encoded */
    size_t count;
};

static bool
match(const char *pattern, struct span path, struct matched *ret)
{
    struct walker wanted = {.rest = span_str(pattern)};
    struct walker given = {.rest = path};
    struct span want = {0};
    struct span have = {0};

    ret->count = 0;
    while (next_segment(&wanted, &want)) {
        if (!next_segment(&given, &have) || have.len == 0) {
            return false;
        }
        if (is_param(want)) {
            AG_ASSERT(ret->count < REQUEST_PARAMS_MAX_COUNT);
            ret->kind[ret->count] = want;
            ret->value[ret->count++] = have;
        } else if (!span_equal(want, have)) {
            return false;
        }
    }
    return given.rest.len == 0;
}

static bool
is_unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* Upper case only: -1 otherwise. */
static int
hex_upper(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum ag_err
decode_escape(struct span digits, char *out)
{
    int high = digits.len == 2 ? hex_upper(digits.ptr[0]) : -1;
    int low = digits.len == 2 ? hex_upper(digits.ptr[1]) : -1;
    uint8_t byte;

    if (high < 0 || low < 0) {
        return err_why(AG_EINVAL, "path or query: an escape is '%%' and two "
                                  "hex digits in upper case");
    }
    byte = (uint8_t)(high << 4 | low);
    if (byte == 0 || is_unreserved(byte)) {
        return err_why(AG_EINVAL, "path or query: %%%02X must not be escaped",
                       (unsigned int)byte);
    }
    *out = (char)byte;
    return AG_OK;
}

enum ag_err
route_decode(struct span text, size_t cap, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        enum ag_err err = AG_OK;

        if (n + 1 >= cap) {
            return err_why(AG_EINVAL, "path or query: a part is too long");
        }
        if (text.ptr[i] == '%') {
            err = decode_escape(span_sub(text, i + 1, 2), &out[n]);
            i += 2;
        } else {
            out[n] = (char)text.ptr[i];
        }
        if (err != AG_OK) {
            return err;
        }
        n++;
    }
    out[n] = '\0';
    return AG_OK;
}

static enum ag_err
check_id(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    if (len == 0 || len > ID_MAX_BYTES || text[len] != '\0') {
        return err_why(AG_EINVAL, "the id in the path is not valid");
    }
    return AG_OK;
}

static enum ag_err
decode_params(const struct matched *m, struct request *rq)
{
    for (size_t i = 0; i < m->count; i++) {
        enum ag_err err =
            route_decode(m->value[i], sizeof(rq->param[i]), rq->param[i]);

        if (err == AG_OK) {
            err = span_is(m->kind[i], "{name}")
                      ? parse_name(span_str(rq->param[i]))
                      : check_id(rq->param[i]);
        }
        if (err != AG_OK) {
            return err;
        }
    }
    return AG_OK;
}

static void
add_allowed(struct reply *reply, const char *method)
{
    size_t len = strlen(reply->allow_text);

    (void)snprintf(reply->allow_text + len, sizeof(reply->allow_text) - len,
                   "%s%s", len > 0 ? ", " : "", method);
}

enum ag_err
route_find(const struct route_set *set, const char *method, struct span path,
           struct request *rq)
{
    struct matched m = {0};
    bool found_path = false;

    rq->reply.allow_text[0] = '\0';
    for (size_t i = 0; i < set->count; i++) {
        const struct route *row = &set->rows[i];

        if (!match(row->pattern, path, &m)) {
            continue;
        }
        if (strcmp(row->method, method) == 0) {
            rq->route = row;
            return decode_params(&m, rq);
        }
        found_path = true;
        add_allowed(&rq->reply, row->method);
    }
    if (found_path) {
        return err_why(AG_EMETHOD, "this resource takes %s",
                       rq->reply.allow_text);
    }
    return err_why(AG_ENOTFOUND, "no such path in this API");
}
