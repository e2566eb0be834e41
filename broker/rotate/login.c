/*
 * oauth2: a login is refreshed, as its profile says. Its provider makes the new
 * tokens and retires the old ones with the same answer; what does it stands in
 * core/refresh.h, which the proxy has too. No parameters.
 */
#include "rotate/rotators.h"

static enum ag_err
check(const json_t *params)
{
    return json_object_size(params) == 0
               ? AG_OK
               : err_why(AG_EINVAL, "oauth2: takes no parameters; the secret's "
                                    "profile says how it is refreshed");
}

const struct rotator ROTATOR_OAUTH2 = {
    .name = "oauth2",
    .check = check,
    .refreshes = true,
};
