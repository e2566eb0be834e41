/*
 * Sets of fingerprints: any bytes as a file; and, behind a checksum made right,
 * a set whose rows say anything, used on a text. Bytes: length of the file
 * u16le | file without its sum | text.
 */
#include <stdlib.h>

#include <sodium.h>

#include "base/buf.h"
#include "redact/prints.h"
#include "redact/prints_filter.h"

enum {
    SUM_BYTES = 32,
    OUT_MAX_BYTES = 64 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
use(const struct prints *set, struct span text)
{
    const struct redactor_options options = {.audience = REDACTOR_OPERATOR};
    struct buf out;
    const struct sink next = {.ctx = &out, .feed = take};
    AG_AUTO(prints_filter) struct prints_filter *filter = NULL;

    buf_init(&out, OUT_MAX_BYTES, BUF_PLAIN);
    if (prints_filter_new(set, &options, &next, &filter) != AG_OK) {
        abort();
    }
    while (text.len > 0) {
        size_t len = text.ptr[0] % 64 + 1U;

        if (prints_filter_feed(filter, span_sub(text, 0, len)) != AG_OK) {
            abort();
        }
        text = span_sub(text, len, text.len);
    }
    if (prints_filter_finish(filter) != AG_OK) {
        abort();
    }
    buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(prints) struct prints *set = NULL;
    struct span in = span_of(data, size);
    size_t len = size < 2 ? 0 : (size_t)(data[0] | data[1] << 8);
    struct span body = span_sub(in, 2, len);
    AG_AUTO(buf) struct buf file = {0};
    uint8_t sum[SUM_BYTES];

    if (prints_load(in, &set) == AG_OK || body.len == 0) {
        return 0; /* a checksum by chance is none */
    }
    buf_init(&file, UINT16_MAX + SUM_BYTES, BUF_PLAIN);
    (void)crypto_generichash(sum, sizeof(sum), body.ptr, body.len, NULL, 0);
    if (buf_add(&file, body) != AG_OK ||
        buf_add(&file, span_of(sum, sizeof(sum))) != AG_OK) {
        abort();
    }
    if (prints_load(buf_view(&file), &set) == AG_OK) {
        use(set, span_sub(in, 2 + body.len, in.len));
    }
    return 0;
}
