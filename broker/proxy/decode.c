#include "proxy/decode.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#define ZLIB_CONST               /* next_in points to what is only read */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_createDCtx_advanced(): our memory */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/wipealloc.h"
#include "policy/request.h"

enum {
    PART_BYTES = 16 * 1024,
    GZIP_ONLY = 16, /* added to the window's bits, as zlib has it */
    ZSTD_FIRST_BYTE = 0x28,
    SKIPPED_FIRST_BYTE = 0x50, /* to 0x5f */
};

enum layer_state {
    LAYER_FRESH,
    LAYER_INSIDE,
    LAYER_BETWEEN, /* a whole stream is behind it */
};

/* One coding. */
struct layer {
    enum decode_coding coding;
    enum layer_state state;
    bool filled; /* all the room it had: there may be more without input */
    struct decode_memory *memory;
    z_stream zlib;
    ZSTD_DCtx *zstd;
};

struct decode {
    struct layer layers[DECODE_CHAIN_MAX_COUNT]; /* the outermost first */
    size_t count;
    uint64_t encoded_bytes;
    uint64_t decoded_bytes; /* by all layers */
    struct span waiting;    /* for the second layer, in `between` */
    uint8_t between[PART_BYTES];
    uint8_t out[PART_BYTES];
};

/* ---- names ---- */

static struct span
trimmed(struct span word)
{
    while (word.len > 0 && (word.ptr[0] == ' ' || word.ptr[0] == '\t')) {
        word = span_sub(word, 1, word.len);
    }
    while (word.len > 0 &&
           (word.ptr[word.len - 1] == ' ' || word.ptr[word.len - 1] == '\t')) {
        word.len--;
    }
    return word;
}

static enum ag_err
add_coding(struct span name, struct decode_codings *all)
{
    static const struct {
        const char *name;
        enum decode_coding coding;
    } KNOWN[] = {
        {"gzip", DECODE_GZIP},
        {"x-gzip", DECODE_GZIP},
        {"deflate", DECODE_DEFLATE},
        {"zstd", DECODE_ZSTD},
    };

    if (name.len == 0 || request_name_is(name, "identity")) {
        return AG_OK;
    }
    for (size_t i = 0; i < AG_COUNT(KNOWN); i++) {
        if (request_name_is(name, KNOWN[i].name) &&
            all->count < DECODE_CHAIN_MAX_COUNT) {
            all->at[all->count++] = KNOWN[i].coding;
            return AG_OK;
        }
    }
    return err_why(
        AG_EENCODED,
        "the service encodes its answer, unasked, and not by one or "
        "two of gzip, deflate, zstd; it can't be searched for values");
}

enum ag_err
decode_read_codings(struct span list, struct decode_codings *all)
{
    enum ag_err err = AG_OK;

    for (size_t at = 0; err == AG_OK && at < list.len;) {
        struct span rest = span_sub(list, at, list.len);
        struct span word = span_sub(rest, 0, span_find(rest, ','));

        at += word.len + 1;
        err = add_coding(trimmed(word), all);
    }
    return err;
}

/* ---- memory ---- */

/* Before each block: its length, to be given back. */
union block {
    size_t total;
    max_align_t align;
};

static void
count_down(struct decode_memory *memory, size_t total)
{
    (void)atomic_fetch_sub(&memory->used_bytes, total);
    if (memory->of != NULL) {
        (void)atomic_fetch_sub(&memory->of->used_bytes, total);
    }
}

/* False: that is more than there may be. It is to be counted down all the
 * same. */
static bool
count_up(struct decode_memory *memory, size_t total)
{
    struct decode_memory *of = memory->of;
    bool fits = atomic_fetch_add(&memory->used_bytes, total) + total <=
                memory->max_bytes;

    return of == NULL ? fits
                      : atomic_fetch_add(&of->used_bytes, total) + total <=
                                of->max_bytes &&
                            fits;
}

static void *
memory_take(void *opaque, size_t len)
{
    struct decode_memory *memory = opaque;
    union block *block = NULL;
    size_t total = 0;

    if (__builtin_add_overflow(len, sizeof(*block), &total) ||
        total > memory->max_bytes) {
        return NULL;
    }
    if (count_up(memory, total)) {
        block = wipe_malloc(total);
    }
    if (block == NULL) {
        count_down(memory, total);
        return NULL;
    }
    block->total = total;
    return block + 1;
}

