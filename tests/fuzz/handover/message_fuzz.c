/* Requests on fd.sock: any bytes, with any number of descriptors, give one
 * whole message or a refusal with a sentence. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "handover/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct message m;
    size_t fd_count = len > 0 ? data[0] % 4 : 0;
    struct span text = span_sub(span_of(data, len), 1, len);
    enum ag_err err = message_decode(text, fd_count, &m);

    if (err == AG_OK) {
        if (m.op < 0 || m.op >= MESSAGE_OP_COUNT ||
            (m.op == MESSAGE_END) != (m.ticket == NULL) || m.exit_code > 255 ||
            (m.ticket != NULL && strlen(m.ticket) > MESSAGE_TICKET_MAX_BYTES)) {
            abort();
        }
        message_done(&m);
    } else {
        AG_AUTO(buf) struct buf out = {0};

        buf_init(&out, MESSAGE_MAX_BYTES, BUF_PLAIN);
        if (message_put_refusal(&out, err) != AG_OK) {
            abort();
        }
    }
    return 0;
}
