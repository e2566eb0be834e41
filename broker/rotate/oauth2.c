#include "rotate/oauth2.h"

#include <string.h>

#include "base/parse.h"
#include "base/secret.h"
#include "profile/fields.h"
#include "profile/placeholder_parts.h"
#include "rotate/oauth2_impl.h"

bool
oauth2_is_memory(enum ag_err err)
{
    return err == AG_EMEMLOCK || err == AG_ENOMEM;
}

/* ---- the address ---- */

enum {
    PORT_HTTPS = 443,
};

static bool
is_authority_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
}

static bool
is_path_byte(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '?' && c != '#' && c != '\\' &&
           c != '%';
}

/* "host:8080" apart; "[::1]" keeps its brackets. */
static enum ag_err
split_port(struct oauth2_url *url)
{
    struct span all = url->authority;
    size_t at = all.len;
    uint64_t port = 0;

    while (at > 0 && all.ptr[at - 1] >= '0' && all.ptr[at - 1] <= '9') {
        at--;
    }
    url->host = all;
    if (at > 1 && at < all.len && all.ptr[at - 1] == ':') {
        if (parse_u64(span_sub(all, at, all.len), UINT16_MAX, &port) != AG_OK ||
            port == 0) {
            return AG_EINVAL;
        }
        url->host = span_sub(all, 0, at - 1);
    }
    url->port = (uint16_t)port;
    if (port == PORT_HTTPS) { /* as places are spelled */
        url->port = 0;
        url->authority = url->host;
    }
    return AG_OK;
}

enum ag_err
oauth2_url_read(const char *url, struct oauth2_url *ret)
{
    static const char SCHEME[] = "https://";
    struct span text = span_str(url);
    struct span rest = span_sub(text, sizeof(SCHEME) - 1, text.len);
    size_t slash = span_find(rest, '/');
    bool good =
        span_starts(text, span_str(SCHEME)) && slash > 0 && slash < rest.len;

    *ret = (struct oauth2_url){.authority = span_sub(rest, 0, slash),
                               .path = span_sub(rest, slash, rest.len)};
    for (size_t i = 0; good && i < ret->authority.len; i++) {
        good = is_authority_byte(ret->authority.ptr[i]);
    }
    for (size_t i = 0; good && i < ret->path.len; i++) {
        good = is_path_byte(ret->path.ptr[i]);
    }
    return good && split_port(ret) == AG_OK
               ? AG_OK
               : err_why(AG_EINVAL, "a refresh address is "
                                    "https://host[:port]/path, in lower case");
}

/* ---- what the value has ---- */

bool
oauth2_is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 0 && text.len <= OAUTH2_TOKEN_MAX_BYTES;
}

static enum ag_err
token_at(const struct oauth2_login *login, const char *field,
         struct secret **ret)
{
    AG_AUTO(secret) struct secret *text = NULL;
    enum ag_err err = field == NULL ? AG_ENOTFOUND
                                    : field_get(login->content, login->format,
                                                span_str(field), &text);

    if (oauth2_is_memory(err)) {
        return err;
    }
    if (err != AG_OK || secret_len(text) == 0 ||
        secret_equal_span(text, span_str("null"))) {
        return err_why(AG_ENOTFOUND, "the login has no %s to refresh by",
                       field != NULL ? field : "access token");
    }
    if (!oauth2_is_token(secret_view(text))) {
        return err_why(AG_EINVAL, "%s of the login is not a token", field);
    }
    *ret = AG_TAKE(text);
    return AG_OK;
}

enum ag_err
oauth2_check(const struct oauth2_login *login)
{
    AG_AUTO(secret) struct secret *access = NULL;
    AG_AUTO(secret) struct secret *refresh = NULL;
    enum ag_err err = token_at(login, login->refresh->access_field, &access);

    if (err == AG_OK) {
        err = token_at(login, login->refresh->refresh_field, &refresh);
    }
    return err == AG_EINVAL ? AG_ENOTFOUND : err;
}

static enum ag_err
jwt_expiry(struct span token, int64_t *ret_ms)
{
    AG_AUTO(secret) struct secret *claims = NULL;
    AG_AUTO(secret) struct secret *exp = NULL;
    enum ag_err err = jwt_payload(token, &claims);
    uint64_t seconds = 0;

    if (err == AG_OK) {
        err =
            field_get(secret_view(claims), FORMAT_JSON, span_str("/exp"), &exp);
    }
    if (err == AG_OK) {
        err = parse_u64(secret_view(exp), INT64_MAX / 1000, &seconds);
    }
    if (err == AG_OK) {
        *ret_ms = (int64_t)seconds * 1000;
    }
    return err;
}

static enum ag_err
read_expiry(enum expiry_kind kind, struct span text, int64_t *ret_ms)
{
    uint64_t number = 0;
    enum ag_err err = AG_ENOTFOUND;

    switch (kind) {
    case EXPIRY_NONE:
        break;
    case EXPIRY_JWT:
        return jwt_expiry(text, ret_ms);
    case EXPIRY_TIME:
        return parse_time_ms(text, ret_ms);
    case EXPIRY_MS:
    case EXPIRY_SECONDS:
        err = parse_u64(text, INT64_MAX / 1000, &number);
        if (err == AG_OK) {
            *ret_ms =
                kind == EXPIRY_MS ? (int64_t)number : (int64_t)number * 1000;
        }
    }
    return err;
}

