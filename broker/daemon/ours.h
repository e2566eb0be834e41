/*
 * ours.h - what the filter process must leave: placeholders, which look like
 * secrets. Here, since the filter's floor knows no profiles.
 * Floor: daemon. Depends on: privsep/filter, profile/placeholder.
 */
#ifndef AG_DAEMON_OURS_H
#define AG_DAEMON_OURS_H

#include "privsep/filter.h"

/* For filter_main(): opens the process's arena, before any other thread.
 * *ret is static. Errors: AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err ours_open(const struct filter_ours **ret);

#endif
