#include "policy/places.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "wire/json.h"
#include "wire/msg.h"

enum {
    HOST_MAX_BYTES = 255 + 6, /* with a port */
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PATH_MAX_BYTES = 1024,
    LIST_MAX_COUNT = 64,
    FIELD_MAX_BYTES = 1024,
};

static const char *const PLACES_IN[] = {"header", "query", "basic", "field",
                                        NULL};

/* ---- checks of one text ---- */

static bool
is_host_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
}

/* Lower case, so that comparing is exact; a star only as the first label. */
static enum ag_err
check_host(struct span text)
{
    bool star = span_starts(text, span_str("*."));
    struct span rest = star ? span_sub(text, 2, text.len) : text;

    for (size_t i = 0; i < rest.len; i++) {
        if (!is_host_byte(rest.ptr[i])) {
            return err_why(AG_EINVAL, "a host of lower-case letters, digits, "
                                      "'-' and '.', with '*.' before it or a "
                                      "port behind it");
        }
    }
    /* "*.com" would be everybody's. */
    return rest.len > 0 && rest.len <= HOST_MAX_BYTES &&
                   (!star || span_find(rest, '.') < rest.len)
               ? AG_OK
               : err_why(AG_EINVAL, "a host, or '*.' and two labels at least");
}

static enum ag_err
check_path(struct span text)
{
    return text.len > 0 && text.ptr[0] == '/' && text.len <= PATH_MAX_BYTES
               ? AG_OK
               : err_why(AG_EINVAL, "a path begins with '/'");
}

static bool
is_token_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum ag_err
check_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte(text.ptr[i])) {
            return err_why(AG_EINVAL, "a name of letters, digits and '-'");
        }
    }
    return AG_OK;
}

/* One `{}`, and nothing that could end a header line. */
static enum ag_err
check_format(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) {
            return err_why(AG_EINVAL, "visible ASCII only");
        }
        count +=
            text.ptr[i] == '{' && i + 1 < text.len && text.ptr[i + 1] == '}';
    }
    return count == 1 ? AG_OK : err_why(AG_EINVAL, "must hold {} once");
}

/* ---- the table ---- */

