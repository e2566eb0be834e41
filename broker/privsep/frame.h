/*
 * frame.h - one packet of a channel on its way out; channel_decode() reads it.
 * Floor: privsep. Depends on: privsep/channel.
 */
#ifndef AG_PRIVSEP_FRAME_H
#define AG_PRIVSEP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "privsep/channel.h"

struct frame {
    struct channel_head head;
    struct span body;
    const int *fds;
    size_t fd_count;
};

/*
 * Sends one packet, whole or not at all. The body is not copied: it may hold a
 * secret. Waits for room until `end_ms` (clock_steady_ms()).
 * Errors: AG_ENOBROKER the other end is gone; AG_ETIMEOUT; AG_ELIMIT; AG_EIO.
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err frame_send(int sock, const struct frame *frame,
                                           int64_t end_ms);

#endif
