/*
 * The shipped rules on any text, behind the filter for known values: the output
 * in parts is that of one part.
 *
 * Bytes: how the text is cut | mode | pairs of bytes, as many as the mode says,
 * each a piece of the text that is a known value | text.
 */
// LINKS: redact
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "redact/redactor.h"
#include "redact/rule_filter.h"
#include "redact/rule_set.h"

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    VALUES_MAX = 4,
    FOR_TASK = 4, /* of the mode; the two bits below count values */
};

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

static struct matcher *
known_values(const uint8_t *places, size_t count, struct span text)
{
    struct matcher_value values[VALUES_MAX];
    struct matcher *known = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t at = places[2 * i] * text.len / UINT8_MAX;

        values[i] = (struct matcher_value){
            .id = i,
            .name = span_str("k"),
            .value = span_sub(text, at, 4 + places[2 * i + 1] % 64U)};
    }
    AG_ASSERT(matcher_build(values, count, &known) == AG_OK);
    return known;
}

/* `cuts`: below 32 parts of one length, then of any. */
static size_t
part_len(uint8_t cuts, uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return cuts < 32 ? cuts + 1U : 1 + (*state >> 24);
}

static void
filter(const struct matcher *known, bool task, struct span text, int cuts,
       struct buf *out)
{
    const struct rule_filter_terms terms = {.set = set, .level = RULES_ALL};
    const struct redactor_options options = {
        .audience = task ? REDACTOR_TASK : REDACTOR_OPERATOR};
    struct sink next = {.ctx = out, .feed = gather};
    AG_AUTO(rule_filter) struct rule_filter *f = NULL;
    AG_AUTO(redactor) struct redactor *r = NULL;
    uint32_t state = (uint32_t)cuts;
    size_t len;

    AG_ASSERT(rule_filter_new(&terms, &next, &f) == AG_OK);
    next = rule_filter_sink(f);
    AG_ASSERT(redactor_new(&options, &next, &r) == AG_OK);
    AG_ASSERT(redactor_use(r, known) == AG_OK);
    for (size_t at = 0; at < text.len; at += len) {
        len = cuts < 0 ? text.len : part_len((uint8_t)cuts, &state);
        AG_ASSERT(redactor_feed(r, span_sub(text, at, len)) == AG_OK);
        AG_ASSERT(rule_filter_settle(f) == AG_OK);
        AG_ASSERT(rule_filter_held_bytes(f) <= RULE_FILTER_HELD_MAX_BYTES);
    }
    AG_ASSERT(redactor_finish(r) == AG_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(buf) struct buf whole = {0};
    AG_AUTO(buf) struct buf parts = {0};
    AG_AUTO(matcher) struct matcher *known = NULL;
    size_t count = size < 2 ? 0 : data[1] % VALUES_MAX;
    bool task = size >= 2 && (data[1] & FOR_TASK) != 0;
    struct span text;

    if (size < 3 + 2 * count) {
        return 0;
    }
    buf_init(&whole, 64 * size + 4096, BUF_PLAIN);
    buf_init(&parts, 64 * size + 4096, BUF_PLAIN);
    text = span_of(data + 2 + 2 * count, size - 2 - 2 * count);
    known = known_values(data + 2, count, text);
    filter(known, task, text, -1, &whole);
    filter(known, task, text, data[0], &parts);
    AG_ASSERT(span_equal(buf_view(&whole), buf_view(&parts)));
    return 0;
}