static const struct msg_field WITH_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_with, name, 1, PLACE_NAME_MAX_BYTES,
                     MSG_REQUIRED, check_token),
    MSG_FIELD_STRING(struct profile_with, field, 1, FIELD_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
static const struct msg_spec WITH = MSG_SPEC(struct profile_with, WITH_FIELDS);

static const struct msg_field PLACE_FIELDS[] = {
    MSG_FIELD_STRING(struct place, service, 1, PROFILE_NAME_MAX_BYTES,
                     MSG_OPTIONAL, parse_name),
    MSG_FIELD_STRINGS(struct place, hosts, 1, LIST_MAX_COUNT, MSG_REQUIRED,
                      check_host),
    MSG_FIELD_STRINGS(struct place, paths, 0, LIST_MAX_COUNT, MSG_OPTIONAL,
                      check_path),
    MSG_FIELD_STRINGS(struct place, methods, 0, LIST_MAX_COUNT, MSG_OPTIONAL,
                      check_token),
    MSG_FIELD_STRING(struct place, field, 0, FIELD_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    MSG_FIELD_CHOICE(struct place, in, PLACES_IN, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct place, name, 1, PLACE_NAME_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    MSG_FIELD_STRING(struct place, format, 2, PLACE_FORMAT_MAX_BYTES,
                     MSG_REQUIRED, check_format),
    MSG_FIELD_BOOL(struct place, inner, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct place, plain, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct place, optional, MSG_OPTIONAL, false),
    MSG_FIELD_LIST(struct place, with, 0, LIST_MAX_COUNT, MSG_OPTIONAL, &WITH),
};
static const struct msg_spec PLACE = MSG_SPEC(struct place, PLACE_FIELDS);

static const struct msg_field PLACES_FIELDS[] = {
    MSG_FIELD_LIST(struct places, places, 0, PLACES_MAX_COUNT, MSG_OPTIONAL,
                   &PLACE),
    MSG_FIELD_STRING(struct places, refresh, 1, PATH_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
};
static const struct msg_spec PLACES = MSG_SPEC(struct places, PLACES_FIELDS);

/* What no single text tells. */
static enum ag_err
check_place(const struct place *p)
{
    if (p->in == PLACE_HEADER && check_token(span_str(p->name)) != AG_OK) {
        return err_why(AG_EINVAL, "'%.40s' is no name of a header", p->name);
    }
    if (p->in == PLACE_FIELD && p->name[0] != '/') {
        return err_why(AG_EINVAL, "'%.40s' is no pointer (RFC 6901) to a field",
                       p->name);
    }
    return p->plain && !p->inner
               ? err_why(AG_EINVAL, "http:// only to a host that is inside")
               : AG_OK;
}

static uint16_t
usual_port(const struct place *p)
{
    return p->plain ? PORT_HTTP : PORT_HTTPS;
}

static enum ag_err
use_key(json_t *hosts, size_t index, uint16_t usual)
{
    const char *host = json_string_value(json_array_get(hosts, index));
    const char *star = host != NULL && strncmp(host, "*.", 2) == 0 ? "*." : "";
    char key[GUARD_AUTHORITY_BYTES];

    /* What is none the table refuses, or nobody has. */
    if (host == NULL || check_host(span_str(host)) != AG_OK ||
        guard_authority_key(span_str(host + strlen(star)), usual, key) !=
            AG_OK) {
        return AG_OK;
    }
    return json_array_set_new(hosts, index, json_sprintf("%s%s", star, key)) ==
                   0
               ? AG_OK
               : AG_ENOMEM;
}

/* A copy with the hosts in the spelling by which they are compared. */
static enum ag_err
keyed(const json_t *list, json_t **ret)
{
    AG_AUTO(wjson) json_t *copy = json_deep_copy(list);
    const json_t *item = NULL;
    size_t i;
    enum ag_err err = list == NULL || copy != NULL ? AG_OK : AG_ENOMEM;

    json_array_foreach(copy, i, item)
    {
        json_t *hosts = json_object_get(item, "hosts");
        uint16_t usual = json_is_true(json_object_get(item, "plain"))
                             ? PORT_HTTP
                             : PORT_HTTPS;

        for (size_t k = 0; err == AG_OK && k < json_array_size(hosts); k++) {
            err = use_key(hosts, k, usual);
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(copy);
    }
    return err;
}

enum ag_err
places_read(json_t *detail, struct places *ret)
{
    AG_AUTO(wjson) json_t *list = NULL;
    AG_AUTO(wjson) json_t *tree = NULL;
    json_t *refresh = json_object_get(detail, "refresh");
    enum ag_err err = keyed(json_object_get(detail, "places"), &list);

    *ret = (struct places){0};
    if (err != AG_OK || (list == NULL && refresh == NULL)) {
        return err;
    }
    tree = json_pack("{s:O*, s:O*}", "places", list, "refresh", refresh);
    if (tree == NULL) {
        return AG_ENOMEM;
    }
    err = msg_from_tree(&PLACES, tree, ret);
    for (size_t i = 0; err == AG_OK && i < ret->places.count; i++) {
        err = check_place(&ret->places.items[i]);
    }
    if (err != AG_OK) {
        places_done(ret);
    }
    return err;
}

void
places_done(struct places *p)
{
    msg_done(&PLACES, p);
}

/* ---- some of them ---- */

static bool
strings_equal(const struct strings *a, const struct strings *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool
withs_equal(const struct profile_withs *a, const struct profile_withs *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i].name, b->items[i].name) == 0 &&
               strcmp(a->items[i].field, b->items[i].field) == 0;
    }
    return same;
}

bool
place_equal(const struct place *a, const struct place *b)
{
    return strings_equal(&a->hosts, &b->hosts) &&
           strings_equal(&a->paths, &b->paths) &&
           strings_equal(&a->methods, &b->methods) &&
           strcmp(a->field, b->field) == 0 && a->in == b->in &&
           strcmp(a->name, b->name) == 0 && strcmp(a->format, b->format) == 0 &&
           a->inner == b->inner && a->plain == b->plain &&
           a->optional == b->optional && withs_equal(&a->with, &b->with);
}

static void
drop(struct places *p, size_t index)
{
    struct place *items = p->places.items;

    msg_done(&PLACE, &items[index]);
    p->places.count--;
    memmove(&items[index], &items[index + 1],
            (p->places.count - index) * sizeof(items[0]));
}

void
places_keep(struct places *p, size_t index)
{
    for (size_t i = p->places.count; i-- > 0;) {
        if (i != index) {
            drop(p, i);
        }
    }
}

void
places_keep_profile(struct places *p)
{
    for (size_t i = p->places.count; i-- > 0;) {
        if (p->places.items[i].service == NULL) {
            drop(p, i);
        }
    }
}

/* ---- from a profile ---- */

json_t *
places_texts(const struct strings *texts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < texts->count; i++) {
        if (json_array_append_new(list, json_string(texts->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *
withs_of(const struct profile_withs *withs)
{
    json_t *list = json_array();

    for (size_t i = 0; i < withs->count; i++) {
        if (json_array_append_new(
                list, json_pack("{s:s, s:s}", "name", withs->items[i].name,
                                "field", withs->items[i].field)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum ag_err
places_of_profile(const struct profile *profile, json_t **ret)
{
    AG_AUTO(wjson) json_t *list = json_array();

    for (size_t i = 0; i < profile->places.count; i++) {
        const struct profile_place *p = &profile->places.items[i];
        json_t *item = json_pack(
            "{s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:b}",
            "service", profile->name, "hosts", places_texts(&p->hosts), "paths",
            places_texts(&p->paths), "methods", places_texts(&p->methods),
            "field", p->field != NULL ? p->field : "", "in", PLACES_IN[p->in],
            "name", p->name, "format", p->format != NULL ? p->format : "{}",
            "with", withs_of(&p->with), "optional", (int)p->optional, "inner",
            (int)p->inner, "plain", (int)p->plain);

        if (json_array_append_new(list, item) != 0) {
            return AG_ENOMEM;
        }
    }
    *ret = AG_TAKE(list);
    return AG_OK;
}

/* ---- hosts ---- */

bool
place_host_covers(const char *pattern, struct span host)
{
    struct span suffix = span_str(pattern);

    if (!span_starts(suffix, span_str("*."))) {
        return span_equal(suffix, host);
    }
    suffix = span_sub(suffix, 1, suffix.len);
    /* One label more at least. */
    return host.len > suffix.len &&
           span_equal(span_sub(host, host.len - suffix.len, suffix.len),
                      suffix) &&
           host.ptr[0] != '.';
}

/* The first host that stands for itself. */
static struct span
exact_host(const struct place *p)
{
    for (size_t i = 0; i < p->hosts.count; i++) {
        if (p->hosts.items[i][0] != '*') {
            return span_str(p->hosts.items[i]);
        }
    }
    return span_of(NULL, 0);
}

bool
place_covers(const struct place *p, struct span host)
{
    for (size_t i = 0; i < p->hosts.count; i++) {
        if (place_host_covers(p->hosts.items[i], host)) {
            return true;
        }
    }
    return false;
}

const struct place *
places_serve(const struct places *p, struct span service,
             char ret_host[GUARD_AUTHORITY_BYTES])
{
    for (size_t i = 0; i < p->places.count; i++) {
        const struct place *place = &p->places.items[i];
        struct span host = exact_host(place);

        if (place->service != NULL && span_is(service, place->service) &&
            host.len > 0 && host.len < GUARD_AUTHORITY_BYTES) {
            (void)snprintf(ret_host, GUARD_AUTHORITY_BYTES, "%.*s",
                           (int)host.len, (const char *)host.ptr);
            return place;
        }
        if (guard_authority_key(service, usual_port(place), ret_host) ==
                AG_OK &&
            place_covers(place, span_str(ret_host))) {
            return place;
        }
    }
    return NULL;
}
