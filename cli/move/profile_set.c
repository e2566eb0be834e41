#include "move/profile_set.h"

#include <stdio.h>

#include "cli.h"
#include "profile/load.h"

enum ag_err
profile_set_load(struct cli *cli, struct profiles **ret)
{
    char shipped[PATH_BYTES + 16];
    char own[PATH_BYTES + 16];
    enum ag_err err;

    (void)snprintf(shipped, sizeof(shipped), "%s/profiles", cli->paths.data);
    (void)snprintf(own, sizeof(own), "%s/profiles", cli->paths.config);
    err = profiles_load(shipped, own, ret);
    for (size_t i = 0; err == AG_OK && i < profiles_problem_count(*ret); i++) {
        struct profile_problem p = profiles_problem_at(*ret, i);

        out_warn(&cli->out, "%s is left out: %s", p.source, p.why);
    }
    return err;
}
