/*
 * emit.h - JSON out, written by hand into a buffer: no tree, one pass.
 * Floor: wire. Depends on: base/buf, base/clock.
 *
 * The first failure sticks; later calls do nothing and emit_end() returns it.
 * For an answer that carries a secret give a buffer made with BUF_WIPE.
 *
 *   struct emit e;
 *   emit_start(&e, &buf);
 *   emit_open(&e, NULL, '{');
 *   emit_str(&e, "name", name);
 *   emit_int(&e, "version", 3);
 *   emit_close(&e, '}');
 *   err = emit_end(&e);
 */
#ifndef AG_WIRE_EMIT_H
#define AG_WIRE_EMIT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

struct emit {
    struct buf *out;
    enum ag_err err;
    unsigned depth;
    bool more; /* the next item needs a comma before it */
};

AG_NONNULL void emit_start(struct emit *e, struct buf *out);

/* AG_OK or the first failure; every bracket must be closed by then. */
AG_CHECK AG_NONNULL enum ag_err emit_end(struct emit *e);

/* `bracket` is '{' or '['; the key is NULL at the top and in a list. */
void emit_open(struct emit *e, const char *key, char bracket);
void emit_close(struct emit *e, char bracket);

/* Text must be UTF-8 (AG_EINVAL otherwise); NULL text is left out. Keys are
 * constants of ours and need no escaping. */
void emit_str(struct emit *e, const char *key, const char *text);
void emit_span(struct emit *e, const char *key, struct span text);
void emit_int(struct emit *e, const char *key, int64_t value);
void emit_bool(struct emit *e, const char *key, bool value);

/* RFC 3339 in UTC; a time below 0 ("none") is null. */
void emit_time(struct emit *e, const char *key, int64_t wall_ms);

/* Base64 of any bytes. */
void emit_base64(struct emit *e, const char *key, struct span bytes);

/* JSON text that was made already; not checked. */
void emit_raw(struct emit *e, const char *key, struct span json);

#endif
