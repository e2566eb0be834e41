#include "core/lead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isolation.h"
#include "core/proxied.h"
#include "core/tasks.h"
#include "tls/authority.h"
#include "upstream/guard.h"

enum {
    NAME_BYTES = 64,
};

/* ---- who is led there ---- */

static bool
has_value_without_address(const struct task_request *request)
{
    for (size_t i = 0; i < request->proxy_count; i++) {
        if (request->proxies[i].url_env == NULL) {
            return true;
        }
    }
    return false;
}

static bool
is_wanted(const struct task_request *request)
{
    return request->allow_count > 0 || has_value_without_address(request);
}

static bool
is_isolated(const struct task_request *request)
{
    return request->isolation != NULL &&
           strcmp(request->isolation->preset, ISOLATION_NONE) != 0;
}

/* ---- its authority ---- */

/* Names as the places have them, less their ports. */
struct hosts {
    char texts[AUTHORITY_HOSTS_MAX_COUNT][GUARD_AUTHORITY_BYTES];
    const char *items[AUTHORITY_HOSTS_MAX_COUNT];
    size_t count;
};

static enum ag_err
add_host(struct hosts *hosts, const char *host)
{
    bool below = strncmp(host, "*.", 2) == 0;
    struct guard_host read = {0};
    uint16_t port = 0;
    char *text = NULL;
    enum ag_err err =
        guard_read_authority(span_str(below ? host + 2 : host), &read, &port);

    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->items[i], read.text) == 0) {
            return AG_OK;
        }
    }
    if (hosts->count == AUTHORITY_HOSTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "values that go to more than %d hosts",
                       AUTHORITY_HOSTS_MAX_COUNT);
    }
    text = hosts->texts[hosts->count];
    (void)snprintf(text, GUARD_AUTHORITY_BYTES, "%s", read.text);
    hosts->items[hosts->count++] = text;
    return AG_OK;
}

static enum ag_err
add_item(struct hosts *hosts, const struct proxied_item *item)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < item->places.places.count; i++) {
        const struct place *place = &item->places.places.items[i];

        for (size_t k = 0; k < place->hosts.count && err == AG_OK; k++) {
            err = place->plain ? AG_OK : add_host(hosts, place->hosts.items[k]);
        }
    }
    return err;
}

enum ag_err
lead_keys(const struct task_request *request, struct authority_keys **ret)
{
    return request->proxy_count + request->profile_count > 0 &&
                   (is_wanted(request) || is_isolated(request))
               ? authority_keys_new(ret)
               : AG_OK;
}

enum ag_err
lead_prepare(const struct task_request *request, int64_t task_id,
             int64_t until_ms, struct proxied *set)
{
    char name[NAME_BYTES];
    struct hosts *hosts = NULL;
    enum ag_err err = AG_OK;

    if (set->count == 0 || (!is_wanted(request) && !is_isolated(request))) {
        return AG_OK;
    }
    hosts = calloc(1, sizeof(*hosts));
    if (hosts == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < set->count && err == AG_OK; i++) {
        err = add_item(hosts, &set->items[i]);
    }
    (void)snprintf(name, sizeof(name), "auth-guard, task %lld",
                   (long long)task_id);
    if (err == AG_OK && hosts->count > 0) {
        err = request->keys != NULL
                  ? authority_new(request->keys, name, hosts->items,
                                  hosts->count, until_ms, &set->authority)
                  : AG_EINTERNAL;
    }
    free(hosts);
    return err;
}

/* ---- for the command line ---- */

/* The file of roots to trust, for each kind of client. */
static json_t *
trust_variables(void)
{
    static const char *const NAMES[] = {
        "SSL_CERT_FILE",      "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",     "CARGO_HTTP_CAINFO",
        "npm_config_cafile",  "PIP_CERT",
        "AWS_CA_BUNDLE",
    };
    json_t *list = json_array();

    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        if (json_array_append_new(list, json_string(NAMES[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum ag_err
lead_answer(const struct task_request *request, const struct proxied *set,
            json_t *answer)
{
    json_t *forward = json_pack(
        "{s:b, s:[s, s, s, s], s:[s, s], s:{s:s}, s:o}", "wanted",
        (int)is_wanted(request), "urls", "HTTPS_PROXY", "https_proxy",
        "HTTP_PROXY", "http_proxy", "no_proxy", "NO_PROXY", "no_proxy", "set",
        "NODE_USE_ENV_PROXY", "1", "files", trust_variables());
    struct span pem = {0};

    if (json_object_set_new(answer, "forward", forward) != 0) {
        return AG_ENOMEM;
    }
    if (set->authority == NULL) {
        return AG_OK;
    }
    pem = authority_pem(set->authority);
    return json_object_set_new(
               forward, "ca", json_stringn((const char *)pem.ptr, pem.len)) == 0
               ? AG_OK
               : AG_ENOMEM;
}
