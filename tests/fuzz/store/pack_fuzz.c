/* The texts of a row: any bytes are taken apart within their bounds, and what
 * was taken apart is put together again to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "store/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_together(const char *text, struct span bytes, const char *json,
             struct span want)
{
    AG_AUTO(buf) struct buf out;
    struct pack p = {.out = &out};

    buf_init(&out, BODY_MAX_BYTES, BUF_PLAIN);
    pack_text(&p, text, BODY_MAX_BYTES);
    pack_bytes(&p, bytes, BODY_MAX_BYTES);
    pack_text(&p, json, BODY_MAX_BYTES);
    if (p.err == AG_OK && !span_equal(buf_view(&out), want)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct unpack u = {.rest = body};
    char text[64] = "";
    char *json = NULL;
    struct span bytes;
    enum ag_err err;

    unpack_text(&u, text, sizeof(text));
    bytes = unpack_bytes(&u);
    unpack_new(&u, &json);
    err = unpack_end(&u);
    /* A NUL within a text ends it: packing again can't give it back. */
    if (err == AG_OK && json != NULL && size <= BODY_MAX_BYTES &&
        8 + strlen(text) + bytes.len + strlen(json) + 4 == size) {
        put_together(text, bytes, json, body);
    }
    text_free(json);
    return 0;
}
