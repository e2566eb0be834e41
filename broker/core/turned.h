/*
 * turned.h - the hosts that a task was turned away from for want of --allow: at
 * its end the person is told which, and how often.
 * Floor: core. Depends on: base/err.
 */
#ifndef AG_CORE_TURNED_H
#define AG_CORE_TURNED_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct turned;

enum {
    TURNED_HOSTS_MAX_COUNT = 6, /* told by name; of more the number is */
};

/* Counts one more. *turned is NULL before the first; without memory it is not
 * counted. Threads: one at a time. */
AG_NONNULL void turned_note(struct turned **turned, const char *host);
void turned_free(struct turned *turned);
AG_DEFINE_CLEANUP(turned, turned_free)

/* Sets `refused` in `object`: [{host, count}…], and `refused_more`, how often
 * any other. NULL: neither. Errors: AG_ENOMEM. */
AG_CHECK enum ag_err turned_show(const struct turned *turned, json_t *object);

#endif
