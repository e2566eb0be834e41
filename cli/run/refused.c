#include "run/refused.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum {
    LINE_MAX_BYTES = 4096, /* some hosts of 255 bytes */
    PART_BYTES = 320,
};

/* A name or an address with a port, as the broker read it: nothing that would
 * act on a terminal. */
static bool
is_host(const char *text)
{
    return text[0] != '\0' && strlen(text) < PART_BYTES - 32 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-._:[]") ==
               strlen(text);
}

static enum ag_err
add_one(struct buf *line, const json_t *item)
{
    const char *host = out_member(item, "host");
    json_int_t count = json_integer_value(json_object_get(item, "count"));
    char part[PART_BYTES];

    if (!is_host(host) || count <= 0) {
        return AG_OK;
    }
    (void)snprintf(part, sizeof(part), "%s%s (%lld %s)",
                   line->len > 0 ? ", " : "", host, (long long)count,
                   count == 1 ? "time" : "times");
    return buf_add(line, span_str(part));
}

void
refused_tell(const struct out *out, const json_t *receipt)
{
    AG_AUTO(buf) struct buf line = {0};
    json_int_t more =
        json_integer_value(json_object_get(receipt, "refused_more"));
    char part[PART_BYTES];
    const json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
    json_array_foreach(json_object_get(receipt, "refused"), i, item)
    {
        err = err == AG_OK ? add_one(&line, item) : err;
    }
    if (err == AG_OK && more > 0) {
        (void)snprintf(part, sizeof(part), ", others (%lld %s)",
                       (long long)more, more == 1 ? "time" : "times");
        err = buf_add(&line, span_str(part));
    }
    if (err == AG_OK && line.len > 0 && buf_cstr(&line) != NULL) {
        out_warn(out, "refused: %s; allow with --allow HOST", buf_cstr(&line));
    }
}