static void
memory_give(void *opaque, void *ptr)
{
    struct decode_memory *memory = opaque;
    union block *block = ptr;

    if (ptr != NULL) {
        block--;
        count_down(memory, block->total);
        wipe_free(block);
    }
}

static voidpf
zlib_take(voidpf opaque, uInt count, uInt len)
{
    return memory_take(opaque, (size_t)count * len);
}

/* ---- one coding ---- */

static enum ag_err
broken(void)
{
    return err_why(AG_EENCODED,
                   "the service's answer is not encoded as it says");
}

static enum ag_err
no_memory(void)
{
    return err_why(AG_ENOMEM,
                   "there is no memory to decode the service's answer: too "
                   "much is being decoded, or the machine has none");
}

/* zlib's form begins with method 8 and a window of up to 32 KiB. Raw DEFLATE
 * that did so would be a stored block with bits set that nobody sets. */
static int
deflate_bits(uint8_t first)
{
    return (first & 0x8f) == Z_DEFLATED ? MAX_WBITS : -MAX_WBITS;
}

static enum ag_err
start_zlib(struct layer *l, uint8_t first)
{
    int rc = Z_OK;

    if (l->state == LAYER_BETWEEN) {
        return l->coding == DECODE_GZIP && inflateReset(&l->zlib) == Z_OK
                   ? AG_OK
                   : broken();
    }
    l->zlib = (z_stream){
        .zalloc = zlib_take, .zfree = memory_give, .opaque = l->memory};
    rc = inflateInit2(&l->zlib, l->coding == DECODE_GZIP ? MAX_WBITS + GZIP_ONLY
                                                         : deflate_bits(first));
    return rc == Z_OK ? AG_OK : no_memory();
}

static enum ag_err
start_zstd(struct layer *l, uint8_t first)
{
    const ZSTD_customMem memory = {memory_take, memory_give, l->memory};

    /* Also keeps out the formats before 0.8: their memory is not ours. */
    if (first != ZSTD_FIRST_BYTE && (first & 0xf0) != SKIPPED_FIRST_BYTE) {
        return broken();
    }
    if (l->zstd == NULL) {
        l->zstd = ZSTD_createDCtx_advanced(memory);
    }
    return l->zstd != NULL &&
                   !ZSTD_isError(ZSTD_DCtx_setParameter(
                       l->zstd, ZSTD_d_windowLogMax, DECODE_WINDOW_LOG_MAX))
               ? AG_OK
               : no_memory();
}

static enum ag_err
layer_start(struct layer *l, uint8_t first)
{
    enum ag_err err =
        l->coding == DECODE_ZSTD ? start_zstd(l, first) : start_zlib(l, first);

    l->state = err == AG_OK ? LAYER_INSIDE : l->state;
    return err;
}

