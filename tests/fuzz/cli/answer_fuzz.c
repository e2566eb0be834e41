/* The broker's HTTP answers and the JSON of a value: no input crashes, nothing
 * is believed that was not there. */
#include <string.h>

#include "answer.h"
#include "base/secret.h"
#include "base/span.h"
#include "scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    BODY_MAX = 1000
};

static void
head(struct span text)
{
    struct answer_head head;
    size_t len = answer_head_len(text);

    AG_ASSERT(len <= text.len);
    if (len == 0 ||
        answer_parse(span_sub(text, 0, len), BODY_MAX, &head) != AG_OK) {
        return;
    }
    AG_ASSERT(head.status >= 200 && head.status <= 599);
    AG_ASSERT(head.body_len <= BODY_MAX);
}

static void
value(struct span text)
{
    struct span raw = {0};
    uint8_t out[4096];
    size_t len = 0;

    if (scan_member(text, "value", &raw) != AG_OK || raw.len > sizeof(out)) {
        return;
    }
    AG_ASSERT(raw.ptr >= text.ptr && raw.ptr + raw.len <= text.ptr + text.len);
    AG_ASSERT(raw.len >= 2 && raw.ptr[0] == '"');
    if (scan_string(raw, out, &len) == AG_OK) {
        AG_ASSERT(len <= raw.len - 2);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    head(span_of(data, size));
    value(span_of(data, size));
    return 0;
}
