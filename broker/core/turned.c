#include "core/turned.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/guard.h"

struct turned {
    size_t count;
    int64_t more;

    struct {
        char host[GUARD_AUTHORITY_BYTES];
        int64_t count;
    } items[TURNED_HOSTS_MAX_COUNT];
};

void
turned_note(struct turned **turned, const char *host)
{
    struct turned *t = *turned;

    if (t == NULL) {
        t = calloc(1, sizeof(*t));
        *turned = t;
    }
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->items[i].host, host) == 0) {
            t->items[i].count++;
            return;
        }
    }
    if (t->count == TURNED_HOSTS_MAX_COUNT ||
        strlen(host) >= sizeof(t->items[0].host)) {
        t->more++;
        return;
    }
    memcpy(t->items[t->count].host, host, strlen(host) + 1);
    t->items[t->count++].count = 1;
}

void
turned_free(struct turned *turned)
{
    free(turned);
}

enum ag_err
turned_show(const struct turned *turned, json_t *object)
{
    json_t *list = NULL;

    if (turned == NULL) {
        return AG_OK;
    }
    list = json_array();
    for (size_t i = 0; i < turned->count; i++) {
        if (json_array_append_new(
                list, json_pack("{s:s, s:I}", "host", turned->items[i].host,
                                "count", (json_int_t)turned->items[i].count)) !=
            0) {
            json_decref(list);
            return AG_ENOMEM;
        }
    }
    if (json_object_set_new(object, "refused", list) != 0 ||
        json_object_set_new(object, "refused_more",
                            json_integer((json_int_t)turned->more)) != 0) {
        return AG_ENOMEM;
    }
    return AG_OK;
}
