/* A file of compiled rules: taken apart, or refused; its database is not run. */
#include <string.h>

#include "redact/rule_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(rule_pack) struct rule_pack *pack = NULL;
    struct rule_pack_parts parts;

    if (rule_pack_read(span_of(data, size), &pack) != AG_OK) {
        return 0;
    }
    parts = rule_pack_parts(pack);
    AG_ASSERT(parts.count > 0 && parts.database.len < size);
    for (size_t i = 0; i < parts.count; i++) {
        const struct rule *r = &parts.rules[i];

        AG_ASSERT(strlen(r->id) <= RULE_ID_MAX_BYTES && r->keyword_count > 0);
        AG_ASSERT(r->window > 0 && r->window <= RULE_WINDOW_MAX_BYTES);
        for (size_t j = 0; j < r->keyword_count; j++) {
            AG_ASSERT(r->keywords[j].len >= RULE_KEYWORD_MIN_BYTES);
        }
    }
    return 0;
}
