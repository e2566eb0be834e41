/* A file of compiled rules: taken apart, or refused; databases are not run. */
#include <string.h>

#include "redact/rule_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(rule_pack) struct rule_pack *pack = NULL;
    struct rule_pack_parts parts;
    bool has_gate = false;

    if (rule_pack_read(span_of(data, size), &pack) != AG_OK) {
        return 0;
    }
    parts = rule_pack_parts(pack);
    AG_ASSERT(parts.count > 0 && parts.database.len < size);
    /* The last that is there, one behind the other. */
    AG_ASSERT(parts.gated.ptr + parts.gated.len == data + size);
    AG_ASSERT(parts.database.ptr + parts.database.len + 4 == parts.gated.ptr);
    for (size_t i = 0; i < parts.count; i++) {
        const struct rule *r = &parts.rules[i];

        AG_ASSERT(strlen(r->id) <= RULE_ID_MAX_BYTES && r->keyword_count > 0);
        AG_ASSERT(r->gate < RULE_GATE_COUNT);
        has_gate = has_gate || r->gate != RULE_GATE_NONE;
        AG_ASSERT(r->window > 0 && r->window <= RULE_WINDOW_MAX_BYTES);
        for (size_t j = 0; j < r->keyword_count; j++) {
            AG_ASSERT(r->keywords[j].len >= RULE_KEYWORD_MIN_BYTES);
        }
    }
    AG_ASSERT(has_gate == (parts.gated.len > 0));
    return 0;
}
