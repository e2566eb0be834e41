#include "proxy/backlog.h"

#include <string.h>

void
backlog_init(struct backlog *b, size_t max_bytes)
{
    /* Behind as many that were given, at most. */
    buf_init(&b->bytes, 2 * max_bytes, BUF_WIPE);
    b->at = 0;
}

enum ag_err
backlog_expect(struct backlog *b, size_t bytes)
{
    return buf_expect(&b->bytes, bytes);
}

void
backlog_done(struct backlog *b)
{
    buf_done(&b->bytes);
}

size_t
backlog_waiting_bytes(const struct backlog *b)
{
    return b->bytes.len - b->at;
}

uint8_t *
backlog_take(struct backlog *b, size_t *ret_len)
{
    if (b->at > 0 || b->bytes.len == 0) {
        return NULL;
    }
    *ret_len = b->bytes.len;
    return buf_take(&b->bytes);
}

/* What was given is at least half: the rest moves over it, and not itself. */
static void
move_up(struct backlog *b)
{
    size_t waiting = backlog_waiting_bytes(b);

    if (b->at > 0 && b->at >= waiting) {
        memcpy(b->bytes.ptr, b->bytes.ptr + b->at, waiting);
        buf_truncate(&b->bytes, waiting);
        b->at = 0;
    }
}

enum ag_err
backlog_add(struct backlog *b, struct span part)
{
    size_t total = 0;

    if (__builtin_add_overflow(backlog_waiting_bytes(b), part.len, &total) ||
        total > b->bytes.max / 2) {
        return AG_ELIMIT;
    }
    move_up(b);
    return buf_add(&b->bytes, part);
}

size_t
backlog_give(struct backlog *b, uint8_t *into, size_t room)
{
    size_t waiting = backlog_waiting_bytes(b);
    size_t n = waiting < room ? waiting : room;

    if (n > 0) {
        memcpy(into, b->bytes.ptr + b->at, n);
        b->at += n;
        move_up(b);
    }
    return n;
}
