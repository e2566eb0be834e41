/*
 * packed.h - a packed text through the filter: unpacked by one thread, packed
 * again by another, the filter between two pipes.
 * Floor: cli. Depends on: transcript/pack, transcript/passage.
 */
#ifndef AG_CLI_TRANSCRIPT_PACKED_H
#define AG_CLI_TRANSCRIPT_PACKED_H

#include "base/attr.h"
#include "base/err.h"
#include "transcript/pack.h"
#include "transcript/passage.h"

/* A text that may be packed, and where it goes. */
struct packed {
    enum pack_kind kind; /* PACK_NONE: as it is */
    bool plain_out;      /* not packed again */
    int src_fd;
    int dst_fd;
};

/*
 * All of it. Errors: those of passage_run() (passage->failed), pack_open() and
 * pack_close() and pack_load().
 */
AG_CHECK AG_NONNULL enum ag_err packed_run(struct passage *passage,
                                           const char *name,
                                           const struct packed *text,
                                           json_t **ret_report);

#endif
