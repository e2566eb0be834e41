#include "policy/grant.h"

#include <string.h>

#include "base/span.h"

bool
verb_allowed(enum verb verb, enum grade worst)
{
    switch (verb) {
    case VERB_PROXY:
        return true;
    case VERB_SIGN:
        return worst >= GRADE_SIGN;
    case VERB_FILE:
        return worst >= GRADE_FILE;
    case VERB_ENV:
    case VERB_READ:
        return worst >= GRADE_ENV;
    case VERB_REVEAL:
        return false;
    }
    return false;
}

bool
pattern_covers(const char *pattern, const char *narrower)
{
    size_t len = strlen(pattern);

    if (strcmp(pattern, "*") == 0 || strcmp(pattern, narrower) == 0) {
        return true;
    }
    /* "dir" + "/" + "*" covers every name below dir, and narrower patterns. */
    return len >= 2 && strcmp(pattern + len - 2, "/*") == 0 &&
           strncmp(pattern, narrower, len - 1) == 0;
}

bool
field_covers(const char *granted, const char *field)
{
    size_t len = strlen(granted);

    if (strncmp(granted, field, len) != 0) {
        return false;
    }
    return field[len] == '\0' || field[len] == '/';
}

const struct grant *
grant_find(const struct grant *grants, size_t count, const char *secret,
           const char *field, enum verb verb)
{
    const char *pointer = field != NULL ? field : "";

    for (size_t i = 0; i < count; i++) {
        if (grants[i].verb == verb &&
            pattern_covers(grants[i].secret, secret) &&
            field_covers(grants[i].field, pointer)) {
            return &grants[i];
        }
    }
    return NULL;
}

static bool
uses_covered(int64_t parent, int64_t child)
{
    if (parent == GRANT_USES_UNLIMITED) {
        return true;
    }
    return child != GRANT_USES_UNLIMITED && child <= parent;
}

static bool
grant_covered(const struct grant *parent, size_t parent_count,
              const struct grant *child)
{
    for (size_t i = 0; i < parent_count; i++) {
        if (parent[i].verb == child->verb &&
            pattern_covers(parent[i].secret, child->secret) &&
            field_covers(parent[i].field, child->field) &&
            uses_covered(parent[i].uses, child->uses)) {
            return true;
        }
    }
    return false;
}

enum ag_err
grants_narrow(const struct grant *parent, size_t parent_count,
              const struct grant *child, size_t child_count)
{
    for (size_t i = 0; i < child_count; i++) {
        if (!grant_covered(parent, parent_count, &child[i])) {
            return err_why(
                AG_EWIDER, "%s on %s%s%s is more than the parent token has",
                verb_text(child[i].verb), child[i].secret,
                child[i].field[0] != '\0' ? "#" : "", child[i].field);
        }
    }
    return AG_OK;
}
