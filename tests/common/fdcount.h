/*
 * fdcount.h - how many descriptors this process has: a failed call must leave
 * as many as it found.
 */
#ifndef AG_TESTS_FDCOUNT_H
#define AG_TESTS_FDCOUNT_H

#include <dirent.h>

#include "common/check.h"

static inline size_t
fd_count_open(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

#endif
