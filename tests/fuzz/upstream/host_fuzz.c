/* Hosts: what is read is read again as the same, and what the system's own
 * parser of odd spellings takes for an address is one here or refused. */
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "upstream/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_host host;
    struct guard_host again;
    struct in_addr odd;

    if (guard_read_host(span_of(data, size), &host) != AG_OK) {
        return 0;
    }
    AG_ASSERT(strlen(host.text) > 0 &&
              strlen(host.text) <= GUARD_HOST_MAX_BYTES + 2);
    AG_ASSERT(guard_read_host(span_str(host.text), &again) == AG_OK);
    AG_ASSERT(strcmp(host.text, again.text) == 0);
    AG_ASSERT(host.is_address == again.is_address && host.rule == again.rule);
    if (inet_aton(host.text, &odd) != 0) {
        AG_ASSERT(host.is_address);
    }
    return 0;
}
