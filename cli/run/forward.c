#include "run/forward.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "cli.h"
#include "run/ports.h"
#include "run/run.h"

enum {
    URL_BYTES = 40,
    LINE_PROXY = 1, /* of a view's lines: to proxy.sock */
    ROOTS_MAX_BYTES = 8 * 1024 * 1024,
};

/* The broker's own addresses are called as they are. */
static const char NOT_BY_PROXY[] = "127.0.0.1,localhost,::1";

static enum ag_err
set_all(struct run *r, const json_t *names, const char *value)
{
    const json_t *name;
    size_t i;
    enum ag_err err = AG_OK;

    json_array_foreach(names, i, name)
    {
        if (err == AG_OK && json_is_string(name)) {
            err = env_set(r->env, json_string_value(name), value);
        }
    }
    return err;
}

/* *ret: 0 if it is not to be led there. */
static enum ag_err
find_port(const struct run *r, bool wanted, uint16_t *ret)
{
    const struct view *view = r->isolation.view;

    *ret = 0;
    if (view == NULL) {
        return wanted || r->isolation.fence != NULL
                   ? ports_read(&r->cli->paths, PORTS_PROXY, ret)
                   : AG_OK;
    }
    if (view->line_count > LINE_PROXY) {
        *ret = view->lines[LINE_PROXY].port;
        return AG_OK;
    }
    return wanted
               ? err_why(AG_EUSAGE, "%s has no network: --allow has no meaning",
                         view->preset->name)
               : AG_OK;
}

enum ag_err
forward_env(struct run *r)
{
    const json_t *forward = json_object_get(r->task->answer, "forward");
    json_t *set = json_object_get(forward, "set");
    const char *name;
    json_t *value;
    char url[URL_BYTES];
    uint16_t port = 0;
    enum ag_err err =
        find_port(r, json_is_true(json_object_get(forward, "wanted")), &port);

    if (err != AG_OK || port == 0) {
        return err;
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)port);
    err = set_all(r, json_object_get(forward, "urls"), url);
    json_object_foreach(set, name, value)
    {
        if (err == AG_OK && json_is_string(value)) {
            err = env_set(r->env, name, json_string_value(value));
        }
    }
    return err == AG_OK
               ? set_all(r, json_object_get(forward, "no_proxy"), NOT_BY_PROXY)
               : err;
}

/* ---- the roots to trust ---- */

enum ag_err
forward_trust(struct run *r, const char *path)
{
    const json_t *forward = json_object_get(r->task->answer, "forward");

    return set_all(r, json_object_get(forward, "files"), path);
}

static const char *const PLACES[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    NULL,
};

/* The caller's own, or NULL. */
static const char *
given_roots(void)
{
    const char *given =
        getenv("SSL_CERT_FILE"); // NOLINT(concurrency-mt-unsafe)

    return given != NULL && access(given, R_OK) == 0 ? given : NULL;
}

/* Where systems have theirs; the caller's own come first. */
static const char *
find_roots(void)
{
    const char *given = given_roots();

    if (given != NULL) {
        return given;
    }
    for (size_t i = 0; PLACES[i] != NULL; i++) {
        if (access(PLACES[i], R_OK) == 0) {
            return PLACES[i];
        }
    }
    return NULL;
}

enum ag_err
forward_cover(struct run *r, const char *path, bool *ret)
{
    struct view *view = r->isolation.view;

    *ret = view != NULL && given_roots() == NULL;
    if (!*ret) {
        return AG_OK;
    }
    free(view->trust_file);
    view->trust_file = strdup(path);
    view->trust_places = PLACES;
    return view->trust_file != NULL ? AG_OK : AG_ENOMEM;
}

enum ag_err
forward_fill(struct run *r, int fd)
{
    const json_t *forward = json_object_get(r->task->answer, "forward");
    const char *ca = json_string_value(json_object_get(forward, "ca"));
    const char *roots = find_roots();
    AG_AUTO(buf) struct buf text;
    enum ag_err err = AG_OK;

    buf_init(&text, ROOTS_MAX_BYTES, BUF_PLAIN);
    if (roots == NULL) {
        out_warn(&r->cli->out, "this system's roots of trust were not found");
    } else {
        err = fs_read(AT_FDCWD, roots, ROOTS_MAX_BYTES, &text);
    }
    if (err == AG_OK) {
        err = buf_add_byte(&text, '\n');
    }
    if (err == AG_OK) {
        err = buf_add(&text, span_str(ca));
    }
    return err == AG_OK ? fd_write_all(fd, buf_view(&text)) : err;
}
