/* What goes through the proxy: a grant, a placeholder, an address. */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "core/mint.h"
#include "core/places.h"
#include "core/promise_impl.h"
#include "core/proxied.h"
#include "core/state.h"

enum {
    HOST_TEXT_BYTES = 320,
};

enum ag_err
promise_item(struct promises *p, const struct secret_row *row,
             const char *field, int64_t uses, struct proxied_item **ret)
{
    struct proxied_item *item = &p->proxied->items[p->proxied->count];
    enum ag_err err = promise_grant(p, row->name, field, VERB_PROXY, uses);

    if (err == AG_OK) {
        err = places_sealed(row, &item->places);
    }
    if (err != AG_OK) {
        return err;
    }
    p->proxied->count++;
    item->secret_id = row->id;
    item->grant_id = (int64_t)p->grant_count - 1;
    item->uses = uses;
    item->is_minted = mint_has_rule(row);
    (void)snprintf(item->name, sizeof(item->name), "%s", row->name);
    (void)snprintf(item->field, sizeof(item->field), "%s", field);
    *ret = item;
    return AG_OK;
}

static enum ag_err
add_budget(const struct task_proxy_request *wish, struct proxied_item *item)
{
    item->budget.bytes = wish->bytes;
    return wish->rate != NULL
               ? budget_read_rate(span_str(wish->rate), &item->budget)
               : AG_OK;
}

enum ag_err
promise_placeholder(struct promises *p, const struct secret_row *row,
                    const char *field, const char *var)
{
    struct delivery delivery = {.verb = VERB_PROXY,
                                .secret_id = row->id,
                                .version = row->current_version};

    (void)snprintf(delivery.field, sizeof(delivery.field), "%s", field);
    return promise_delivery(p, &delivery,
                            json_pack("{s:s, s:s, s:s, s:I, s:b, s:s}", "kind",
                                      "env", "var", var, "secret", row->name,
                                      "version",
                                      (json_int_t)row->current_version, "watch",
                                      0, "grade", "proxy"));
}

enum ag_err
promise_url(struct promises *p, const char *var, const char *service,
            struct span path)
{
    return json_array_append_new(
               p->urls,
               json_pack("{s:s, s:s, s:s%}", "var", var, "service", service,
                         "path", path.len > 0 ? (const char *)path.ptr : "",
                         path.len)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* The address that leads to a place that was sealed: its host, and below which
 * path. */
static enum ag_err
add_url(struct promises *p, const struct place *place, const char *var)
{
    struct span path =
        span_str(place->paths.count > 0 ? place->paths.items[0] : "");

    if (place->hosts.items[0][0] == '*') {
        return err_why(AG_EINVAL, "%s: say which host below %s: upstream=URL",
                       var, place->hosts.items[0]);
    }
    if (path.len < 2 || path.ptr[path.len - 1] != '*') {
        path = span_str(
            "/*"); /* all of it, or one path only: the host is enough */
    }
    return promise_url(p, var, place->hosts.items[0],
                       span_sub(path, 0, path.len - 2));
}

/* The same for the operator's own words. */
static enum ag_err
add_wished_url(struct promises *p, const struct task_proxy_request *wish,
               const char *host)
{
    const char *rest = strstr(wish->upstream, "://");
    struct span path = {0};

    path = span_str(rest != NULL ? rest + 3 : wish->upstream);
    path = span_sub(path, span_find(path, '/'), path.len);
    while (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    return promise_url(p, wish->url_env, host, path);
}

/* https://HOST/... -> HOST, in lower case as it was sealed. */
static void
host_of(const char *url, char *out, size_t cap)
{
    const char *rest = strstr(url, "://");
    size_t len = 0;

    rest = rest != NULL ? rest + 3 : url;
    len = strcspn(rest, "/");
    (void)snprintf(out, cap, "%.*s", (int)len, rest);
    for (size_t i = 0; out[i] != '\0'; i++) {
        out[i] =
            (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] | 0x20 : out[i]);
    }
}

enum ag_err
promise_proxied(struct db_read *r, const struct task_proxy_request *wish,
                struct promises *p)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct proxied_item *item = NULL;
    const struct place *place = NULL;
    struct reference ref = {0};
    char name[NAME_MAX_BYTES + 1];
    char field[GRANT_FIELD_BYTES];
    char host[HOST_TEXT_BYTES];
    enum ag_err err = parse_reference(span_str(wish->ref), &ref);

    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)ref.name.len,
                   (const char *)ref.name.ptr);
    (void)snprintf(field, sizeof(field), "%.*s", (int)ref.pointer.len,
                   (const char *)ref.pointer.ptr);
    err = promise_secret(r, name, VERB_PROXY, &row);
    if (err == AG_OK) {
        err = promise_item(p, &row, field, wish->uses, &item);
    }
    if (err == AG_OK) {
        err = add_budget(wish, item);
    }
    if (err == AG_OK) {
        err = places_wished(wish, field, &item->places, &place);
    }
    if (err != AG_OK) {
        return err;
    }
    if (wish->upstream != NULL) {
        host_of(wish->upstream, host, sizeof(host));
    }
    if (wish->key_env != NULL) {
        err = promise_placeholder(p, &row, field, wish->key_env);
    }
    if (err != AG_OK || wish->url_env == NULL) {
        return err;
    }
    return wish->upstream != NULL ? add_wished_url(p, wish, host)
                                  : add_url(p, place, wish->url_env);
}
