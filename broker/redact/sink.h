/*
 * sink.h - where a stream goes: bytes are fed in parts of any size, then the
 * stream is finished once. How it is cut into parts never shows in the output.
 * Floor: redact. Depends on: base/err, base/span.
 */
#ifndef AG_REDACT_SINK_H
#define AG_REDACT_SINK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/*
 * feed:   takes `part`, which is borrowed for the call. An error ends the
 *         stream: nothing is fed after it.
 * finish: the stream is complete; called once, last. May be NULL.
 */
struct sink {
    void *ctx;
    enum ag_err (*feed)(void *ctx, struct span part);
    enum ag_err (*finish)(void *ctx);
};

AG_CHECK AG_NONNULL static inline enum ag_err
sink_feed(const struct sink *sink, struct span part)
{
    return part.len == 0 ? AG_OK : sink->feed(sink->ctx, part);
}

AG_CHECK AG_NONNULL static inline enum ag_err
sink_finish(const struct sink *sink)
{
    return sink->finish == NULL ? AG_OK : sink->finish(sink->ctx);
}

#endif
