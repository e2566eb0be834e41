/* Addresses at which the task's clients call the broker instead of a service
 * (run.h). */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "run/ports.h"
#include "run/run.h"

enum {
    URL_BYTES = 1024,
};

/* Where a task finds the broker: in a network of its own a line leads there. */
static enum ag_err
task_port(const struct run *r, uint16_t *ret)
{
    const struct view *view = r->isolation.view;

    if (view == NULL) {
        return ports_read(&r->cli->paths, PORTS_TASK, ret);
    }
    if (view->line_count == 0) {
        return err_why(AG_EUSAGE,
                       "%s has no network: grade proxy has no "
                       "meaning",
                       view->preset->name);
    }
    *ret = view->lines[0].port;
    return AG_OK;
}

static bool
args_need(const struct run *r)
{
    const json_t *entry;
    const json_t *word;
    size_t i;
    size_t k;

    json_array_foreach(json_object_get(r->task->answer, "args"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "args"), k, word)
        {
            if (json_is_string(word) &&
                strstr(json_string_value(word), "{url:") != NULL) {
                return true;
            }
        }
    }
    return false;
}

enum ag_err
urls_set(struct run *r)
{
    const json_t *urls = json_object_get(r->task->answer, "urls");
    const json_t *item;
    char url[URL_BYTES];
    uint16_t port = 0;
    size_t i;
    enum ag_err err = AG_OK;

    if (json_array_size(urls) == 0 && !args_need(r)) {
        return AG_OK;
    }
    err = task_port(r, &port);
    (void)snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%u/t/%s",
                   (unsigned int)port, r->task->id);
    json_array_foreach(urls, i, item)
    {
        const char *var = json_string_value(json_object_get(item, "var"));
        const char *service =
            json_string_value(json_object_get(item, "service"));
        const char *path = json_string_value(json_object_get(item, "path"));

        if (err != AG_OK || var == NULL || service == NULL || path == NULL) {
            return err != AG_OK ? err : AG_ECORRUPT;
        }
        (void)snprintf(url, sizeof(url), "%s/%s%s", r->url, service, path);
        err = env_set(r->env, var, url);
    }
    return err;
}
