/*
 * wipealloc.h - malloc and free that wipe, for libraries whose copies we can't
 * place (jansson: json_set_alloc_funcs(wipe_malloc, wipe_free); libcurl:
 * curl_global_init_mem() with all five).
 * Floor: base. Depends on: base/secret (wipe).
 *
 * A few large blocks (libcurl's buffer of each call) are kept when they are
 * freed, wiped, for the next of that length: from the heap each would be
 * overwritten twice more (M_PERTURB), and its pages come and go.
 */
#ifndef AG_BASE_WIPEALLOC_H
#define AG_BASE_WIPEALLOC_H

#include <stddef.h>

enum {
    WIPEALLOC_KEPT_MAX_COUNT = 16,
    WIPEALLOC_KEPT_MIN_BYTES = 16 * 1024,
    WIPEALLOC_KEPT_MAX_BYTES = 72 * 1024, /* of each */
};

/* Threads: any, all of them. */
void *wipe_malloc(size_t len);
void wipe_free(void *ptr);

/* Made of the two above: what moves is wiped where it was. */
void *wipe_realloc(void *ptr, size_t len);
void *wipe_calloc(size_t count, size_t len);
char *wipe_strdup(const char *text);

/* Gives the kept blocks back to the heap: nobody needs them for a while. */
void wipe_shed(void);
/* How many are kept. */
size_t wipe_kept_count(void);

#endif
