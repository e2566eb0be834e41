/* Heads of CONNECT: any bytes end in an error, in "more", or in a host and port
 * that are read again as the same; more bytes never change what was decided. */
#include <string.h>

#include "proxy/connect_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connect_head head = {0};
    struct connect_head again = {0};
    struct guard_host host = {0};
    size_t len = 0;
    size_t cut_len = 0;
    enum ag_err err = connect_head_read(span_of(data, size), &head, &len);

    AG_ASSERT(err == AG_OK || err == AG_EHTTP || err == AG_EHEAD ||
              err == AG_EADDRESS);
    if (err != AG_OK || len == 0) {
        AG_ASSERT(len == 0);
        return 0;
    }
    AG_ASSERT(len <= size && len <= CONNECT_HEAD_MAX_BYTES && head.port != 0);
    AG_ASSERT(connect_head_begins(span_of(data, len)));
    AG_ASSERT(guard_read_host(span_str(head.host.text), &host) == AG_OK);
    AG_ASSERT(strcmp(host.text, head.host.text) == 0);
    AG_ASSERT(connect_head_read(span_of(data, len - 1), &again, &cut_len) ==
                  AG_OK &&
              cut_len == 0);
    AG_ASSERT(connect_head_read(span_of(data, len), &again, &cut_len) ==
                  AG_OK &&
              cut_len == len && again.port == head.port);
    return 0;
}
