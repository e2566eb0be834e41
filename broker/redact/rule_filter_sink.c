/* The filter for unknown secrets as a link of a chain. */
#include "redact/rule_filter.h"

static enum ag_err
feed_as_sink(void *ctx, struct span part)
{
    return rule_filter_feed(ctx, part);
}

static enum ag_err
finish_as_sink(void *ctx)
{
    return rule_filter_finish(ctx);
}

struct sink
rule_filter_sink(struct rule_filter *f)
{
    return (struct sink){
        .ctx = f, .feed = feed_as_sink, .finish = finish_as_sink};
}
