/*
 * spill.h - keeps a rewritten login when the broker is gone: sealed for the
 * vault alone, by a process of its own that nobody can look into.
 * Floor: cli/run. Depends on: crypt/box, base/secret, base/fsx.
 *
 * The supervisor never holds a value: a forked child reads, seals and ends.
 * Result: HOME/spill/NAME.sealed (0600, synced), a box as in crypt/box.h.
 */
#ifndef AG_CLI_RUN_SPILL_H
#define AG_CLI_RUN_SPILL_H

#include "base/attr.h"
#include "base/err.h"

/* `key` is the vault's public key in base64, or NULL: then AG_ENOBROKER; the
 * same for an empty `name`, under which no unlock would find it.
 * Errors: those of reading, sealing and writing. Blocks: for a sync. */
AG_CHECK enum ag_err spill_file(int fd, const char *home, const char *key,
                                const char *name);

#endif
