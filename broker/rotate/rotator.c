#include "rotate/rotator.h"

#include <string.h>

#include "base/secret.h"
#include "rotate/rotators.h"

static const struct rotator *const ROTATORS[] = {
    &ROTATOR_RANDOM, &ROTATOR_COMMAND, &ROTATOR_AWS_ACCESS_KEY,
    &ROTATOR_OAUTH2, &ROTATOR_SSH,     &ROTATOR_POSTGRES,
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
    return err_why(AG_EINVAL, "rotator: random, command, aws-access-key,"
                              " oauth2, ssh or postgres");
}

bool
params_only(const json_t *params, const char *const *names)
{
    void *at = json_object_iter((json_t *)(uintptr_t)params);

    for (; at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)params, at)) {
        size_t i = 0;

        while (names[i] != NULL &&
               strcmp(names[i], json_object_iter_key(at)) != 0) {
            i++;
        }
        if (names[i] == NULL) {
            return false;
        }
    }
    return true;
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
