/*
 * flight_socket.h - a request for a WebSocket: how it is asked for, and what
 * passes when it was granted.
 * Floor: proxy, and only this folder includes it.
 *
 * Payload from the client is searched for placeholders as a body is; a word
 * that may still become one waits for the rest of it. Payload from the service
 * goes through the filter, message by message. A client that closes its side
 * without a Close is gone; with one it waits for the service's.
 */
#ifndef AG_PROXY_FLIGHT_SOCKET_H
#define AG_PROXY_FLIGHT_SOCKET_H

#include "base/attr.h"
#include "base/err.h"
#include "proxy/flight_impl.h"

/* f->socket, if the request wants one. Errors: AG_EUPGRADE, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
flight_socket_open(struct flight *f, const struct proxy_request *request);
void flight_socket_free(struct flight_socket *socket);

/* The request, rebuilt, becomes one for a WebSocket. Errors: AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err flight_socket_prepare(struct flight *f);

/* On the upstream's thread, with f->sieve and f->head ready: a 101 switches.
 * Errors: AG_EUPSTREAM. */
AG_CHECK AG_NONNULL enum ag_err
flight_socket_switch(struct flight *f, const struct upstream_head *head);

/* Was it granted? Threads: any. */
AG_NONNULL bool flight_socket_is_on(const struct flight *f);

/* Then: as flight_take() and the upstream's events. */
AG_NONNULL size_t flight_socket_take(struct flight *f, struct span part);
AG_NONNULL enum upstream_flow flight_socket_on_send(struct flight *f,
                                                    uint8_t *into, size_t room,
                                                    size_t *ret_len);
AG_NONNULL enum ag_err flight_socket_on_body(struct flight *f,
                                             struct span part);

/* What was wrong is told the client by a Close, and ends it. */
AG_NONNULL void flight_socket_fail(struct flight *f, enum ag_err err);

#endif
