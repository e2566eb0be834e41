#include "http/intake_proxy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char SCHEME[] = "http://";

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EHTTP, "malformed request: %s", what);
}

void
intake_init_proxy(struct intake *in, const char *authority)
{
    intake_init(in, 0);
    in->form = authority == NULL ? INTAKE_ABSOLUTE : INTAKE_FOR_ONE;
    if (authority != NULL) {
        (void)snprintf(in->authority, sizeof(in->authority), "%s", authority);
    }
}

enum ag_err
intake_scheme_byte(struct intake *in, uint8_t c)
{
    if (c != (uint8_t)SCHEME[in->part_bytes]) {
        return malformed("a proxy's target must be http://HOST[:PORT]/…, or "
                         "come by CONNECT");
    }
    if (++in->part_bytes == sizeof(SCHEME) - 1) {
        in->state = INTAKE_AUTHORITY;
        in->part_bytes = 0;
        in->authority[0] = '\0';
    }
    return AG_OK;
}

/* What may stand there at all; whether it is a host is looked at later. */
static bool
is_authority(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("-._:[]", c) != NULL);
}

enum ag_err
intake_authority_byte(struct intake *in, uint8_t c)
{
    if (!is_authority(c)) {
        return malformed("a byte in the target's host that none has");
    }
    if (in->part_bytes == HTTP_HOST_MAX_BYTES) {
        return malformed("the target's host is too long");
    }
    in->authority[in->part_bytes++] = (char)c;
    in->authority[in->part_bytes] = '\0';
    return AG_OK;
}

/* Without the port that is usual for the connection. What is shorter than one
 * has none, and memory before it is not to be read: no test can tell. */
static size_t
len_without_port(const struct intake *in, const char *text)
{
    const char *usual = in->form == INTAKE_ABSOLUTE ? ":80" : ":443";
    size_t len = strlen(text);
    size_t tail = strlen(usual);

    return len > tail && strcmp(text + len - tail, usual) == 0 ? len - tail
                                                               : len;
}

enum ag_err
intake_settle_authority(struct intake *in)
{
    size_t len = len_without_port(in, in->text);

    if (len != len_without_port(in, in->authority) ||
        strncasecmp(in->text, in->authority, len) != 0) {
        return malformed("Host is not the target's");
    }
    return AG_OK;
}
