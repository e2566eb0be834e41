/* Greetings of TLS clients: any bytes give the same answer in whatever cuts they
 * come, and a name is one that a host may have. */
#include <string.h>

#include "proxy/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t scratch[HELLO_MAX_BYTES];

/* As a connection would read it: ever more of it, until it is decided. */
static enum hello_result
read_in_parts(const uint8_t *data, size_t size, size_t step, struct hello *ret)
{
    enum hello_result result = HELLO_MORE;

    for (size_t at = 0; at < size && result == HELLO_MORE;) {
        at = size - at < step ? size : at + step;
        result = hello_read(span_of(data, at), scratch, ret);
    }
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hello whole = {0};
    struct hello parts = {0};
    struct guard_host host = {0};
    enum hello_result result = HELLO_MORE;
    enum hello_result other = HELLO_MORE;

    size = size < HELLO_RECORDS_MAX_BYTES ? size : HELLO_RECORDS_MAX_BYTES;
    result = hello_read(span_of(data, size), scratch, &whole);
    other = read_in_parts(data, size, size / 7 + 1, &parts);
    AG_ASSERT(result == other);
    AG_ASSERT(size == 0 || (data[0] == 22) == (result != HELLO_NOT_TLS));
    if (result != HELLO_WHOLE) {
        return 0;
    }
    AG_ASSERT(whole.has_name == parts.has_name &&
              whole.encrypted == parts.encrypted);
    if (whole.has_name) {
        AG_ASSERT(guard_read_host(span_str(whole.name.text), &host) == AG_OK);
        AG_ASSERT(!host.is_address && hello_is_for(&whole, &host));
        AG_ASSERT(strcmp(parts.name.text, whole.name.text) == 0);
    }
    return 0;
}
