/* What is to be done with a credential that was made and is due (mint.h). */
#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/mint_impl.h"
#include "core/state.h"
#include "store/versions.h"

/* The value it has, for a minter that needs it; NULL: it is gone. */
static enum ag_err
find_value(struct minting *m, struct db_read *r)
{
    enum ag_err err = m->row.version == 0
                          ? AG_ENOTFOUND
                          : versions_value(r, m->row.secret_id, m->row.version,
                                           NULL, &m->value);

    return err == AG_ENOTFOUND ? AG_OK : err;
}

static void
answer(struct minting *m, enum rotator_outcome outcome, const char *code)
{
    m->answer.outcome = outcome;
    (void)snprintf(m->answer.code, sizeof(m->answer.code), "%s", code);
}

/* Is it decided without the provider? */
static bool
is_decided(struct minting *m, bool over)
{
    const struct minter *minter = m->rule.minter;

    if (over && !minter->lingers) {
        /* there is nothing left of it */
        answer(m, ROTATOR_DONE,
               m->value != NULL ? "expired" : MINTED_NEVER_KNOWN);
        return true;
    }
    if (m->act != MINTER_REVOKE) {
        return false;
    }
    if (m->value != NULL && minter->ends_alone) {
        answer(m, ROTATOR_LATER, MINTED_ENDS_ALONE);
        return true;
    }
    if (m->value == NULL && !minter->revokes_by_handle) {
        answer(m, ROTATOR_LATER, MINTED_NEVER_KNOWN);
        return true;
    }
    return false;
}

enum ag_err
minting_choose(struct core *core, struct minting *m, struct db_read *r)
{
    bool over = m->row.expires_ms <= clock_wall_ms();
    enum ag_err err = find_value(m, r);

    m->act = m->row.state == MINTED_LIVE && !over && m->rule.minter->renews
                 ? MINTER_RENEW
                 : MINTER_REVOKE;
    m->answer.outcome = ROTATOR_LATER;
    if (err != AG_OK || is_decided(m, over)) {
        return err;
    }
    err = mint_source(core, r, &m->rule, &m->source);
    m->has_act = err == AG_OK;
    if (err == AG_ENOTFOUND || err == AG_EINVAL) {
        answer(m, ROTATOR_LATER, "source_gone");
        return AG_OK;
    }
    return err;
}
