/* Paths: matched and decoded against the real patterns; what is decoded is
 * canonical, so that encoding it again gives the same path. */
#include <stdio.h>
#include <string.h>

#include "http/route.h"
#include "http/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL;
}

/* A parameter as it must have stood in the path. */
static size_t
encode(const char *text, char *out)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (is_unreserved(*text)) {
            out[n++] = *text;
        } else {
            n += (size_t)snprintf(out + n, 4, "%%%02X", (unsigned char)*text);
        }
    }
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const METHODS[] = {"GET", "PUT", "POST", "DELETE",
                                          "PATCH"};
    static struct request rq;
    char again[3 * REQUEST_PARAM_BYTES];
    struct span path;

    if (size < 1) {
        return 0;
    }
    path = span_of(data + 1, size - 1);
    memset(&rq, 0, sizeof(rq));
    if (route_find(&ROUTES, METHODS[data[0] % AG_COUNT(METHODS)], path, &rq) ==
            AG_OK &&
        rq.param[0][0] != '\0') {
        size_t len = encode(rq.param[0], again);

        AG_ASSERT(memmem(path.ptr, path.len, again, len) != NULL);
    }
    return 0;
}
