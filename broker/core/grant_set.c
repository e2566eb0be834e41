/* Grants of a token, shared by those that have the same (live.h). */
#include <stdlib.h>
#include <string.h>

#include "core/live.h"

enum ag_err
grant_set_new(const struct grant *grants, const int64_t *ids, size_t count,
              struct grant_set **ret)
{
    struct grant_set *set = NULL;

    if (count > GRANTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a token has at most %d grants",
                       GRANTS_MAX_COUNT);
    }
    set = calloc(1, sizeof(*set) + count * sizeof(set->grants[0]));
    if (set == NULL) {
        return AG_ENOMEM;
    }
    atomic_init(&set->refs, 1);
    set->count = count;
    if (count > 0) {
        memcpy(set->grants, grants, count * sizeof(set->grants[0]));
        memcpy(set->ids, ids, count * sizeof(set->ids[0]));
    }
    *ret = set;
    return AG_OK;
}

struct grant_set *
grant_set_share(struct grant_set *set)
{
    (void)atomic_fetch_add(&set->refs, 1);
    return set;
}

void
grant_set_release(struct grant_set *set)
{
    if (set != NULL && atomic_fetch_sub(&set->refs, 1) == 1) {
        free(set);
    }
}
