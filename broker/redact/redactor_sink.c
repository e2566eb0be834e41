/* The filter as a link of a chain. */
#include "redact/redactor.h"

static enum ag_err
feed_as_sink(void *ctx, struct span part)
{
    return redactor_feed(ctx, part);
}

static enum ag_err
finish_as_sink(void *ctx)
{
    return redactor_finish(ctx);
}

struct sink
redactor_sink(struct redactor *r)
{
    return (struct sink){
        .ctx = r, .feed = feed_as_sink, .finish = finish_as_sink};
}
