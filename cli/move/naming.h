/*
 * naming.h - what a file that is adopted is called in the vault when nobody
 * says so.
 * Floor: cli. Depends on: profile, base/parse.
 */
#ifndef AG_CLI_MOVE_NAMING_H
#define AG_CLI_MOVE_NAMING_H

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "profile/load.h"

/*
 * The profile's default name for its first file; for its other files, and
 * where many files fit (`id_*`, `.env` anywhere), its first segment and one
 * made from the file's name, with the directory's for files found by name.
 * No profile: file/DIRECTORY-NAME. Always a valid name.
 */
void naming_default(const struct profile_match *match, bool by_name,
                    const char *path, char out[NAME_MAX_BYTES + 1]);

#endif
