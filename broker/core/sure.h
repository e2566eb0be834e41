/*
 * sure.h - which sighting of a value is sure. Only that is acted on: a secret
 * held or rotated by what an honest task may print would be a switch in the
 * hands of any other.
 * Floor: core. Depends on: core/redaction, store/makers, redact/rule_score.
 *
 * Sure is what is all of these:
 *   - met in a form that the filter vouches for (struct incident_sight);
 *   - too long, and not too easy, to be met by chance (redact/strength.h);
 *   - the secret's whole value; or a field that its profile declares a secret,
 *     as far as the profile is trusted; or one that looks like a credential:
 *     SURE_LOOK_MIN_BYTES without a blank that seem drawn by chance, and no
 *     address, no UUID, no example, or else a private key in its armour;
 *   - not of a task's making alone: a version that a task wrote counts for what
 *     stands in a version of another maker too, and in this secret;
 * and what has within it a field that is all of these: the address with its
 * password, the file that a task wrote with a token that it had.
 */
#ifndef AG_CORE_SURE_H
#define AG_CORE_SURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct core;
struct db_read;
struct secret;
struct secret_row;
struct version_row;

enum {
    SURE_LOOK_MIN_BYTES = 16,
    SURE_LOOK_MIN_ENTROPY = 300,    /* bits per hundred characters */
    SURE_LOOK_MAX_EFFICIENCY = 250, /* of chance some 200, of words 400 */
};

struct sure {
    struct core *core;
    struct db_read *r;
    const struct secret_row *secret;
    const struct version_row *version;
    const struct secret *value; /* of that version */
};

/* Number `index` of the value's entries in the set (0: the whole). One that is
 * not there is not sure. Errors: those of the store and of locked memory. */
AG_CHECK AG_NONNULL enum ag_err sure_is(const struct sure *s, uint64_t index,
                                        bool *ret);

/* The third of the above, of a field that nobody declared. */
bool sure_looks(struct span text);

#endif
