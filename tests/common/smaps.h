/*
 * smaps.h - what the kernel says of one mapping of this process.
 */
#ifndef AG_TESTS_SMAPS_H
#define AG_TESTS_SMAPS_H

#include <stdbool.h>

#include "common/check.h"

/* Is this a mapping's first line, "FROM-TO …"? Then: is `at` inside? */
static inline bool
smaps_header(const char *line, uintptr_t at, bool *inside)
{
    char *end = NULL;
    unsigned long from = strtoul(line, &end, 16);
    unsigned long to;

    if (end == line || *end != '-') {
        return false;
    }
    to = strtoul(end + 1, &end, 16);
    if (*end != ' ') {
        return false;
    }
    *inside = at >= from && at < to;
    return true;
}

/* The VmFlags line of the mapping that holds `at`; empty when there is none. */
static inline void
smaps_flags(const void *at, char *out, size_t cap)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    bool inside = false;
    char line[512];

    out[0] = '\0';
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (!smaps_header(line, (uintptr_t)at, &inside) && inside &&
            strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out, cap, "%s", line);
        }
    }
    (void)fclose(f);
}

/* Locked, left out of core files, not mapped in children. */
static inline void
smaps_check_private(const void *at)
{
    char flags[512];

    smaps_flags(at, flags, sizeof(flags));
    assert_non_null(strstr(flags, " lo"));
    assert_non_null(strstr(flags, " dd"));
    assert_non_null(strstr(flags, " dc"));
}

#endif
