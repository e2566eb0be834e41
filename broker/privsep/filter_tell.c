#include "privsep/filter_tell.h"

#include "base/clock.h"
#include "redact/redactor.h"

static void
tell_rest(struct ftell *t)
{
    if (t->rest.row_count > 0) {
        t->rest.id = t->end.id;
        t->hooks.rest(t->hooks.ctx, &t->rest);
        t->rest.row_count = 0;
        t->rest.hits = 0;
    }
}

/* Was it not among the rest before, as far as can be said? */
static bool
is_new_there(struct ftell *t, const struct redactor_hit *hit)
{
    uint64_t hash =
        (hit->id * 64 + (uint64_t)hit->form) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t bit = hash >> 32 & (FTELL_SEEN_BITS - 1);
    uint64_t mask = UINT64_C(1) << (bit % 64);
    bool is_new = (t->seen[bit / 64] & mask) == 0;

    t->seen[bit / 64] |= mask;
    return is_new;
}

static void
count_rest(struct ftell *t, const struct redactor_hit *hit)
{
    bool unused = false;

    if (t->hooks.rest == NULL) {
        return;
    }
    t->has_new = is_new_there(t, hit) || t->has_new;
    while (!fmsg_count(&t->rest, hit, &unused)) {
        tell_rest(t); /* then there is room */
    }
    t->rest.hits++;
}

void
ftell_hit(struct ftell *t, const struct redactor_hit *hit)
{
    bool is_new = false;

    t->end.hits++;
    if (!fmsg_count(&t->end, hit, &is_new)) {
        count_rest(t, hit);
    }
    t->has_new = t->has_new || is_new;
}

/* A task that guesses is to be stopped while it does, and what leaks is to be
 * rotated while it may still help. */
void
ftell_due(struct ftell *t)
{
    int64_t now_ms = 0;

    if (t->hooks.hits == NULL || t->told_count == t->end.hits) {
        return;
    }
    now_ms = clock_steady_ms();
    if (t->has_new || now_ms >= t->tell_at_ms) {
        t->has_new = false;
        t->told_count = t->end.hits;
        t->tell_at_ms = now_ms + FTELL_MS;
        tell_rest(t);
        t->hooks.hits(t->hooks.ctx, &t->end);
    }
}

int
ftell_wait_ms(const struct ftell *t)
{
    return t->hooks.hits != NULL && t->told_count != t->end.hits ? FTELL_MS
                                                                 : -1;
}

void
ftell_finish(struct ftell *t)
{
    tell_rest(t);
}
