#include "policy/allow.h"

#include <string.h>

enum {
    PORT_HTTPS = 443,
    PORT_HTTP = 80,
};

static const char INNER[] = ",inner";
static const char BELOW[] = "*.";

/* Cuts `tail` off the end. */
static bool
cut_tail(struct span *text, const char *tail)
{
    size_t len = strlen(tail);

    if (text->len <= len ||
        !span_is(span_sub(*text, text->len - len, len), tail)) {
        return false;
    }
    text->len -= len;
    return true;
}

static enum ag_err
refused(struct span text, const char *why)
{
    return err_why(AG_EINVAL,
                   "allow: '%.*s': %s; write HOST[:PORT], *.HOST[:PORT] or "
                   "HOST:PORT,inner",
                   (int)(text.len < 80 ? text.len : 80), (const char *)text.ptr,
                   why);
}

/* A wildcard is for names below a name of two labels or more. */
static bool
is_fit_for_below(const struct guard_host *host)
{
    return !host->is_address && strchr(host->text, '.') != NULL;
}

enum ag_err
allow_read(struct span text, struct allow *ret)
{
    struct allow read = {0};
    struct span rest = text;

    read.inner = cut_tail(&rest, INNER);
    if (span_starts(rest, span_str(BELOW))) {
        read.below = true;
        rest = span_sub(rest, strlen(BELOW), rest.len);
    }
    if (guard_read_authority(rest, &read.host, &read.port) != AG_OK) {
        return refused(text, "no such host or port");
    }
    if (read.below && !is_fit_for_below(&read.host)) {
        return refused(text, "too wide");
    }
    if (read.inner && (read.below || read.port == 0)) {
        return refused(text, "what is inside needs its host and port said");
    }
    *ret = read;
    return AG_OK;
}

static bool
is_below(const char *host, const char *parent)
{
    size_t host_len = strlen(host);
    size_t len = strlen(parent);

    return host_len > len + 1 && host[host_len - len - 1] == '.' &&
           strcmp(host + host_len - len, parent) == 0;
}

bool
allow_covers(const struct allow *allow, const struct guard_host *host,
             uint16_t port)
{
    bool same = allow->below ? !host->is_address &&
                                   is_below(host->text, allow->host.text)
                             : strcmp(host->text, allow->host.text) == 0;

    return same && (allow->port == 0 ? port == PORT_HTTPS || port == PORT_HTTP
                                     : port == allow->port);
}

bool
allow_any_protocol(const struct allow *allow)
{
    return allow->port != 0 && allow->port != PORT_HTTPS;
}
