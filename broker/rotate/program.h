/*
 * program.h - a program that an operator has put on record, to be started by
 * the runner: only with the content that was hashed.
 * Floor: rotate. Depends on: nothing.
 */
#ifndef AG_ROTATE_PROGRAM_H
#define AG_ROTATE_PROGRAM_H

#include <stdint.h>

enum {
    PROGRAM_PATH_BYTES = 1024,
    PROGRAM_HASH_BYTES = 32, /* SHA-256 of the file */
    PROGRAM_LIMIT_DEFAULT_MS = 30 * 1000,
    PROGRAM_LIMIT_MAX_MS = 300 * 1000, /* a run waits for it */
};

struct program {
    char path[PROGRAM_PATH_BYTES];
    uint8_t hash[PROGRAM_HASH_BYTES];
    int64_t limit_ms; /* then it is killed, with all it started */
};

#endif
