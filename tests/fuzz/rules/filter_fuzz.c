/*
 * The shipped rules on any text: the first byte says how long the parts are,
 * and the output is that of one part.
 */
// LINKS: redact
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "redact/rule_filter.h"
#include "redact/rule_set.h"

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rule_set *set;

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    const struct rule_source source = {.dir = AG_BINARY_DIR "/rules",
                                       .level = RULES_ALL};

    (void)argc;
    (void)argv;
    AG_ASSERT(rule_set_load(&source, &set) == AG_OK);
    return 0;
}

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
filter(struct span text, size_t part, struct buf *out)
{
    const struct rule_filter_terms terms = {.set = set, .level = RULES_ALL};
    const struct sink next = {.ctx = out, .feed = gather};
    AG_AUTO(rule_filter) struct rule_filter *f = NULL;

    AG_ASSERT(rule_filter_new(&terms, &next, &f) == AG_OK);
    for (size_t at = 0; at < text.len; at += part) {
        AG_ASSERT(rule_filter_feed(f, span_sub(text, at, part)) == AG_OK);
        AG_ASSERT(rule_filter_settle(f) == AG_OK);
        AG_ASSERT(rule_filter_held_bytes(f) <= RULE_FILTER_HELD_MAX_BYTES);
    }
    AG_ASSERT(rule_filter_finish(f) == AG_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(buf) struct buf whole = {0};
    AG_AUTO(buf) struct buf parts = {0};
    struct span text;

    if (size < 2) {
        return 0;
    }
    buf_init(&whole, 64 * size + 4096, BUF_PLAIN);
    buf_init(&parts, 64 * size + 4096, BUF_PLAIN);
    text = span_of(data + 1, size - 1);
    filter(text, text.len, &whole);
    filter(text, 1U + data[0] % 64U, &parts);
    AG_ASSERT(span_equal(buf_view(&whole), buf_view(&parts)));
    return 0;
}
