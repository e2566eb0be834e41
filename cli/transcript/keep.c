#include "transcript/keep.h"

#include <stdlib.h>
#include <string.h>

#include "move/own_path.h"
#include "move/profile_set.h"
#include "profile/expand.h"
#include "profile/load.h"

void
keep_done(struct keep *k)
{
    profiles_free(k->profiles);
    k->profiles = NULL;
}

/* By place; links on the way don't hide it. */
static enum ag_err
find_by_place(const struct keep *k, const char *path,
              struct profile_match *match)
{
    const struct expand_env env = expand_env_process();
    char *real = realpath(path, NULL);
    char *own = NULL;
    enum ag_err err = AG_ENOTFOUND;

    if (real != NULL) {
        err = own_path(k->profiles, &env, real, &own);
    }
    if (err == AG_OK) {
        err = profile_for_path(k->profiles, &env, own, match);
    }
    free(own);
    free(real);
    return err;
}

enum ag_err
keep_check(struct keep *k, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct profile_match match;
    enum ag_err err =
        k->profiles == NULL ? profile_set_load(k->cli, &k->profiles) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    err = find_by_place(k, path, &match);
    if (err == AG_ENOTFOUND) {
        err = profile_for_name(k->profiles, slash == NULL ? path : slash + 1,
                               &match);
    }
    if (err == AG_OK) {
        return err_why(AG_EFILE,
                       "%s is a credential file (%s), which would be lost; "
                       "move it into the vault: auth-guard adopt",
                       path, match.profile->name);
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}
