// LINKS: PkgConfig::SODIUM PkgConfig::JANSSON
/*
 * empty - a program that is linked to libsodium and jansson and does nothing:
 * the floor for the start of the command line.
 */
#include <jansson.h>
#include <sodium.h>

#include "base/attr.h"

/* Keeps both libraries needed; never called. */
typedef void (*anchor)(void);
extern const anchor ANCHORS[2];
const anchor ANCHORS[2] = {(anchor)sodium_init, (anchor)json_object};

int
main(void)
{
    return ANCHORS[0] == ANCHORS[1];
}
