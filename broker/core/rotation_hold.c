/* When rotations don't go on: the broker ends, the vault is locked, or programs
 * can't be started any more. */
#include <time.h>

#include "core/rotation_impl.h"
#include "core/state.h"
#include "privsep/runner.h"

enum {
    DRAIN_POLL_MS = 10,
};

enum ag_err
rotation_may_go_on(struct core *core)
{
    if (atomic_load(&core->rotation_stops)) {
        return err_why(AG_EBUSY, "the broker is stopping; the next run goes on "
                                 "with what is left");
    }
    return core_state(core) == VAULT_OPEN
               ? AG_OK
               : err_why(AG_ELOCKED, "the vault was locked; once it is open, "
                                     "the next run goes on with what is left");
}

enum ag_err
rotation_can_act(struct core *core, const struct rotator *rotator)
{
    struct runner *runner = core->parts.runner;

    return rotator->program_name == NULL || runner == NULL ||
                   runner_is_alive(runner)
               ? AG_OK
               : err_why(AG_EUNSUPPORTED,
                         "the process that starts programs has ended, so "
                         "nothing more is rotated; run: auth-guard stop, then "
                         "auth-guard unlock");
}

/* A tool can't read a login whose file became a random text. */
enum ag_err
rotation_suits(const struct rotator *rotator, const struct secret_row *secret)
{
    bool has_format = false;

    switch (secret->kind) {
    case SECRET_OPAQUE:
    case SECRET_PASSWORD:
        break;
    case SECRET_FILE:
    case SECRET_LOGIN:
    case SECRET_SSH_KEY:
    case SECRET_APP_KEY:
    case SECRET_CERT:
        has_format = true;
        break;
    }
    return !has_format || !rotator->makes_plain
               ? AG_OK
               : err_why(AG_EINVAL,
                         "%s is of kind %s, whose value has a format: %s can't "
                         "make one; take another rotator",
                         secret->name, secret_kind_text(secret->kind),
                         rotator->name);
}

void
rotation_drain(struct core *core)
{
    const struct timespec pause = {.tv_nsec = DRAIN_POLL_MS * 1000000L};

    runner_hold(core->parts.runner, true);
    for (int ms = 0;
         atomic_load(&core->rotation_turns) > 0 && ms < ROTATION_DRAIN_MS;
         ms += DRAIN_POLL_MS) {
        (void)nanosleep(&pause, NULL);
    }
}

void
rotation_resume(struct core *core)
{
    runner_hold(core->parts.runner, false);
}
