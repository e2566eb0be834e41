#include "run/ports.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "base/parse.h"

enum {
    PORT_TEXT_BYTES = 16,
    NAME_BYTES = 16,
};

enum ag_err
ports_read(const struct paths *paths, const char *name, uint16_t *ret)
{
    AG_AUTO(buf) struct buf text = {0};
    char path[PATH_BYTES + NAME_BYTES];
    uint64_t port = 0;
    enum ag_err err;

    buf_init(&text, PORT_TEXT_BYTES, BUF_PLAIN);
    (void)snprintf(path, sizeof(path), "%s/%s", paths->run, name);
    err = fs_read(AT_FDCWD, path, PORT_TEXT_BYTES, &text);
    if (err == AG_OK) {
        err = parse_u64(
            span_sub(buf_view(&text), 0, span_find(buf_view(&text), '\n')),
            UINT16_MAX, &port);
    }
    if (err != AG_OK || port == 0) {
        return err_why(AG_EUNSUPPORTED,
                       "the proxy needs the broker on 127.0.0.1; see "
                       "connections_tcp in settings.ini");
    }
    *ret = (uint16_t)port;
    return AG_OK;
}
