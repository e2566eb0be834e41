#include "rotate/rotator.h"

#include <string.h>

#include "base/secret.h"
#include "rotate/rotators.h"

static const struct rotator *const ROTATORS[] = {
    &ROTATOR_RANDOM,
    &ROTATOR_COMMAND,
};

enum ag_err
rotator_find(const char *name, const struct rotator **ret)
{
    for (size_t i = 0; i < AG_COUNT(ROTATORS); i++) {
        if (strcmp(name, ROTATORS[i]->name) == 0) {
            *ret = ROTATORS[i];
            return AG_OK;
        }
    }
    return err_why(AG_EINVAL, "rotator: random or command");
}

void
rotator_answer_done(struct rotator_answer *answer)
{
    secret_free(AG_TAKE(answer->value));
}

const char *
rotator_act_text(enum rotator_act act)
{
    static const char *const TEXTS[] = {
        [ROTATOR_PREPARE] = "prepare",
        [ROTATOR_VERIFY] = "verify",
        [ROTATOR_RETIRE] = "retire",
        [ROTATOR_UNDO] = "undo",
    };

    return TEXTS[act];
}
