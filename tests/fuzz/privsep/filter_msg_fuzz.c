/* The words of broker and filter: whatever is read can be written again. */
#include <stdlib.h>

#include "privsep/filter_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_records(struct span body)
{
    struct fmsg_record record;
    uint8_t head[FMSG_LOAD_HEAD_BYTES];

    while (body.len > 0) {
        struct span rest = body;
        size_t len;

        if (fmsg_get_record(&rest, &record) != AG_OK) {
            return;
        }
        len = fmsg_put_record(&record, head);
        if (body.len - rest.len != len + record.name.len + record.part.len ||
            !span_equal(span_sub(body, 0, len), span_of(head, len))) {
            abort();
        }
        body = rest;
    }
}

static void
fuzz_stream(struct span body)
{
    struct fmsg_stream stream = {.id = 0};
    struct buf out;

    buf_init(&out, 4096, BUF_PLAIN);
    if (fmsg_get_stream(body, &stream) == AG_OK &&
        (fmsg_put_stream(&out, &stream) != AG_OK ||
         !span_equal(buf_view(&out), body))) {
        abort();
    }
    buf_done(&out);
}

static void
fuzz_end(struct span body)
{
    static struct fmsg_end end;
    struct buf out;

    buf_init(&out, 64 * 1024, BUF_PLAIN);
    if (fmsg_get_end(body, &end) == AG_OK &&
        (fmsg_put_end(&out, &end) != AG_OK ||
         !span_equal(buf_view(&out), body))) {
        abort();
    }
    buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t numbers[5];
    struct span body = span_of(data, size);
    enum ag_err ignored = fmsg_get_numbers(body, numbers, 5);

    (void)ignored;
    fuzz_records(body);
    fuzz_stream(body);
    fuzz_end(body);
    return 0;
}
