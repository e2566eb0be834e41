/*
 * gate.h - recv() for libmicrohttpd: every byte it will parse has passed the
 * strict machine first, and a refusal is answered here.
 * Floor: http. Depends on: http/conn, http/intake, http/problem.
 *
 * This program defines recv(), which libmicrohttpd, a shared library, then
 * calls instead of libc's (ELF symbol interposition). For descriptors that are
 * no client's it is the plain system call.
 *
 * A refused request is never seen by MHD: it gets the bytes of the whole
 * requests before it, and later the end. MHD polls edge-triggered and takes a
 * short read for "nothing left", so bytes are never held back for later: what
 * is short here is short because nothing may follow.
 */
#ifndef AG_HTTP_GATE_H
#define AG_HTTP_GATE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct conn;

/* What recv() does; the same contract. */
ssize_t gate_recv(int fd, void *out, size_t len, int flags);

/*
 * What setsockopt() does. After every answer libmicrohttpd sets two options of
 * TCP, on Unix sockets too, where they can only fail: there the failure is
 * given without asking the kernel.
 */
int gate_setsockopt(int fd, int level, int name, const void *value,
                    unsigned int len);

/* MHD has answered one request of this connection; a refusal that waited for
 * it goes out now. */
AG_NONNULL void gate_completed(struct conn *c);

/* The body under way was not asked for, for a while: not the client's fault. */
AG_NONNULL void gate_body_held(struct conn *c);

/* Writes a refusal to a socket that has no connection yet (caps, other uid). */
void gate_refuse(int fd, enum ag_err err, const char *why);

/* AG_EINTERNAL unless recv() of the whole process is ours: called at start. */
AG_CHECK enum ag_err gate_check(void);

/* Requests refused here since the start: for /metrics. */
uint64_t gate_refused_count(void);

#endif
