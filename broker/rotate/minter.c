#include "rotate/minter.h"

#include <string.h>

#include "base/secret.h"
#include "rotate/minters.h"
#include "rotate/pq.h"

static const struct minter *const MINTERS[] = {
    &MINTER_POSTGRES,
    &MINTER_GITHUB_APP,
    &MINTER_AWS_STS,
};

enum ag_err
minter_find(const char *name, const struct minter **ret)
{
    for (size_t i = 0; i < AG_COUNT(MINTERS); i++) {
        if (strcmp(name, MINTERS[i]->name) == 0) {
            *ret = MINTERS[i];
            return AG_OK;
        }
    }
    return err_why(AG_EINVAL, "minter: postgres, github-app or aws-sts");
}

void
minter_answer_done(struct minter_answer *answer)
{
    secret_free(AG_TAKE(answer->value));
}

void
minters_rest(bool all)
{
    pq_close_idle(all);
}
