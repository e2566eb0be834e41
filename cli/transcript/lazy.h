/*
 * lazy.h - a library loaded when it is first needed: linked, it would start
 * with every command.
 * Floor: cli. Depends on: base/err, dlopen().
 */
#ifndef AG_CLI_TRANSCRIPT_LAZY_H
#define AG_CLI_TRANSCRIPT_LAZY_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* One function: its name there, and the place of its pointer in a table. */
struct lazy_slot {
    const char *name;
    size_t offset;
};

struct lazy_library {
    const char *file; /* its soname */
    const char *package;
    const struct lazy_slot *slots;
    size_t slot_count;
};

/*
 * Fills the table; the library stays loaded. Errors: AG_EUNSUPPORTED with a
 * sentence that names `what` it is needed for. Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err lazy_load(const struct lazy_library *library,
                                          const char *what, void *table);

#endif
