/* doctor's look for plaintext: the files of the tools that have a profile. */
#include "base/secret.h"
#include "check.h"
#include "cli.h"
#include "move/find.h"
#include "move/profile_set.h"
#include "profile/expand.h"
#include "profile/load.h"

static enum ag_err
count(void *arg, const struct finding *finding)
{
    size_t *n = arg;

    (void)finding;
    (*n)++;
    return AG_OK;
}

void
check_plaintext(struct cli *cli, struct check_result *ret)
{
    struct expand_env here = expand_env_process();
    AG_AUTO(profiles) struct profiles *ps = NULL;
    size_t n = 0;
    AG_AUTO(find) struct find f = {.each = count, .arg = &n};
    enum ag_err err = cli_harden(cli);

    if (err == AG_OK) {
        err = profile_set_load(cli, &ps);
    }
    f.profiles = ps;
    if (err == AG_OK) {
        err = find_profiles(&f, &here);
    }
    if (err != AG_OK) {
        check_says(ret, CHECK_NOTE, "could not be looked for: %.180s",
                   err_text(err));
    } else if (n == 0) {
        check_says(ret, CHECK_GOOD, "none in the usual places");
    } else {
        check_says(ret, CHECK_NOTE, "%zu file%s in the usual places", n,
                   n == 1 ? "" : "s");
        check_advises(ret, "auth-guard scan lists them, auth-guard adopt moves "
                           "them into the vault");
    }
}
