/* When a credential that was made ends, and what is due before that (mint.h). */
#include <stdio.h>
#include <string.h>

#include "core/mint_impl.h"
#include "store/tasks.h"

enum {
    MS_PER_S = 1000,
    RENEW_EARLY_MS = 5 * 60 * 1000, /* before the end; of a short life … */
    RENEW_SHARE = 4,                /* … a quarter */
    GOOD_FOR_MS = 60 * 1000, /* that one which can't be renewed must be */
    /* Who says less does not know what time it is. */
    LEAST_MS = MINT_TTL_LEAST_S * MS_PER_S,
};

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool
minted_is_good(const struct minted_row *row, const struct mint_rule *rule,
               int64_t now_ms)
{
    int64_t margin_ms =
        least((row->expires_ms - row->created_ms) / RENEW_SHARE, GOOD_FOR_MS);

    return row->state == MINTED_LIVE &&
           row->expires_ms - (rule->minter->renews ? 0 : margin_ms) > now_ms;
}

int64_t
mint_expiry(const struct minting *m, const struct task_row *task,
            int64_t now_ms)
{
    return least(now_ms + m->rule.ttl_ms, task->deadline_ms + MINT_OVER_MS);
}

int64_t
mint_due(const struct minting *m, const struct task_row *task, int64_t now_ms)
{
    int64_t life_ms = m->row.expires_ms - now_ms;

    return m->rule.minter->renews && m->row.expires_ms < task->deadline_ms
               ? m->row.expires_ms -
                     least(life_ms / RENEW_SHARE, RENEW_EARLY_MS)
               : m->row.expires_ms;
}

static void
believe(struct minting *m, const char *code)
{
    m->answer.expires_ms = m->asked_ms;
    (void)snprintf(m->answer.code, sizeof(m->answer.code), "%s", code);
}

/* Of what is done: an end that nobody asked for is the one that was. Too early a
 * one is no use, but the credential may work as long as was asked, and is
 * revoked till then. */
void
mint_believe(struct minting *m, int64_t now_ms)
{
    int64_t told_ms = m->answer.expires_ms;

    if (m->answer.outcome != ROTATOR_DONE) {
        return;
    }
    if (told_ms == 0) {
        m->answer.expires_ms = m->asked_ms;
    } else if (told_ms > m->asked_ms) {
        believe(m, MINTED_ENDS_LATER);
    } else if (told_ms < least(m->asked_ms, now_ms + LEAST_MS)) {
        m->too_soon = true;
        believe(m, MINTED_ENDS_SOON);
    }
}

int64_t
mint_settled(const struct minting *m, int64_t now_ms)
{
    int64_t longest_ms = m->rule.minter->settled_ms;
    int64_t at_ms = m->row.created_ms + longest_ms;

    if (m->row.version != 0 || now_ms >= at_ms ||
        strcmp(m->answer.code, MINTER_NONE_THERE) != 0) {
        return 0;
    }
    return least(at_ms, now_ms + longest_ms); /* it may have been set back */
}
