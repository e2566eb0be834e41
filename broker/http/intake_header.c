#include "http/intake_header.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/intake_proxy.h"

enum known_header {
    HEADER_HOST,
    HEADER_LENGTH,
    HEADER_ENCODING,
    HEADER_EXPECT,
    HEADER_AUTHORIZATION,
    HEADER_TOKEN,
    HEADER_TYPE,
    HEADER_CODING,
    HEADER_OTHER, /* may come twice, and is not looked at */
};

enum {
    LENGTH_MAX_DIGITS = 15, /* far above any limit, far below an overflow */
};

static const char *const KNOWN[HEADER_OTHER] = {
    [HEADER_HOST] = "host",
    [HEADER_LENGTH] = "content-length",
    [HEADER_ENCODING] = "transfer-encoding",
    [HEADER_EXPECT] = "expect",
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_TOKEN] = "x-vault-token",
    [HEADER_TYPE] = "content-type",
    [HEADER_CODING] = "content-encoding",
};

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EHTTP, "malformed request: %s", what);
}

enum ag_err
intake_header_named(struct intake *in)
{
    unsigned int header = 0;

    in->text[in->part_bytes] = '\0';
    while (header < HEADER_OTHER && strcasecmp(in->text, KNOWN[header]) != 0) {
        header++;
    }
    in->header = header;
    if (header == HEADER_OTHER) {
        return AG_OK;
    }
    if ((in->seen & 1U << header) != 0) {
        return err_why(AG_EHTTP, "malformed request: %s comes twice",
                       KNOWN[header]);
    }
    in->seen |= 1U << header;
    return AG_OK;
}

/* 1*DIGIT without a leading zero, within the limit. */
static enum ag_err
settle_length(struct intake *in)
{
    uint64_t value = 0;

    if (in->part_bytes == 0 || in->part_bytes > LENGTH_MAX_DIGITS ||
        (in->text[0] == '0' && in->part_bytes > 1)) {
        return malformed("Content-Length must be one plain number");
    }
    for (size_t i = 0; i < in->part_bytes; i++) {
        if (in->text[i] < '0' || in->text[i] > '9') {
            return malformed("Content-Length must be one plain number");
        }
        value = value * 10 + (uint64_t)(in->text[i] - '0');
    }
    if (value > HTTP_BODY_MAX_BYTES && !in->passes) {
        return err_why(AG_ELIMIT, "the body is larger than %d bytes",
                       HTTP_BODY_MAX_BYTES);
    }
    in->body_bytes = value;
    return AG_OK;
}

static bool
is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

static bool
is_host_text(const struct intake *in)
{
    for (size_t i = 0; i < in->part_bytes; i++) {
        uint8_t c = (uint8_t)in->text[i];

        /* No value has a NUL, which strchr() would find. */
        if (!is_alnum(c) && strchr("-._:[]", c) == NULL) {
            return false;
        }
    }
    return in->part_bytes > 0;
}

/* On TCP only our own names, so that a web page whose name was bound to
 * 127.0.0.1 gets nothing (DNS rebinding). */
static enum ag_err
settle_host(struct intake *in)
{
    static const char *const NAMES[] = {"127.0.0.1", "localhost"};
    unsigned int port = in->port;

    in->text[in->part_bytes] = '\0';
    if (!is_host_text(in)) {
        return malformed("Host is not a name and port");
    }
    if (in->form != INTAKE_ORIGIN) {
        return intake_settle_authority(in);
    }
    if (port == 0) {
        return AG_OK;
    }
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        char wanted[24]; /* the longer name, ':', five digits, NUL */

        (void)snprintf(wanted, sizeof(wanted), "%s:%u", NAMES[i], port);
        if (strcasecmp(in->text, wanted) == 0) {
            return AG_OK;
        }
    }
    return err_why(AG_EDENIED, "Host must be 127.0.0.1:%u or localhost:%u",
                   port, port);
}

static enum ag_err
settle_expect(struct intake *in)
{
    in->text[in->part_bytes] = '\0';
    return strcasecmp(in->text, "100-continue") == 0
               ? AG_OK
               : malformed("Expect may only be 100-continue");
}

enum ag_err
intake_header_ended(struct intake *in)
{
    /* Of a length a blank is no part that MHD would leave out. */
    while (in->part_bytes > 0 && intake_header_is_kept(in) &&
           in->header != HEADER_LENGTH &&
           (in->text[in->part_bytes - 1] == ' ' ||
            in->text[in->part_bytes - 1] == '\t')) {
        in->part_bytes--;
    }
    switch ((enum known_header)in->header) {
    case HEADER_HOST:
        return settle_host(in);
    case HEADER_LENGTH:
        return settle_length(in);
    case HEADER_EXPECT:
        return settle_expect(in);
    case HEADER_ENCODING:
        in->text[in->part_bytes] = '\0';
        /* Its text is gathered only there: a second belt. */
        if (in->passes && strcasecmp(in->text, "chunked") == 0) {
            in->chunked = true;
            return AG_OK;
        }
        return err_why(AG_ELENGTH, "Transfer-Encoding is not taken; "
                                   "send the body with Content-Length");
    case HEADER_CODING:
        return in->passes ? AG_OK /* the service reads it, not we */
                          : err_why(AG_EMEDIA, "Content-Encoding is not taken; "
                                               "send the body as it is");
    case HEADER_AUTHORIZATION:
    case HEADER_TOKEN:
    case HEADER_TYPE:
    case HEADER_OTHER:
        return AG_OK;
    }
    return AG_OK;
}

bool
intake_header_is_kept(const struct intake *in)
{
    return in->header == HEADER_HOST || in->header == HEADER_LENGTH ||
           in->header == HEADER_EXPECT ||
           (in->header == HEADER_ENCODING && in->passes);
}

enum ag_err
intake_head_ended(struct intake *in, bool may_have_body)
{
    unsigned int both = 1U << HEADER_AUTHORIZATION | 1U << HEADER_TOKEN;

    if ((in->seen & 1U << HEADER_HOST) == 0) {
        return malformed("Host is missing");
    }
    if ((in->seen & both) == both) {
        return malformed("both Authorization and X-Vault-Token");
    }
    if (in->chunked && (in->seen & 1U << HEADER_LENGTH) != 0) {
        return malformed("both Content-Length and Transfer-Encoding");
    }
    if ((in->body_bytes > 0 || in->chunked) && !may_have_body) {
        return malformed("a body where the method has none");
    }
    in->body_left = in->body_bytes;
    return AG_OK;
}
