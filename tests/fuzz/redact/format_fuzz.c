/*
 * Formats with values and the shipped rules on any text: the first byte says
 * the format, the second how long the parts are. The output is that of one
 * part, records stay records, and no value is left in a string of one.
 *
 * In the text a byte 0xff stands for a piece of a value or of a transcript,
 * chosen by the next one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "redact/format.h"
#include "redact/json_scan.h"
#include "redact/json_text.h"
#include "redact/matcher.h"
#include "redact/rule_set.h"

enum {
    TEXT_MAX_BYTES = 64 * 1024,
    OUT_MAX_BYTES = 16 * 1024 * 1024,
};

#define VALUE "q7RtWz90\"LmX\\cAb12"

static const char *const PIECES[] = {
    VALUE,
    "q7RtWz90\\\"LmX\\\\cAb12",
    "q7RtWz90",
    "\\\"LmX\\\\cAb12",
    "{\"type\":\"d\",\"item_id\":\"1\",\"delta\":\"",
    "{\"type\":\"d\",\"item_id\":\"2\",\"delta\":\"",
    "\"}\n",
    "{\"id\":\"",
    "{\"password\":\"",
    "event: x\ndata: {\"delta\":{\"text\":\"",
    "\"}}\n\n",
    "data: ",
    "\\u0071",
    "{\"o\":\"{\\\"a\\\":\\\"",
    "\\\"}\"}\n",
    "ghp_",
    "xS3kP0nY7aQ2wE9rT5uI8oL1mN4bV6cZ0dFg",
    "+",
    "> ",
    "\r\n",
};

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rule_set *rules;
static struct matcher *set;

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    const struct rule_source source = {.dir = AG_BINARY_DIR "/rules",
                                       .level = RULES_ALL};
    const struct matcher_value value = {
        .id = 1, .name = span_str("v"), .value = span_str(VALUE)};

    (void)argc;
    (void)argv;
    AG_ASSERT(rule_set_load(&source, &rules) == AG_OK);
    AG_ASSERT(matcher_build(&value, 1, &set) == AG_OK);
    return 0;
}

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
filter(enum format format, struct span text, size_t part, struct buf *out)
{
    const struct scrub_terms terms = {
        .is_known = true, .rules = {.set = rules, .level = RULES_ALL}};
    const struct sink next = {.ctx = out, .feed = gather};
    AG_AUTO(format_filter) struct format_filter *f = NULL;

    AG_ASSERT(format_new(format, &terms, &next, &f) == AG_OK);
    AG_ASSERT(format_use(f, set) == AG_OK);
    for (size_t at = 0; at < text.len; at += part) {
        AG_ASSERT(format_feed(f, span_sub(text, at, part)) == AG_OK);
        AG_ASSERT(format_settle(f) == AG_OK);
    }
    AG_ASSERT(format_finish(f) == AG_OK);
}

/* No string of a record holds the value. */
static void
check_strings(struct span record)
{
    struct json_scan scan;
    struct json_token token;
    AG_AUTO(buf) struct buf text = {0};

    buf_init(&text, OUT_MAX_BYTES, BUF_PLAIN);
    json_scan_init(&scan, record);
    while (json_scan_next(&scan, &token) < JSON_END) {
        if (token.kind == JSON_STRING || token.kind == JSON_KEY) {
            buf_clear(&text);
            AG_ASSERT(json_text_decode(token.raw, &text) == AG_OK);
            AG_ASSERT(text.len < strlen(VALUE) ||
                      memmem(text.ptr, text.len, VALUE, strlen(VALUE)) == NULL);
        }
    }
}

static struct span
take_line(struct span *text)
{
    size_t len = span_find(*text, '\n');
    struct span line = span_sub(*text, 0, len);

    *text = span_sub(*text, len + 1, text->len);
    return line;
}

/* What was JSON is, line by line, if all of it was. */
static void
check_lines(struct span in, struct span out)
{
    struct span rest = in;

    while (rest.len > 0) {
        if (!json_scan_is_json(take_line(&rest))) {
            return;
        }
    }
    while (in.len > 0) {
        struct span line = take_line(&out);

        (void)take_line(&in);
        AG_ASSERT(json_scan_is_json(line));
        check_strings(line);
    }
    AG_ASSERT(out.len == 0);
}

static void
make_text(const uint8_t *data, size_t size, struct buf *text)
{
    for (size_t i = 0; i < size && text->len < TEXT_MAX_BYTES - 256; i++) {
        if (data[i] == 0xff && i + 1 < size) {
            AG_ASSERT(buf_add_str(text, PIECES[data[++i] % AG_COUNT(PIECES)]) ==
                      AG_OK);
        } else {
            AG_ASSERT(buf_add_byte(text, data[i]) == AG_OK);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf whole = {0};
    AG_AUTO(buf) struct buf parts = {0};
    enum format format;

    if (size < 3) {
        return 0;
    }
    format = (enum format)(STREAM_TEXT + 1 + data[0] % (STREAM_COUNT - 1));
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&whole, OUT_MAX_BYTES, BUF_PLAIN);
    buf_init(&parts, OUT_MAX_BYTES, BUF_PLAIN);
    make_text(data + 2, size - 2, &text);
    if (text.len == 0) {
        return 0;
    }
    filter(format, buf_view(&text), text.len, &whole);
    filter(format, buf_view(&text), 1U + data[1] % 64U, &parts);
    AG_ASSERT(span_equal(buf_view(&whole), buf_view(&parts)));
    if (format == STREAM_JSONL) {
        check_lines(buf_view(&text), buf_view(&whole));
    }
    return 0;
}
