#include "run/environ.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROBE_BYTES = 2048,
};

struct env_list {
    char *items[ENV_LIST_MAX_COUNT + 1]; /* NULL-ended */
    bool owned[ENV_LIST_MAX_COUNT];
    size_t count;
};

static bool
is_named(const char *item, const char *name, size_t len)
{
    return strncmp(item, name, len) == 0 && item[len] == '=';
}

/* systemd's directory may hold the operator's passphrase. */
static bool
holds_passphrase(const char *directory)
{
    char path[PROBE_BYTES];
    int n = snprintf(path, sizeof(path), "%s/AUTH_GUARD_PASSPHRASE_FILE",
                     directory);

    return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

static bool
is_the_operators(const char *item)
{
    static const char credentials[] = "CREDENTIALS_DIRECTORY=";

    if (strncmp(item, "AUTH_GUARD_", 11) == 0) {
        return true;
    }
    return strncmp(item, credentials, sizeof(credentials) - 1) == 0 &&
           holds_passphrase(item + sizeof(credentials) - 1);
}

enum ag_err
env_list_new(char *const *base, struct env_list **ret)
{
    struct env_list *e = calloc(1, sizeof(*e));

    if (e == NULL) {
        return AG_ENOMEM;
    }
    for (; *base != NULL; base++) {
        if (is_the_operators(*base)) {
            continue;
        }
        if (e->count == ENV_LIST_MAX_COUNT) {
            free(e);
            return err_why(AG_ELIMIT,
                           "the environment has more than %d "
                           "variables",
                           ENV_LIST_MAX_COUNT);
        }
        e->items[e->count++] = *base;
    }
    *ret = e;
    return AG_OK;
}

void
env_list_free(struct env_list *e)
{
    if (e == NULL) {
        return;
    }
    for (size_t i = 0; i < e->count; i++) {
        if (e->owned[i]) {
            free(e->items[i]);
        }
    }
    free(e);
}

static size_t
find(const struct env_list *e, const char *name, size_t len)
{
    size_t i = 0;

    while (i < e->count && !is_named(e->items[i], name, len)) {
        i++;
    }
    return i;
}

/* Takes `text` over. */
static enum ag_err
put_owned(struct env_list *e, char *text, size_t *ret_slot)
{
    size_t i = find(e, text, strcspn(text, "="));

    if (i == ENV_LIST_MAX_COUNT) {
        free(text);
        return AG_ELIMIT;
    }
    if (i == e->count) {
        e->count++;
    } else if (e->owned[i]) {
        free(e->items[i]);
    }
    e->items[i] = text;
    e->owned[i] = true;
    *ret_slot = i;
    return AG_OK;
}

enum ag_err
env_put(struct env_list *e, const char *text)
{
    char *copy = strdup(text);
    size_t slot;

    return copy == NULL ? AG_ENOMEM : put_owned(e, copy, &slot);
}

static enum ag_err
put_pair(struct env_list *e, const char *name, const char *value,
         size_t *ret_slot)
{
    char *text;

    if (asprintf(&text, "%s=%s", name, value) < 0) {
        return AG_ENOMEM;
    }
    return put_owned(e, text, ret_slot);
}

enum ag_err
env_set(struct env_list *e, const char *name, const char *value)
{
    size_t slot;

    return put_pair(e, name, value, &slot);
}

enum ag_err
env_reserve(struct env_list *e, const char *name, size_t *ret_slot)
{
    return put_pair(e, name, "", ret_slot);
}

void
env_unset(struct env_list *e, const char *name)
{
    size_t i = find(e, name, strlen(name));

    if (i == e->count) {
        return;
    }
    if (e->owned[i]) {
        free(e->items[i]);
    }
    /* Only the last one moves; no slot is reserved before all unsets. */
    e->count--;
    e->items[i] = e->items[e->count];
    e->owned[i] = e->owned[e->count];
    e->items[e->count] = NULL;
    e->owned[e->count] = false;
}

char **
env_vector(struct env_list *e)
{
    return e->items;
}
