/*
 * steps.h - the journal of a rotation as data: which act each state asks for,
 * and which state follows what came of it.
 * Floor: rotate. Depends on: rotate/rotator, store/words.
 *
 *   preparing -> prepared -> verified -> observing -> retiring -> done
 *        \           \          \           \            \
 *         +-----------+----------+-----------+------------+--> undoing -> undone
 *
 * A login's refresh is all of it at once: preparing -> done.
 *
 * The old version is the current one until `observing`; it is destroyed only
 * by `retiring`, the new one only by `undoing`. So a credential that works is
 * there in every state, whichever side of an act is true.
 */
#ifndef AG_ROTATE_STEPS_H
#define AG_ROTATE_STEPS_H

#include "rotate/rotator.h"
#include "store/words.h"

enum step_act {
    STEP_NONE, /* ended */
    STEP_PREPARE,
    STEP_VERIFY,
    STEP_PROMOTE, /* the vault's own: no rotator takes part */
    STEP_OBSERVE, /* the same */
    STEP_RETIRE,
    STEP_UNDO,
};

enum step_event {
    EVENT_DONE,
    EVENT_REFUSED,  /* for certain: nothing came of it */
    EVENT_LATER,    /* nothing came of it now */
    EVENT_UNSURE,   /* whether anything came of it is not known */
    EVENT_CONFLICT, /* another version became current meanwhile */
    EVENT_REPLACED, /* the new one is current, the old one retired, at once */
};

/* Tries of a step that may be tried again, before the rotation is undone or, in
 * `retiring` and `undoing`, a person is called. */
enum {
    STEP_TRIES_COUNT = 3,
};

struct step_facts {
    bool has_new;     /* the new value is sealed */
    int64_t attempts; /* of this state's act, this one included */
};

struct step {
    enum rotation_state state;
    bool again; /* the same state: the act is tried once more */
};

AG_CHECK enum step_act step_act_of(enum rotation_state state);

/* Errors: AG_ECONFLICT that event can't happen in that state. */
AG_CHECK AG_NONNULL enum ag_err step_next(enum rotation_state state,
                                          enum step_event event,
                                          const struct step_facts *facts,
                                          struct step *ret);

bool step_is_open(enum rotation_state state);

/* What a rotator takes part in. Asserted. */
enum rotator_act step_rotator_act(enum step_act act);

const char *step_act_text(enum step_act act);
const char *step_event_text(enum step_event event);

/* The pause before try number `attempts` + 1 of an act that failed. */
int64_t step_pause_ms(int64_t attempts);

#endif
