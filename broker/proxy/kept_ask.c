#include "proxy/kept_ask.h"

void
kept_ask_init(struct kept_ask *kept, const struct permit_ask *ask)
{
    const struct request_ask *from = &ask->request;
    size_t count = 0;

    AG_ASSERT(from->field_count <= PROXY_FIELDS_MAX_COUNT);
    for (size_t i = 0; i < from->field_count; i++) {
        if (!request_is_own_token(&from->fields[i])) {
            kept->fields[count++] = from->fields[i];
        }
    }
    kept->ask = *ask;
    kept->ask.request.fields = kept->fields;
    kept->ask.request.field_count = count;
}
