/* .env files: no input crashes; names are names, values hold no NUL, and what
 * was read, written out in single quotes, reads the same. */
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "run/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rewritten {
    struct buf text;
    struct buf flat;
    bool quotes; /* a value can't be written in single quotes */
};

static enum ag_err
each(void *arg, struct span name, struct span value)
{
    struct rewritten *r = arg;
    enum ag_err err;

    AG_ASSERT(parse_env_name(name) == AG_OK);
    AG_ASSERT(value.len == 0 || memchr(value.ptr, 0, value.len) == NULL);
    r->quotes = r->quotes || span_find(value, '\'') < value.len;
    err = buf_fmt(&r->text, "%.*s='%.*s'\n", (int)name.len,
                  (const char *)name.ptr, (int)value.len,
                  (const char *)value.ptr);
    if (err == AG_OK) {
        err = buf_add(&r->flat, name);
    }
    if (err == AG_OK) {
        err = buf_add_byte(&r->flat, 0);
    }
    if (err == AG_OK) {
        err = buf_add(&r->flat, value);
    }
    return err == AG_OK ? buf_add_byte(&r->flat, 0) : err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rewritten one = {.quotes = false};
    struct rewritten two = {.quotes = false};

    buf_init(&one.text, 1 << 20, BUF_PLAIN);
    buf_init(&one.flat, 1 << 20, BUF_PLAIN);
    buf_init(&two.text, 1 << 20, BUF_PLAIN);
    buf_init(&two.flat, 1 << 20, BUF_PLAIN);
    if (dotenv_parse(span_of(data, size), each, &one) == AG_OK && !one.quotes) {
        AG_ASSERT(dotenv_parse(buf_view(&one.text), each, &two) == AG_OK);
        AG_ASSERT(span_equal(buf_view(&one.flat), buf_view(&two.flat)));
    }
    buf_done(&one.text);
    buf_done(&one.flat);
    buf_done(&two.text);
    buf_done(&two.flat);
    return 0;
}
