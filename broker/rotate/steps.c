#include "rotate/steps.h"

#include <stddef.h>

enum {
    PAUSE_FIRST_MS = 60 * 1000,
    PAUSE_MOST_MS = 60 * 60 * 1000,
    PAUSE_DOUBLINGS = 6,
};

enum when {
    ALWAYS,
    HAS_NEW,    /* the new value is sealed */
    TRIES_LEFT, /* fewer tries than STEP_TRIES_COUNT */
};

/* The first row that fits is taken; what no row names can't happen. */
struct transition {
    enum rotation_state from;
    enum step_event event;
    enum when when;
    enum rotation_state to;
};

/* clang-format off */
static const struct transition TRANSITIONS[] = {
    {ROTATION_PREPARING, EVENT_DONE,     HAS_NEW,    ROTATION_PREPARED},
    /* Without a value there is nothing to verify; what was made goes. */
    {ROTATION_PREPARING, EVENT_DONE,     ALWAYS,     ROTATION_UNDOING},
    {ROTATION_PREPARING, EVENT_REFUSED,  ALWAYS,     ROTATION_UNDOING},
    {ROTATION_PREPARING, EVENT_LATER,    ALWAYS,     ROTATION_UNDOING},
    /* The check finds out which side is true. */
    {ROTATION_PREPARING, EVENT_UNSURE,   HAS_NEW,    ROTATION_PREPARED},
    {ROTATION_PREPARING, EVENT_UNSURE,   ALWAYS,     ROTATION_UNDOING},

    {ROTATION_PREPARING, EVENT_REPLACED, HAS_NEW,    ROTATION_DONE},

    {ROTATION_PREPARED,  EVENT_DONE,     ALWAYS,     ROTATION_VERIFIED},
    {ROTATION_PREPARED,  EVENT_REFUSED,  ALWAYS,     ROTATION_UNDOING},
    {ROTATION_PREPARED,  EVENT_LATER,    TRIES_LEFT, ROTATION_PREPARED},
    {ROTATION_PREPARED,  EVENT_LATER,    ALWAYS,     ROTATION_UNDOING},
    {ROTATION_PREPARED,  EVENT_UNSURE,   TRIES_LEFT, ROTATION_PREPARED},
    {ROTATION_PREPARED,  EVENT_UNSURE,   ALWAYS,     ROTATION_UNDOING},

    {ROTATION_VERIFIED,  EVENT_DONE,     ALWAYS,     ROTATION_OBSERVING},
    {ROTATION_VERIFIED,  EVENT_CONFLICT, ALWAYS,     ROTATION_UNDOING},

    {ROTATION_OBSERVING, EVENT_DONE,     ALWAYS,     ROTATION_RETIRING},
    {ROTATION_OBSERVING, EVENT_LATER,    ALWAYS,     ROTATION_OBSERVING},
    /* The old one was made current again: the new one goes. */
    {ROTATION_OBSERVING, EVENT_CONFLICT, ALWAYS,     ROTATION_UNDOING},

    {ROTATION_RETIRING,  EVENT_DONE,     ALWAYS,     ROTATION_DONE},
    {ROTATION_RETIRING,  EVENT_REFUSED,  ALWAYS,     ROTATION_RETIRING},
    {ROTATION_RETIRING,  EVENT_LATER,    ALWAYS,     ROTATION_RETIRING},
    {ROTATION_RETIRING,  EVENT_UNSURE,   ALWAYS,     ROTATION_RETIRING},
    {ROTATION_RETIRING,  EVENT_CONFLICT, ALWAYS,     ROTATION_UNDOING},

    {ROTATION_UNDOING,   EVENT_DONE,     ALWAYS,     ROTATION_UNDONE},
    {ROTATION_UNDOING,   EVENT_REFUSED,  ALWAYS,     ROTATION_UNDOING},
    {ROTATION_UNDOING,   EVENT_LATER,    ALWAYS,     ROTATION_UNDOING},
    {ROTATION_UNDOING,   EVENT_UNSURE,   ALWAYS,     ROTATION_UNDOING},
};

/* clang-format on */

static bool
fits(enum when when, const struct step_facts *facts)
{
    switch (when) {
    case ALWAYS:
        return true;
    case HAS_NEW:
        return facts->has_new;
    case TRIES_LEFT:
        return facts->attempts < STEP_TRIES_COUNT;
    }
    return false;
}

enum ag_err
step_next(enum rotation_state state, enum step_event event,
          const struct step_facts *facts, struct step *ret)
{
    for (size_t i = 0; i < AG_COUNT(TRANSITIONS); i++) {
        const struct transition *t = &TRANSITIONS[i];

        if (t->from == state && t->event == event && fits(t->when, facts)) {
            *ret = (struct step){t->to, t->to == state};
            return AG_OK;
        }
    }
    return err_why(AG_ECONFLICT, "a rotation that is %s can't take \"%s\"",
                   rotation_state_text(state), step_event_text(event));
}

enum step_act
step_act_of(enum rotation_state state)
{
    switch (state) {
    case ROTATION_PREPARING:
        return STEP_PREPARE;
    case ROTATION_PREPARED:
        return STEP_VERIFY;
    case ROTATION_VERIFIED:
        return STEP_PROMOTE;
    case ROTATION_OBSERVING:
        return STEP_OBSERVE;
    case ROTATION_RETIRING:
        return STEP_RETIRE;
    case ROTATION_UNDOING:
        return STEP_UNDO;
    case ROTATION_DONE:
    case ROTATION_UNDONE:
    case ROTATION_ABANDONED:
        break;
    }
    return STEP_NONE;
}

bool
step_is_open(enum rotation_state state)
{
    return step_act_of(state) != STEP_NONE;
}

enum rotator_act
step_rotator_act(enum step_act act)
{
    switch (act) {
    case STEP_PREPARE:
        return ROTATOR_PREPARE;
    case STEP_VERIFY:
        return ROTATOR_VERIFY;
    case STEP_RETIRE:
        return ROTATOR_RETIRE;
    case STEP_NONE:
    case STEP_PROMOTE:
    case STEP_OBSERVE:
    case STEP_UNDO:
        break;
    }
    AG_ASSERT(act == STEP_UNDO);
    return ROTATOR_UNDO;
}

const char *
step_act_text(enum step_act act)
{
    static const char *const TEXTS[] = {
        [STEP_NONE] = "none",       [STEP_PREPARE] = "prepare",
        [STEP_VERIFY] = "verify",   [STEP_PROMOTE] = "promote",
        [STEP_OBSERVE] = "observe", [STEP_RETIRE] = "retire",
        [STEP_UNDO] = "undo",
    };

    return TEXTS[act];
}

const char *
step_event_text(enum step_event event)
{
    static const char *const TEXTS[] = {
        [EVENT_DONE] = "done",         [EVENT_REFUSED] = "refused",
        [EVENT_LATER] = "later",       [EVENT_UNSURE] = "unsure",
        [EVENT_CONFLICT] = "conflict", [EVENT_REPLACED] = "replaced",
    };

    return TEXTS[event];
}

int64_t
step_pause_ms(int64_t attempts)
{
    int64_t doublings = attempts < 1 ? 0 : attempts - 1;
    int64_t pause_ms = PAUSE_FIRST_MS;

    doublings = doublings > PAUSE_DOUBLINGS ? PAUSE_DOUBLINGS : doublings;
    pause_ms <<= doublings;
    return pause_ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause_ms;
}