enum ag_err
oauth2_expiry(const struct oauth2_login *login, int64_t *ret_ms)
{
    AG_AUTO(secret) struct secret *text = NULL;
    const char *field = login->refresh->expiry_field;
    enum ag_err err = AG_ENOTFOUND;

    if (field == NULL && login->refresh->expiry == EXPIRY_JWT) {
        field = login->refresh->access_field;
    }
    if (field != NULL) {
        err = field_get(login->content, login->format, span_str(field), &text);
    }
    if (err == AG_OK) {
        err = read_expiry(login->refresh->expiry, secret_view(text), ret_ms);
    }
    return err == AG_OK || oauth2_is_memory(err) ? err : AG_ENOTFOUND;
}

/* ---- the body ---- */

/* Written into locked memory from the start. */
struct writing {
    struct secret *to;
    size_t at;
    bool form;
    bool more;
};

static void
put_byte(struct writing *w, uint8_t c)
{
    AG_ASSERT(w->at < secret_len(w->to));
    secret_bytes(w->to)[w->at++] = c;
}

bool
oauth2_is_unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static void
put_text(struct writing *w, struct span text)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (w->form && !oauth2_is_unreserved(c)) {
            put_byte(w, '%');
            put_byte(w, (uint8_t)HEX[c >> 4]);
            put_byte(w, (uint8_t)HEX[c & 15]);
            continue;
        }
        if (!w->form && (c == '"' || c == '\\')) {
            put_byte(w, '\\');
        }
        put_byte(w, c);
    }
}

static void
put_pair(struct writing *w, const char *name, struct span value)
{
    put_byte(w, w->form ? '&' : ',');
    w->at -= w->more ? 0 : 1;
    w->more = true;
    if (!w->form) {
        put_byte(w, '"');
    }
    put_text(w, span_str(name));
    if (!w->form) {
        put_byte(w, '"');
        put_byte(w, ':');
        put_byte(w, '"');
    } else {
        put_byte(w, '=');
    }
    put_text(w, value);
    if (!w->form) {
        put_byte(w, '"');
    }
}

/* What one pair takes at most: each byte escaped, and six around them. */
static size_t
pair_bytes(const char *name, struct span value)
{
    return 3 * (strlen(name) + value.len) + 6;
}

static bool
is_plain_text(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if ((uint8_t)text[i] < 0x20 || (uint8_t)text[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

struct pieces {
    struct secret *token;
    struct secret *client_secret;
    struct secret *client_id; /* of the value's own */
};

static void
pieces_done(struct pieces *p)
{
    secret_free(p->token);
    secret_free(p->client_secret);
    secret_free(p->client_id);
}

AG_DEFINE_CLEANUP_INPLACE(pieces, pieces_done)

static enum ag_err
gather(const struct oauth2_login *login, struct pieces *p)
{
    const struct profile_refresh *r = login->refresh;
    enum ag_err err = token_at(login, r->refresh_field, &p->token);

    if (err == AG_OK && r->client_id_field != NULL) {
        err = token_at(login, r->client_id_field, &p->client_id);
    }
    if (err == AG_OK && r->client_secret_field != NULL) {
        err = token_at(login, r->client_secret_field, &p->client_secret);
    }
    for (size_t i = 0; err == AG_OK && i < r->params.count; i++) {
        if (!is_plain_text(r->params.items[i].name) ||
            !is_plain_text(r->params.items[i].value)) {
            err = err_why(AG_EINVAL, "refresh.params: visible ASCII only");
        }
    }
    return err;
}

static struct span
client_id_of(const struct profile_refresh *r, const struct pieces *p)
{
    return p->client_id != NULL ? secret_view(p->client_id)
                                : span_str(r->client_id);
}

static size_t
body_bytes(const struct profile_refresh *r, const struct pieces *p)
{
    size_t total = 2 + pair_bytes("grant_type", span_str("refresh_token")) +
                   pair_bytes("refresh_token", secret_view(p->token)) +
                   pair_bytes("client_id", client_id_of(r, p));

    if (p->client_secret != NULL) {
        total += pair_bytes("client_secret", secret_view(p->client_secret));
    }
    for (size_t i = 0; i < r->params.count; i++) {
        total += pair_bytes(r->params.items[i].name,
                            span_str(r->params.items[i].value));
    }
    return total;
}

enum ag_err
oauth2_body(const struct oauth2_login *login, struct secret **ret)
{
    const struct profile_refresh *r = login->refresh;
    AG_AUTO(pieces) struct pieces p = {0};
    AG_AUTO(secret) struct secret *body = NULL;
    struct writing w = {.form = r->body == REFRESH_BODY_FORM};
    enum ag_err err = gather(login, &p);

    if (err == AG_OK) {
        err = secret_new(body_bytes(r, &p), &body);
    }
    if (err != AG_OK) {
        return err;
    }
    w.to = body;
    if (!w.form) {
        put_byte(&w, '{');
    }
    if (client_id_of(r, &p).len > 0) {
        put_pair(&w, "client_id", client_id_of(r, &p));
    }
    if (p.client_secret != NULL) {
        put_pair(&w, "client_secret", secret_view(p.client_secret));
    }
    put_pair(&w, "grant_type", span_str("refresh_token"));
    for (size_t i = 0; i < r->params.count; i++) {
        put_pair(&w, r->params.items[i].name,
                 span_str(r->params.items[i].value));
    }
    put_pair(&w, "refresh_token", secret_view(p.token));
    if (!w.form) {
        put_byte(&w, '}');
    }
    secret_shrink(body, w.at);
    *ret = AG_TAKE(body);
    return AG_OK;
}

const char *
oauth2_media(const struct profile_refresh *refresh)
{
    return refresh->body == REFRESH_BODY_FORM
               ? "application/x-www-form-urlencoded"
               : "application/json";
}
