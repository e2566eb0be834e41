/* Which host a request to the client's proxy is for (permit_impl.h). */
#include "core/permit_impl.h"
#include "core/reach.h"

enum {
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
};

/* No value goes there, so nothing of a place is looked at but these two. */
static const struct place OPEN = {.plain = true};
static const struct place OPEN_INNER = {.plain = true, .inner = true};

enum ag_err
permit_host(struct proxied *set, struct deciding *d)
{
    const bool plain = d->ask->via == REQUEST_PLAIN;
    const uint16_t usual = plain ? PORT_HTTP : PORT_HTTPS;
    const struct allow *allow = NULL;
    struct guard_host host = {0};
    uint16_t port = 0;
    enum ag_err err = guard_read_authority(d->ask->service, &host, &port);

    if (err != AG_OK) {
        return err;
    }
    port = port == 0 ? usual : port;
    guard_write_authority(&host, port, usual, d->host_text);
    d->host = span_str(d->host_text);
    d->place = reach_place(set, d->host, plain);
    if (d->place != NULL) {
        return AG_OK;
    }
    allow = plain ? reach_allowed(set, &host, port) : NULL;
    if (allow != NULL) {
        d->open = true;
        d->place = allow->inner ? &OPEN_INNER : &OPEN;
        return AG_OK;
    }
    if (reach_place(set, d->host, !plain) != NULL) {
        return err_why(AG_ENOTALLOWED, "%s is called by https://%s",
                       d->host_text, d->host_text);
    }
    proxied_turn_away(set, d->host_text);
    return err_why(AG_ENOTALLOWED,
                   "this task may not reach %s; to let it: run --allow %s",
                   d->host_text, d->host_text);
}
