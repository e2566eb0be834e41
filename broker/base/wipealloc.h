/*
 * wipealloc.h - malloc and free that wipe, for libraries whose copies we can't
 * place (jansson: json_set_alloc_funcs(wipe_malloc, wipe_free); libcurl:
 * curl_global_init_mem() with all five).
 * Floor: base. Depends on: base/secret (wipe).
 */
#ifndef AG_BASE_WIPEALLOC_H
#define AG_BASE_WIPEALLOC_H

#include <stddef.h>

void *wipe_malloc(size_t len);
void wipe_free(void *ptr);

/* Made of the two above: what moves is wiped where it was. */
void *wipe_realloc(void *ptr, size_t len);
void *wipe_calloc(size_t count, size_t len);
char *wipe_strdup(const char *text);

#endif
