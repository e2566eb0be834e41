#include "core/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ag_err
parts_new(struct parts **ret)
{
    struct parts *parts = calloc(1, sizeof(*parts));

    if (parts == NULL) {
        return AG_ENOMEM;
    }
    *ret = parts;
    return AG_OK;
}

void
parts_free(struct parts *parts)
{
    for (size_t i = 0; parts != NULL && i < parts->count; i++) {
        free(parts->pointers[i]);
    }
    free(parts);
}

enum ag_err
parts_add(struct parts *parts, const char *pointer)
{
    if (parts->count == PARTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d secrets in one file",
                       PARTS_MAX_COUNT);
    }
    parts->pointers[parts->count] = strdup(pointer);
    if (parts->pointers[parts->count] == NULL) {
        return AG_ENOMEM;
    }
    parts->count++;
    return AG_OK;
}

enum ag_err
parts_name(const struct parts *parts, size_t part, char *field, size_t cap)
{
    if (parts == NULL) {
        return part == 0 ? AG_OK : AG_ENOTFOUND;
    }
    if (part >= parts->count || strlen(parts->pointers[part]) >= cap) {
        return AG_ENOTFOUND;
    }
    (void)snprintf(field, cap, "%s", parts->pointers[part]);
    return AG_OK;
}
