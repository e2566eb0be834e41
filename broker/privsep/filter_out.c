#include "privsep/filter_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
    PIECES_FIRST_COUNT = 64,
    COPIES_FIRST_BYTES = 4096,
    COPIES_KEPT_BYTES = 256 * 1024, /* more is given back after the write */
};

static void
forget_copies(struct fout *o)
{
    wipe(o->copies, o->copies_cap);
    free(o->copies);
}

void
fout_done(struct fout *o)
{
    free(o->pieces);
    forget_copies(o);
    *o = (struct fout){.pieces = NULL};
}

static enum ag_err
need_piece(struct fout *o)
{
    size_t more = o->piece_cap == 0 ? PIECES_FIRST_COUNT : 2 * o->piece_cap;
    struct fout_piece *larger;

    if (o->piece_count < o->piece_cap) {
        return AG_OK;
    }
    larger = reallocarray(o->pieces, more, sizeof(*larger));
    if (larger == NULL) {
        return AG_ENOMEM;
    }
    o->pieces = larger;
    o->piece_cap = more;
    return AG_OK;
}

/* What is gathered may be seen, so it needs no locked memory; but it goes when
 * the stream does, for the next value of the vault may be in it. */
static enum ag_err
need_copies(struct fout *o, size_t wanted)
{
    size_t more = o->copies_cap == 0 ? COPIES_FIRST_BYTES : o->copies_cap;
    uint8_t *larger;

    while (more < wanted) {
        more *= 2;
    }
    if (more == o->copies_cap) {
        return AG_OK;
    }
    larger = malloc(more);
    if (larger == NULL) {
        return AG_ENOMEM;
    }
    if (o->copies_len > 0) {
        memcpy(larger, o->copies, o->copies_len);
    }
    forget_copies(o);
    o->copies = larger;
    o->copies_cap = more;
    return AG_OK;
}

static enum ag_err
add_piece(struct fout *o, size_t at, size_t len, bool is_copy)
{
    struct fout_piece *last =
        o->piece_count == 0 ? NULL : &o->pieces[o->piece_count - 1];
    enum ag_err err;

    if (last != NULL && last->is_copy == is_copy &&
        last->at + last->len == at) {
        last->len += len;
        return AG_OK;
    }
    err = need_piece(o);
    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(o->pieces != NULL);
    o->pieces[o->piece_count++] =
        (struct fout_piece){.at = at, .len = len, .is_copy = is_copy};
    return AG_OK;
}

static enum ag_err
gather(void *ctx, struct span part)
{
    struct fout *o = ctx;
    uintptr_t from = (uintptr_t)o->input.ptr;
    uintptr_t at = (uintptr_t)part.ptr;
    enum ag_err err;

    if (at >= from && at + part.len <= from + o->input.len) {
        return add_piece(o, at - from, part.len, false);
    }
    err = need_copies(o, o->copies_len + part.len);
    if (err != AG_OK) {
        return err;
    }
    memcpy(o->copies + o->copies_len, part.ptr, part.len);
    o->copies_len += part.len;
    return add_piece(o, o->copies_len - part.len, part.len, true);
}

struct sink
fout_sink(struct fout *o)
{
    return (struct sink){.ctx = o, .feed = gather};
}

int
fout_next(const struct fout *o, struct iovec *iov, int cap)
{
    size_t skip = o->next_byte;
    int count = 0;
    size_t i;

    for (i = o->next_piece; i < o->piece_count && count < cap; i++) {
        const struct fout_piece *p = &o->pieces[i];
        const uint8_t *base = p->is_copy ? o->copies : o->input.ptr;
        const uint8_t *ptr = base + p->at + skip;

        memcpy(&iov[count].iov_base, &ptr, sizeof(ptr));
        iov[count].iov_len = p->len - skip;
        count++;
        skip = 0;
    }
    return count;
}

void
fout_wrote(struct fout *o, size_t len)
{
    while (len > 0) {
        size_t left = o->pieces[o->next_piece].len - o->next_byte;

        if (len < left) {
            o->next_byte += len;
            return;
        }
        len -= left;
        o->next_piece++;
        o->next_byte = 0;
    }
}

void
fout_clear(struct fout *o, struct span input)
{
    if (o->copies_cap > COPIES_KEPT_BYTES) {
        fout_done(o);
    }
    o->input = input;
    o->piece_count = 0;
    o->copies_len = 0;
    o->next_piece = 0;
    o->next_byte = 0;
}
