/*
 * limits.h - every limit of the HTTP side, in one table: what the settings may
 * change, with its bounds, and what is fixed.
 * Floor: http. Depends on: wire/json.
 *
 * A row's name is its key in section [http] of settings.ini; README.md and
 * schema/settings.ini show the same rows, and a test holds them together.
 */
#ifndef AG_HTTP_LIMITS_H
#define AG_HTTP_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "wire/json.h"

/* Fixed: the strict layer's machine and the memory of a connection are made
 * for these. */
enum {
    HTTP_METHOD_MAX_BYTES = 16,
    HTTP_TARGET_MAX_BYTES = 4096, /* two escaped names and their query */
    HTTP_HEADER_NAME_MAX_BYTES = 64,
    HTTP_HEADERS_MAX_COUNT = 64,
    HTTP_HEAD_MAX_BYTES = 16 * 1024, /* fits MHD's pool with its own notes */
    HTTP_HOST_MAX_BYTES = 255,
    HTTP_BODY_MAX_BYTES = WJSON_MAX_BYTES,
    HTTP_MEMORY_BYTES = 24 * 1024,      /* MHD's pool: one per connection */
    HTTP_LINGER_MAX_BYTES = 512 * 1024, /* read on after a refusal, so that the
                                           answer is not lost to a reset */
    HTTP_LINGER_MAX_MS = 5000,          /* and no longer than that */
    HTTP_STALL_BYTES =
        1024, /* of a body that is passed on, in each request_s */
    HTTP_REPLY_MAX_BYTES = 16 * 1024 * 1024, /* audit export of one page */
    HTTP_SLOW_MAX_COUNT = 8, /* waiting for a key derivation: 4 s of it */
    HTTP_HIDE_MAX_COUNT =
        65536, /* answers kept until the filter has what they hold: each has a connection */
    HTTP_WAIT_MAX_COUNT = 64,   /* waiting for the filter or a long reading */
    HTTP_ROTATE_MAX_COUNT = 16, /* runs that wait for their turn */
    HTTP_FDS_MAX_COUNT = 65536, /* highest descriptor that may be a client's */
};

/* clang-format off */
/*    name                default     min      max   what it bounds */
#define HTTP_LIMITS(X)                                                                              \
    X(connections,           1024,     16,   16384, "connections in all (HTTP)")                        \
    X(admin_spare,             64,      4,    1024, "of these kept free for admin.sock")                \
    X(connections_per_uid,    960,      8,   16384, "connections of one user")                          \
    X(connections_per_pid,    512,      4,   16384, "connections of one process")                       \
    X(connections_tcp,        256,      0,   16384, "connections over 127.0.0.1; 0: no TCP at all")     \
    X(idle_s,                  30,      1,    3600, "a connection without traffic is closed after")     \
    X(request_s,               10,      1,     600, "a request must be here, whole, this long after its first byte") \
    X(drain_s,                  5,      1,     600, "requests under way at SIGTERM may take this long") \
    X(socket_stall_s,          60,      1,    3600, "a WebSocket whose client takes nothing is closed after") \
    X(socket_left_s,           10,      1,     600, "a WebSocket whose client has left is closed after")    \
    X(socket_end_s,             1,      1,      60, "a WebSocket that has ended is closed after")           \
    X(bad_tokens_per_minute,   30,      1,    6000, "refused tokens of one process; then rate_limited")

/* clang-format on */

struct http_limits {
#define HTTP_LIMIT_FIELD(name, otherwise, min, max, what) int64_t name;
    HTTP_LIMITS(HTTP_LIMIT_FIELD)
#undef HTTP_LIMIT_FIELD
};

static inline struct http_limits
http_limits_default(void)
{
#define HTTP_LIMIT_DEFAULT(name, otherwise, min, max, what) .name = (otherwise),
    return (struct http_limits){HTTP_LIMITS(HTTP_LIMIT_DEFAULT)};
#undef HTTP_LIMIT_DEFAULT
}

#endif
