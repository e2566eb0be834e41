/* The strict machine: the first byte seeds how the rest is cut; cut or whole it
 * ends in the same place, and what it lets through has no NUL, no bare LF and
 * no control byte in a head. */
#include <string.h>

#include "http/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum ag_err
feed_whole(struct intake *in, struct span bytes, size_t *ret_whole)
{
    size_t ended = 0;

    return intake_feed(in, bytes, ret_whole, &ended);
}

static enum ag_err
feed_cut(struct intake *in, struct span bytes, unsigned int seed,
         size_t *ret_whole)
{
    enum ag_err err = AG_OK;
    size_t at = 0;

    *ret_whole = 0;
    while (at < bytes.len && err == AG_OK) {
        size_t whole = 0;
        size_t ended = 0;
        struct span part = span_sub(bytes, at, 1 + seed % 17);

        seed = seed * 1103515245U + 12345U;
        err = intake_feed(in, part, &whole, &ended);
        if (whole > 0) {
            *ret_whole = at + whole;
        }
        at += part.len;
    }
    return err;
}

/* Every kind of connection. */
static void
begin(struct intake *in, uint8_t kind)
{
    switch (kind % 4) {
    case 0:
        intake_init(in, 4711);
        return;
    case 1:
        intake_init(in, 0);
        return;
    case 2:
        intake_init_proxy(in, NULL);
        return;
    default:
        intake_init_proxy(in, "example.org:8443");
        return;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intake one;
    struct intake two;
    struct span bytes;
    size_t whole_one = 0;
    size_t whole_two = 0;
    enum ag_err err;

    if (size < 2) {
        return 0;
    }
    bytes = span_of(data + 1, size - 1);
    begin(&one, data[0]);
    begin(&two, data[0]);
    one.may_pass = one.may_pass || data[0] % 2 == 0;
    two.may_pass = one.may_pass;
    err = feed_whole(&one, bytes, &whole_one);
    AG_ASSERT(feed_cut(&two, bytes, data[0], &whole_two) == err);
    AG_ASSERT(whole_one == whole_two && one.state == two.state);
    AG_ASSERT(whole_one <= bytes.len);
    if (err == AG_OK && one.state < INTAKE_BODY && whole_one == 0) {
        AG_ASSERT(bytes.len == 0 || memchr(bytes.ptr, '\0', bytes.len) == NULL);
        AG_ASSERT(bytes.ptr[0] != '\n');
    }
    return 0;
}
