#include "run/forward.h"

#include <stdio.h>

#include "cli.h"
#include "run/ports.h"
#include "run/run.h"

enum {
    URL_BYTES = 40,
    LINE_PROXY = 1, /* of a view's lines: to proxy.sock */
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
    char url[URL_BYTES];
    uint16_t port = 0;
    enum ag_err err =
        find_port(r, json_is_true(json_object_get(forward, "wanted")), &port);

    if (err != AG_OK || port == 0) {
        return err;
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)port);
    err = set_all(r, json_object_get(forward, "urls"), url);
    return err == AG_OK
               ? set_all(r, json_object_get(forward, "no_proxy"), NOT_BY_PROXY)
               : err;
}
