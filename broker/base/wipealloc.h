/*
 * wipealloc.h - malloc and free that wipe, for libraries whose copies we can't
 * place (jansson: json_set_alloc_funcs(wipe_malloc, wipe_free)).
 * Floor: base. Depends on: base/secret (wipe).
 */
#ifndef AG_BASE_WIPEALLOC_H
#define AG_BASE_WIPEALLOC_H

#include <stddef.h>

void *wipe_malloc(size_t len);
void wipe_free(void *ptr);

#endif
