/* The end of a turn: what came of its act is kept, with its row of the record. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "core/redaction.h"
#include "core/rotation_impl.h"
#include "core/state.h"

static enum step_event
event_of(enum rotator_outcome outcome)
{
    switch (outcome) {
    case ROTATOR_DONE:
        return EVENT_DONE;
    case ROTATOR_REFUSED:
        return EVENT_REFUSED;
    case ROTATOR_LATER:
        return EVENT_LATER;
    case ROTATOR_UNSURE:
        break;
    }
    return EVENT_UNSURE;
}

static bool
is_in(struct span part, const char *text)
{
    size_t len = strlen(text);

    for (size_t at = 0; at + part.len <= len; at++) {
        if (strncasecmp(text + at, (const char *)part.ptr, part.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Is it, or a part of it that tells something, in the code? In any case of
 * letters, since a code has one alone. */
static bool
shows(const char *code, const struct secret *value)
{
    struct span all = value != NULL ? secret_view(value) : span_of(NULL, 0);
    size_t len =
        all.len < ROTATOR_SHOWN_BYTES ? all.len : (size_t)ROTATOR_SHOWN_BYTES;

    for (size_t at = 0; len > 0 && at + len <= all.len; at++) {
        if (is_in(span_sub(all, at, len), code)) {
            return true;
        }
    }
    return false;
}

/* What stands on the journal and on the record is no value: the words of a
 * provider, or of a program, may quote one. */
static enum ag_err
check_words(struct turn *t, struct db_tx *tx)
{
    const int64_t numbers[] = {t->row.old_version, t->row.new_version};
    bool shown = shows(t->answer.code, t->answer.value);
    enum ag_err err = AG_OK;

    for (size_t i = 0;
         err == AG_OK && t->answer.code[0] != '\0' && i < AG_COUNT(numbers);
         i++) {
        AG_AUTO(secret) struct secret *value = NULL;

        err = turn_value(t, tx, numbers[i], &value);
        shown = shown || shows(t->answer.code, value);
    }
    if (err == AG_OK && shown) {
        t->answer.outcome = ROTATOR_UNSURE;
        (void)snprintf(t->answer.code, sizeof(t->answer.code), "garbage");
    }
    return err;
}

/* Only a person can log in: told once per interval. */
static enum ag_err
end_refresh(struct turn *t, struct db_tx *tx)
{
    bool needs_login = false;
    enum ag_err err = rotation_refreshed(t, tx, &needs_login);

    if (err == AG_OK && needs_login) {
        err = turn_set_next(t, tx, false);
        return err == AG_OK ? turn_abandon(t, tx, t->answer.code) : err;
    }
    turn_code(t, t->answer.code);
    if (err == AG_OK && t->row.new_version != 0) {
        return turn_apply(t, tx, EVENT_REPLACED);
    }
    if (err != AG_OK || t->answer.outcome != ROTATOR_UNSURE) {
        return err == AG_OK ? turn_apply(t, tx, event_of(t->answer.outcome))
                            : err;
    }
    /* The run was cut off: it may come yet. */
    err = rotations_write(tx, &t->row);
    return err == AG_OK ? turn_note(t, tx, AUDIT_ROTATION_STEP,
                                    step_event_text(EVENT_UNSURE))
                        : err;
}

enum ag_err
turn_end(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct turn *t = (struct turn *)job; /* its first member */
    const struct secret *value = t->answer.value;
    int64_t version_id = 0;
    enum ag_err err = AG_OK;

    if (t->plan.rotator->refreshes) {
        return end_refresh(t, tx);
    }
    err = check_words(t, tx);
    turn_code(t, t->answer.code);
    if (err == AG_OK && value != NULL && t->row.new_version == 0) {
        err = turn_keep(t, tx, value, &version_id);
    }
    if (err == AG_ELIMIT) { /* never kept: so undone, not tried again */
        turn_code(t, "value_too_long");
        version_id = 0;
        err = AG_OK;
    }
    if (err == AG_OK) {
        err = turn_apply(t, tx, event_of(t->answer.outcome));
    }
    return err == AG_OK && version_id != 0
               ? redaction_add(core, &t->secret, version_id, value)
               : err;
}
