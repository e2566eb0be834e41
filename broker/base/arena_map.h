/*
 * arena_map.h - the memory of the arena: mapped, locked, guarded.
 * Floor: base. Depends on: base/secret (backings), base/fdx, base/parse.
 *
 * memfd_secret where the kernel has it, else anonymous memory, mlock'ed page by
 * page as it is first used and left out of core files; either between two guard
 * pages and not mapped in forked children.
 */
#ifndef AG_BASE_ARENA_MAP_H
#define AG_BASE_ARENA_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"

/*
 * `bytes` (a multiple of the page size) of zeros. The lock is verified by
 * VmLck of /proc/self/status, where that can be read.
 * Errors: AG_EMEMLOCK with a sentence that names limit and fix; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err arena_map(size_t bytes, uint8_t **ret,
                                          enum secret_backing *ret_backing);
AG_NONNULL void arena_unmap(uint8_t *block, size_t bytes);

/* A byte that is 1 in this process and 0 in every child, however it was made;
 * NULL where the kernel can't (before 4.14). NULL may be unmapped. */
const uint8_t *fork_mark_map(void);
void fork_mark_unmap(const uint8_t *mark);

#endif