static uInt
zlib_len(size_t len)
{
    return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

static enum ag_err
step_zlib(struct layer *l, struct span *in, uint8_t *out, size_t room,
          size_t *ret_len)
{
    uInt offered = zlib_len(in->len);
    uInt space = zlib_len(room);
    int rc = Z_OK;

    l->zlib.next_in = in->ptr;
    l->zlib.avail_in = offered;
    l->zlib.next_out = out;
    l->zlib.avail_out = space;
    rc = inflate(&l->zlib, Z_SYNC_FLUSH);
    *in = span_sub(*in, offered - l->zlib.avail_in, in->len);
    *ret_len = space - l->zlib.avail_out;
    if (rc == Z_STREAM_END) {
        l->state = LAYER_BETWEEN;
        return AG_OK;
    }
    if (rc == Z_MEM_ERROR) {
        return no_memory();
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? AG_OK : broken();
}

/* NOLINTBEGIN(readability-non-const-parameter): `out` is written to */
static enum ag_err
step_zstd(struct layer *l, struct span *in, uint8_t *out, size_t room,
          size_t *ret_len)
{
    ZSTD_inBuffer from = {.src = in->ptr, .size = in->len};
    ZSTD_outBuffer to = {.dst = out, .size = room};
    size_t rc = ZSTD_decompressStream(l->zstd, &to, &from);

    *in = span_sub(*in, from.pos, in->len);
    *ret_len = to.pos;
    if (!ZSTD_isError(rc)) {
        l->state = rc == 0 ? LAYER_BETWEEN : l->state;
        return AG_OK;
    }
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) {
        return no_memory();
    }
    return ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge
               ? err_why(AG_EENCODED, "the service's answer wants a window of "
                                      "more than 8 MiB to be decoded")
               : broken();
}

/* NOLINTEND(readability-non-const-parameter) */

/* A step that neither takes nor gives, with input there, is none. */
static enum ag_err
layer_step(struct layer *l, struct span *in, uint8_t *out, size_t room,
           size_t *ret_len)
{
    size_t before = in->len;
    enum ag_err err = AG_OK;

    if (l->state != LAYER_INSIDE) {
        err = layer_start(l, in->ptr[0]);
    }
    if (err == AG_OK) {
        err = l->coding == DECODE_ZSTD ? step_zstd(l, in, out, room, ret_len)
                                       : step_zlib(l, in, out, room, ret_len);
    }
    l->filled = l->state == LAYER_INSIDE && *ret_len == room;
    return err == AG_OK && before > 0 && in->len == before && *ret_len == 0
               ? broken()
               : err;
}

/* Until something comes out, or all of *in was taken. */
static enum ag_err
layer_run(struct layer *l, struct span *in, uint8_t *out, size_t *ret_len)
{
    enum ag_err err = AG_OK;

    *ret_len = 0;
    while (err == AG_OK && *ret_len == 0 && (in->len > 0 || l->filled)) {
        err = layer_step(l, in, out, PART_BYTES, ret_len);
    }
    return err;
}

/* ---- all of them ---- */

enum ag_err
decode_new(const struct decode_codings *codings, struct decode_memory *memory,
           struct decode **ret)
{
    struct decode *d = memory_take(memory, sizeof(*d));

    if (d == NULL) {
        return no_memory();
    }
    memset(d, 0, sizeof(*d));
    d->count = codings->count;
    for (size_t i = 0; i < d->count; i++) {
        d->layers[i] = (struct layer){.coding = codings->at[d->count - 1 - i],
                                      .memory = memory};
    }
    *ret = d;
    return AG_OK;
}

void
decode_free(struct decode *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        (void)inflateEnd(&d->layers[i].zlib); /* also of one never set up */
        (void)ZSTD_freeDCtx(d->layers[i].zstd);
    }
    memory_give(d->layers[0].memory, d);
}

/* What a layer made is in what was made for so much. */
static enum ag_err
count_made(struct decode *d, size_t made)
{
    uint64_t most = DECODE_FREE_BYTES + DECODE_RATIO_MAX * d->encoded_bytes;

    d->decoded_bytes += made;
    return d->decoded_bytes <= most
               ? AG_OK
               : err_why(AG_EENCODED,
                         "the service's answer grows a thousandfold when it is "
                         "decoded");
}

static enum ag_err
run_first(struct decode *d, struct span *in, uint8_t *out, size_t *ret_len)
{
    size_t before = in->len;
    enum ag_err err = layer_run(&d->layers[0], in, out, ret_len);

    d->encoded_bytes += before - in->len;
    return err == AG_OK ? count_made(d, *ret_len) : err;
}

/* The second layer's, as long as the first gives it something. */
static enum ag_err
run_both(struct decode *d, struct span *in, size_t *ret_len)
{
    bool more = true;
    enum ag_err err = AG_OK;

    *ret_len = 0;
    while (err == AG_OK && more) {
        size_t given = 0;

        err = layer_run(&d->layers[1], &d->waiting, d->out, ret_len);
        if (err != AG_OK || *ret_len > 0) {
            break;
        }
        err = run_first(d, in, d->between, &given);
        d->waiting = span_of(d->between, given);
        more = given > 0;
    }
    return err == AG_OK ? count_made(d, *ret_len) : err;
}

enum ag_err
decode_next(struct decode *d, struct span *in, struct span *ret)
{
    size_t len = 0;
    enum ag_err err =
        d->count == 1 ? run_first(d, in, d->out, &len) : run_both(d, in, &len);

    if (err == AG_OK) {
        *ret = span_of(d->out, len);
    }
    return err;
}

enum ag_err
decode_finish(const struct decode *d)
{
    if (d->layers[0].state == LAYER_FRESH) {
        return AG_OK;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->layers[i].state != LAYER_BETWEEN) {
            return err_why(AG_EENCODED,
                           "the service's answer breaks off within what it "
                           "encoded");
        }
    }
    return AG_OK;
}
